import Testing
import WorkerRuntime

@Suite(.timeLimit(.minutes(20))) struct DoorkeeperTests {
    @Test func strangersDisplaceEachOther() {
        var keeper = Doorkeeper()
        for number in 0..<WorkerLimits.strangersOfOneAddress {
            #expect(keeper.arrive(UInt64(number), from: "a").isEmpty)
        }
        #expect(keeper.arrive(1_000, from: "a") == [0], "the one that has waited longest")
        #expect(keeper.arrive(1_001, from: "b").isEmpty, "another address has places of its own")
        #expect(keeper.strangerCount == WorkerLimits.strangersOfOneAddress + 1)
    }

    @Test(arguments: [2, 20]) func manyAddressesAreBoundedTogether(times: Int) {
        var keeper = Doorkeeper()
        var closed = 0
        for number in 0..<times * WorkerLimits.strangers {
            closed += keeper.arrive(UInt64(number), from: "address \(number)").count
        }
        #expect(keeper.strangerCount == WorkerLimits.strangers)
        #expect(closed == (times - 1) * WorkerLimits.strangers)
    }

    @Test func membersKeepTheirPlaces() throws {
        var keeper = Doorkeeper()
        let (one, other) = (try Person("one").account, try Person("other").account)
        for number in 0..<WorkerLimits.connectionsOfOneMember {
            _ = keeper.arrive(UInt64(number), from: "a")
            #expect(keeper.recognise(UInt64(number), as: one).isEmpty)
        }
        for number in 100..<1_000 { #expect(!keeper.arrive(UInt64(number), from: "a").contains { $0 < 100 }) }
        #expect(!keeper.isStranger(0) && keeper.isStranger(999))
        #expect(keeper.recognise(999, as: one) == [0], "its own oldest goes")
        #expect(keeper.recognise(998, as: other).isEmpty)
        #expect(keeper.recognise(998, as: other).isEmpty, "a second request over one connection changes nothing")
        keeper.leave(998)
        #expect(keeper.isStranger(998))
        #expect(keeper.memberCount == WorkerLimits.connectionsOfOneMember)
    }
}
