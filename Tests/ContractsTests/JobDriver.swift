import Testing

/// A job on a ``TestChain``, and the usual steps of its participants.
final class JobDriver {
    let chain: TestChain
    let spec: Spec
    let workers: [Worker]

    /// - Parameter edges: how many of them apply; by default as many as the job wants.
    init(_ spec: Spec = Spec(), edges: Int? = nil, deposit: UInt128 = 0, escrow: UInt128 = 0) throws {
        self.spec = spec
        chain = try TestChain("job")
        workers = [.cloud] + Worker.edges.prefix(edges ?? Int(spec.edges))
        let outcome = chain.register(spec.borsh, value: deposit)
        guard outcome == .done else { throw Refused(outcome: outcome) }
        if escrow > 0 { #expect(chain.send(TestChain.owner, 8, value: escrow) == .done) }
    }

    struct Refused: Error { let outcome: TestChain.Outcome }

    /// A job whose roster is complete: round 0 has begun.
    static func started(_ spec: Spec = Spec(), deposit: UInt128 = 0, escrow: UInt128 = 0) throws -> JobDriver {
        let job = try JobDriver(spec, deposit: deposit, escrow: escrow)
        for worker in job.workers { try job.join(worker) }
        #expect(try job.status().phase == .commit)
        return job
    }

    var edges: [Worker] { workers.filter { !$0.isCloud } }

    // MARK: Reading

    func status() throws -> Status {
        let (outcome, reply) = chain.query([0])
        #expect(outcome == .done)
        return try Status(reply, specLength: spec.borsh.count)
    }

    func members() throws -> [Member] {
        let (outcome, reply) = chain.query([1])
        #expect(outcome == .done)
        return try Member.list(reply)
    }

    func member(_ worker: Worker) throws -> Member {
        try #require(try members().first { $0.account == worker.account })
    }

    func history() throws -> [Round] {
        let (outcome, reply) = chain.query([2])
        #expect(outcome == .done)
        return try Round.list(reply)
    }

    /// Findings since the last call.
    func takeVerdicts() -> [TestChain.Verdict] {
        defer { chain.state.verdicts = [] }
        return chain.state.verdicts
    }

    static func verdict(_ worker: Worker, _ kind: UInt32) -> TestChain.Verdict {
        .init(account: worker.account, role: UInt32(worker.role), kind: kind, weight: 1 << 20)
    }

    /// The phases entered since the last call, as (round, phase).
    func takePhases() -> [String] {
        defer { chain.state.events.removeAll { $0.topic == "phase" } }
        return chain.state.events.filter { $0.topic == "phase" }.map { event in
            let round = event.data.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            return "\(round) \(Phase(rawValue: event.data.last ?? 255).map { "\($0)" } ?? "?")"
        }
    }

    // MARK: Acting

    func join(_ worker: Worker) throws {
        #expect(chain.send(worker.account, 5, worker.application) == .done)
        #expect(chain.send(worker.account, 2, worker.identity) == .done)
        #expect(chain.send(worker.account, 4) == .done)
    }

    func commit(_ worker: Worker, round: UInt32) -> TestChain.Outcome {
        chain.send(
            worker.account, 6, worker.work(round).commitment(round, worker.account), post: "r\(round)/c")
    }

    func reveal(_ worker: Worker, round: UInt32) -> TestChain.Outcome {
        chain.send(worker.account, 6, worker.work(round).reveal, post: "r\(round)/r")
    }

    func validate(_ metric: UInt64, round: UInt32, checkpoint: UInt8? = nil) -> TestChain.Outcome {
        chain.send(
            spec.validator, 6, validation(metric: metric, checkpoint: checkpoint ?? UInt8(truncatingIfNeeded: round + 1)),
            post: "r\(round)/v")
    }

    func commit(_ workers: [Worker], round: UInt32) {
        for worker in workers { #expect(commit(worker, round: round) == .done) }
    }

    func reveal(_ workers: [Worker], round: UInt32) {
        for worker in workers { #expect(reveal(worker, round: round) == .done) }
    }

    /// A whole round by all workers; 100 ms pass before the first commit.
    func play(round: UInt32, metric: UInt64) {
        chain.pass(100)
        commit(workers, round: round)
        reveal(workers, round: round)
        #expect(validate(metric, round: round) == .done)
    }
}
