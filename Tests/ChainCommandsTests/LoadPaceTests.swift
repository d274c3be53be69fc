import ChainCommands
import Testing

@Suite(.timeLimit(.minutes(20))) struct LoadPaceTests {
    @Test(arguments: [(1, 1), (40, 4), (1_000, 4), (997, 3), (3, 7), (100_000, 8)])
    func whatIsCountedIsWhatIsDue(rate: Int, lanes: Int) {
        for lane in 0..<lanes {
            let pace = LoadPace(rate: rate, lane: lane, lanes: lanes)
            for number in 0..<50 {
                let due = pace.dueAfter(number)
                #expect(pace.count(after: due) == number + 1)
                if due > 0 { #expect(pace.count(after: due - 1) == number) }
            }
        }
    }

    @Test func lanesTakeTurnsEvenly() {
        let due = (0..<3).flatMap { number in (0..<4).map { LoadPace(rate: 1_000, lane: $0, lanes: 4).dueAfter(number) }
        }
        #expect(due == (0..<12).map { $0 * 1_000 })
    }

    @Test func theFirstOfTheFirstLaneIsDueAtOnce() {
        #expect(LoadPace(rate: 1, lane: 0, lanes: 4).count(after: 0) == 1)
        #expect(LoadPace(rate: 1, lane: 3, lanes: 4).count(after: 2_999_999) == 0)
        #expect(LoadPace(rate: 1, lane: 3, lanes: 4).count(after: 3_000_000) == 1)
    }
}
