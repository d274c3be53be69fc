import Ledger
import Primitives
import Testing

@Suite struct CreditsTests {
    private static let parameters: Parameters = {
        var parameters = Parameters()
        parameters.creditBase = 1_000
        parameters.balancePerCredit = 10
        parameters.creditMaximum = 50_000
        parameters.creditWindowMs = 777
        return parameters
    }()
    private let credits = Credits(parameters)

    @Test func capacityComesFromTheBalance() {
        #expect(credits.capacity(stake: 0) == 0)
        #expect(credits.capacity(stake: 1) == 1_000)
        #expect(credits.capacity(stake: 25) == 1_002)
        #expect(credits.capacity(stake: .max) == 50_000)
    }

    @Test func anAccountStartsFullAndGrowsBackLinearly() {
        var record = AccountRecord(balance: 1)
        #expect(credits.available(record, at: Time(5)) == 1_000)
        credits.charge(1_000, to: &record, at: Time(1_000))
        #expect(credits.available(record, at: Time(1_000)) == 0)
        #expect(credits.available(record, at: Time(1_000 + 388)) == 499)
        #expect(credits.available(record, at: Time(1_777)) == 1_000)
        #expect(credits.available(record, at: Time(.max)) == 1_000)
        // Time never runs backwards, but nothing breaks if it is asked to.
        #expect(credits.available(record, at: Time(3)) == 0)
        // What is not there can't be taken.
        credits.charge(.max, to: &record, at: Time(1_100))
        #expect(record.credits == 0)
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
            var record = AccountRecord(balance: UInt128(UInt64.random(in: 1...600_000, using: &random)))
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
