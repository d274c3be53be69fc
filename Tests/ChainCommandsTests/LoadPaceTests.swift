import ChainCommands
import Testing

@Suite(.timeLimit(.minutes(20))) struct LoadPaceTests {
    @Test(arguments: [(1, 1, 1), (40, 4, 1), (1_000, 4, 5), (997, 3, 4), (3, 7, 2), (100_000, 8, 500), (17_000, 4, 85)])
    func whatIsCountedIsWhatHasLeft(rate: Int, lanes: Int, perRequest: Int) {
        for lane in 0..<lanes {
            let pace = LoadPace(rate: rate, lane: lane, lanes: lanes, perRequest: perRequest)
            for request in 0..<50 {
                let (first, last) = (request * perRequest, (request + 1) * perRequest - 1)
                let leaves = pace.leavesAfter(first)
                #expect(leaves == pace.dueAfter(last) && leaves == pace.leavesAfter(last))
                #expect(pace.count(after: leaves) == last + 1)
                if leaves > 0 { #expect(pace.count(after: leaves - 1) == first) }
            }
        }
    }

    /// Whatever the lanes and requests, one transaction is due after the other.
    @Test(arguments: [1, 2, 5]) func lanesTakeTurnsEvenly(perRequest: Int) {
        let due = (0..<3).flatMap { request in
            (0..<4).flatMap { lane in
                let pace = LoadPace(rate: 1_000, lane: lane, lanes: 4, perRequest: perRequest)
                return (0..<perRequest).map { pace.dueAfter(request * perRequest + $0) }
            }
        }
        #expect(due == (0..<12 * perRequest).map { $0 * 1_000 })
    }

    @Test func theFirstOfTheFirstLaneIsDueAtOnce() {
        func pace(_ lane: Int) -> LoadPace { LoadPace(rate: 1, lane: lane, lanes: 4, perRequest: 1) }
        #expect(pace(0).count(after: 0) == 1)
        #expect(pace(3).count(after: 2_999_999) == 0)
        #expect(pace(3).count(after: 3_000_000) == 1)
    }

    @Test func aRequestHoldsWhatComesDueInAFewMilliseconds() {
        let rates = [1, 40, 399, 400, 1_000, 17_000, 1_000_000]
        #expect(rates.map { LoadPace.perRequest(rate: $0) } == [1, 1, 1, 2, 5, 85, 512])
    }
}
