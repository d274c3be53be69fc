import JobContract
import JobProtocol
import Testing

/// Every state that the job's own code can reach, for small jobs.
@Suite("States of a job", .serialized, .timeLimit(.minutes(20)))
struct StateSearchTests {
    private func search(_ name: String, _ search: StateSearch) {
        let report = search.run()
        print("search, \(name): \(report)")
        #expect(report.violations.isEmpty, "\(name)")
        #expect(report.ends > 0 && report.roundsClosed > 0, "\(name)")
        #expect(report.isComplete, "\(name)")
    }

    private func tricks(_ change: (inout StateSearch.Tricks) -> Void) -> StateSearch.Tricks {
        var tricks = StateSearch.Tricks()
        change(&tricks)
        return tricks
    }

    /// The search can fail: with a fault under the job it does.
    @Test(arguments: [(StateSearch.Fault.losesCalls, "nothing is waited for"), (.paysTwice, "left")])
    func faultsAreNoticed(fault: StateSearch.Fault, words: String) {
        let report = StateSearch(
            workers: 1, committee: 1, rounds: 1, tricks: StateSearch.Tricks(), limit: 20_000, fault: fault
        ).run()
        #expect(report.violations.contains { $0.contains(words) }, "\(report)")
    }

    @Test func oneWorkerAndOneJudgeWithEveryTrick() {
        search("1 worker, 1 judge", StateSearch(workers: 1, committee: 1, tricks: .all, limit: 400_000))
    }

    @Test func oneWorkerAndThreeJudges() {
        search(
            "1 worker, 3 judges",
            StateSearch(
                workers: 1, committee: 3,
                tricks: tricks { ($0.lyingCommittee, $0.lyingCloud, $0.complaints, $0.leaving) = (true, true, true, true) },
                limit: 400_000))
    }

    @Test func twoWorkers() {
        search(
            "2 workers, 1 judge",
            StateSearch(
                workers: 2, committee: 1,
                tricks: tricks { ($0.lyingCloud, $0.lyingWorker, $0.late, $0.lyingCommittee) = (true, true, true, true) },
                limit: 400_000))
        search(
            "2 workers, 3 judges, fog",
            StateSearch(workers: 2, committee: 3, protocol: .fog, tricks: tricks { $0.lyingCommittee = true }, limit: 400_000))
    }

    @Test func twoWorkersAndTheirOwner() {
        search(
            "2 workers, 1 judge, the owner",
            StateSearch(
                workers: 2, committee: 1,
                tricks: tricks { ($0.owner, $0.leaving, $0.complaints) = (true, true, true) }, limit: 400_000))
    }

    @Test func threeWorkers() {
        search(
            "3 workers, 1 judge",
            StateSearch(workers: 3, committee: 1, tricks: tricks { $0.lyingCloud = true }, limit: 400_000))
        search(
            "3 workers, 3 judges, one round",
            StateSearch(
                workers: 3, committee: 3, rounds: 1,
                tricks: tricks { ($0.late, $0.lyingCommittee, $0.lyingCloud) = (true, true, true) }, limit: 400_000))
        search(
            "3 workers, 1 judge, fog, asynchronous",
            StateSearch(
                workers: 3, committee: 1, rounds: 2, protocol: .fog, mode: .asynchronous, tricks: tricks { $0.late = true },
                limit: 400_000))
    }
}
