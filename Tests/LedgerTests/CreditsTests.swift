import Ledger
import Primitives
import Testing

@Suite(.timeLimit(.minutes(20))) struct CreditsTests {
    private static let parameters: Parameters = {
        var parameters = Parameters()
        parameters.balancePerCredit = 10
        parameters.creditWindowMs = 777
        return parameters
    }()
    private let credits = Credits(parameters)

    @Test func capacityIsInProportionToTheStake() {
        #expect(credits.capacity(stake: 0) == 0)
        #expect(credits.capacity(stake: 9) == 0)
        #expect(credits.capacity(stake: 25) == 2)
        #expect(credits.capacity(stake: .max) == .max)
        let record = AccountRecord(balance: 100, locked: 200, deposit: 300)
        #expect(credits.capacity(stake: record.stake) == 60)
    }

    @Test func anAccountStartsWithNoneAndGrowsLinearly() {
        // The ledger never opened it: nothing grows.
        #expect(credits.available(AccountRecord(balance: 10_000), at: Time(1_000_000)) == 0)
        var record = AccountRecord(balance: 10_000, creditTime: Time(1_000))
        #expect(credits.available(record, at: Time(1_000)) == 0)
        #expect(credits.available(record, at: Time(1_777)) == 1_000)
        credits.charge(1_000, to: &record, at: Time(2_000))
        #expect(credits.available(record, at: Time(2_000)) == 0)
        #expect(credits.available(record, at: Time(2_000 + 388)) == 499)
        #expect(credits.available(record, at: Time(2_777)) == 1_000)
        #expect(credits.available(record, at: Time(.max)) == 1_000)
        // Time never runs backwards, but nothing breaks if it is asked to.
        #expect(credits.available(record, at: Time(3)) == 0)
        // What is not there can't be taken.
        credits.charge(.max, to: &record, at: Time(2_100))
        #expect(record.credits == 0)
        // What comes back never exceeds what the account can hold.
        credits.refund(.max, to: &record, at: Time(2_100))
        #expect(record.credits == 1_000)
    }

    @Test func moneyThatLeavesTakesItsPart() {
        var record = AccountRecord(balance: 10_000, credits: 900, creditTime: Time(5))
        #expect(credits.detach(2_500, from: &record, at: Time(5)) == 225)
        record.balance -= 2_500
        #expect(record.credits == 675)
        #expect(credits.detach(7_500, from: &record, at: Time(5)) == 675)
        record.balance = 0
        #expect(credits.available(record, at: Time(.max)) == 0)
        // The widest numbers there are.
        var rich = AccountRecord(balance: .max, credits: .max, creditTime: Time(5))
        #expect(credits.detach(1, from: &rich, at: Time(5)) == 1)
        rich.balance -= 1
        #expect(credits.detach(.max - 1, from: &rich, at: Time(5)) == UInt64.max - 1)
    }

    @Test func anEmptyAccountNeverHasEnough() {
        let record = AccountRecord()
        #expect(credits.available(record, at: Time(9)) == 0)
        #expect(credits.time(of: 1, for: record, at: Time(9)) == nil)
        #expect(credits.time(of: 0, for: record, at: Time(9)) == Time(9))
    }

    /// The time that a refusal names is the first at which the account has enough.
    @Test(arguments: [1, 2, 3] as [UInt64]) func theNamedTimeIsExact(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        for _ in 0..<500 {
            var record = AccountRecord(
                balance: UInt128(UInt64.random(in: 1...600_000, using: &random)), credits: .max, creditTime: Time(1))
            let spent = Time(UInt64.random(in: 1...10_000, using: &random))
            credits.charge(UInt64.random(in: 0...60_000, using: &random), to: &record, at: spent)
            let now = spent.advanced(by: UInt64.random(in: 0...900, using: &random))
            let amount = UInt64.random(in: 0...60_000, using: &random)
            guard let time = credits.time(of: amount, for: record, at: now) else {
                #expect(amount > credits.capacity(stake: record.stake), "seed \(seed)")
                continue
            }
            #expect(credits.available(record, at: time) >= amount, "seed \(seed)")
            if let before = time.previous, time > now {
                #expect(credits.available(record, at: before) < amount, "seed \(seed)")
            }
            // Settling earlier never gives more.
            var settled = record
            credits.settle(&settled, at: now)
            let later = now.advanced(by: 100)
            #expect(credits.available(settled, at: later) <= credits.available(record, at: later), "seed \(seed)")
        }
    }
}
