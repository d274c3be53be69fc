import Testing

@Suite("What a job refuses, and what its owner may do")
struct JobRuleTests {
    @Test("commits and reveals out of turn are refused with the reason, and change nothing")
    func outOfTurn() throws {
        let job = try JobDriver.started()
        let (edge, other) = (job.edges[0], job.edges[1])
        let stranger = Worker.edges[7]
        #expect(job.commit(edge, round: 3) == .refused("commit for round 3 refused: the job is in round 0"))
        #expect(job.reveal(edge, round: 0) == .refused("reveal for round 0 refused: the job is in commit"))
        #expect(job.validate(1, round: 0) == .refused("validation for round 0 refused: the job is in commit"))
        let name = String(repeating: "e7", count: 32)
        #expect(job.commit(stranger, round: 0) == .refused("commit refused: \(name) has not applied to this job"))
        #expect(job.commit(edge, round: 0) == .done)
        #expect(job.commit(edge, round: 0) == .refused("commit for round 0 refused: committed already"))
        for post in ["", "r", "r/c", "r0c", "r00/c", "r01/c", "r-1/c", "r4294967296/c", "r99999999999/c", "r0/x", "x0/c", "r0/cc"] {
            #expect(
                job.chain.send(other.account, 6, [UInt8](repeating: 1, count: 32), post: post)
                    == .refused("postId is not one of r<round>/c, r<round>/r, r<round>/v, r<round>/f"), "\(post)")
        }
        let before = job.chain.state
        #expect(job.commit(edge, round: 0) != .done)
        #expect(job.chain.state == before)

        job.commit([.cloud, other], round: 0)
        #expect(job.commit(other, round: 0) == .refused("commit for round 0 refused: the job is in reveal"))
        #expect(job.reveal(edge, round: 0) == .done)
        #expect(job.reveal(edge, round: 0) == .refused("reveal for round 0 refused: revealed already"))
        #expect(job.chain.send(edge.account, 5, edge.application) == .refused("application refused: it is only for an open job, and this one is in reveal"))
        #expect(job.chain.send(edge.account, 3) == .refused("action 3 is not a job's: 2, 4 to 9, and 256 to 258 for the owner"))
        #expect(job.chain.send(edge.account, 4, value: 5) == .refused("action 4 takes no money; fund the escrow by action 8"))
    }

    @Test("joining goes by apply, identity, confirm; places are limited")
    func joining() throws {
        let job = try JobDriver()
        let edge = job.edges[0]
        let name = String(repeating: "e0", count: 32)
        #expect(job.chain.send(edge.account, 2, edge.identity) == .refused("identity refused: \(name) has not applied to this job"))
        #expect(job.chain.send(edge.account, 4) == .refused("confirmation refused: \(name) has not applied to this job"))
        #expect(job.chain.send(edge.account, 5, edge.application) == .done)
        #expect(job.chain.send(edge.account, 5, edge.application) == .refused("application refused: \(name) has applied already"))
        #expect(job.chain.send(edge.account, 4) == .refused("confirmation refused: publish a KEM key and an endpoint first (action 2)"))
        #expect(job.chain.send(edge.account, 2, edge.identity) == .done)
        #expect(job.chain.send(edge.account, 4) == .done)
        #expect(job.chain.send(edge.account, 4) == .refused("confirmation refused: confirmed already"))
        // Who leaves an open job may come again.
        #expect(job.chain.send(edge.account, 7) == .done)
        #expect(try job.member(edge).standing == 4)
        try job.join(edge)
        try job.join(job.edges[1])
        let third = Worker.edges[2]
        #expect(job.chain.send(third.account, 5, third.application) == .done)
        #expect(job.chain.send(third.account, 2, third.identity) == .done)
        #expect(job.chain.send(third.account, 4) == .refused("confirmation refused: all 2 places of this role are taken"))
        try job.join(.cloud)
        #expect(try job.status().phase == .commit)
        #expect(try job.members().map(\.standing) == [2, 2, 0, 2])
        #expect(try job.members().map(\.index) == [0, 1, 2, 0])

        // At most 64 apply.
        let crowd = try JobDriver()
        for index: UInt8 in 0..<64 {
            #expect(crowd.chain.send(AccountBytes(repeating: index, count: 32), 5, [1, 0, 0, 0, 0]) == .done)
        }
        #expect(crowd.chain.send(AccountBytes(repeating: 64, count: 32), 5, [1, 0, 0, 0, 0]) == .refused("application refused: 64 have applied, no more fit"))
        #expect(try crowd.members().count == 64)
    }

    @Test("the open phase ends at its deadline: with a quorum it starts, without it pauses")
    func openDeadline() throws {
        var spec = Spec()
        spec.edges = 3
        let enough = try JobDriver(spec)
        for worker in enough.workers.dropLast() { try enough.join(worker) }
        enough.chain.pass(spec.openTimeout)
        #expect(try enough.status().phase == .commit)

        let tooFew = try JobDriver(spec)
        for worker in tooFew.workers.dropLast(2) { try tooFew.join(worker) }
        tooFew.chain.pass(spec.openTimeout)
        #expect(try tooFew.status().phase == .paused)
        #expect(try tooFew.status().reason == "too few workers confirmed in time")
        #expect(tooFew.chain.send(TestChain.owner, 257) == .done)
        #expect(try tooFew.status().phase == .open)
        for worker in tooFew.workers.suffix(2) { try tooFew.join(worker) }
        #expect(try tooFew.status().phase == .commit)
    }

    @Test("pause keeps a phase and its remaining time; abort ends the job; only the owner may")
    func pauseResumeAbort() throws {
        let job = try JobDriver.started()
        let edge = job.edges[0]
        for action: UInt32 in [256, 257, 258] {
            #expect(job.chain.send(edge.account, action) == .refused("request refused: only the owner pauses, resumes and aborts"))
        }
        #expect(job.chain.send(TestChain.owner, 257) == .refused("request refused: the job is not paused"))
        job.commit([edge], round: 0)
        let before = try job.status()
        #expect(job.chain.send(TestChain.owner, 256) == .done)
        let pausedAt = job.chain.time
        #expect(try job.status().phase == .paused)
        #expect(try job.status().reason == "paused by the owner")
        #expect(job.chain.send(TestChain.owner, 256) == .refused("request refused: the job is paused already"))
        #expect(job.commit(.cloud, round: 0) == .refused("commit for round 0 refused: the job is paused"))
        job.chain.pass(10 * job.spec.commitMax)
        #expect(try job.status().phase == .paused)
        #expect(job.chain.send(TestChain.owner, 257) == .done)
        let after = try job.status()
        #expect(after.phase == .commit)
        #expect(after.deadline - job.chain.time == before.deadline - pausedAt)
        #expect(try job.member(edge).committed)
        job.commit([.cloud, job.edges[1]], round: 0)
        #expect(try job.status().phase == .reveal)

        #expect(job.chain.send(TestChain.owner, 258) == .done)
        #expect(try job.status().phase == .aborted)
        #expect(job.reveal(edge, round: 0) == .refused("reveal for round 0 refused: the job is aborted"))
        #expect(job.chain.send(TestChain.owner, 257) == .refused("request refused: the job is aborted"))
        #expect(job.chain.scheduledFailures.isEmpty)
    }

    @Test("leaving: nobody waits for who has left, and an unopened commitment is a fault at once")
    func leaving() throws {
        var spec = Spec()
        (spec.edges, spec.quorum) = (3, 1)
        let job = try JobDriver.started(spec)
        job.commit([.cloud, job.edges[0], job.edges[1]], round: 0)
        #expect(job.chain.send(job.edges[1].account, 7) == .done)
        #expect(job.takeVerdicts() == [JobDriver.verdict(job.edges[1], 5)])
        #expect(try job.status().phase == .commit)
        #expect(job.chain.send(job.edges[2].account, 7) == .done)
        #expect(job.takeVerdicts().isEmpty)
        #expect(try job.status().phase == .reveal)
        job.reveal([.cloud, job.edges[0]], round: 0)
        #expect(job.validate(500_000, round: 0) == .done)
        #expect(job.takeVerdicts().map(\.kind) == [0, 0])
        #expect(job.commit(job.edges[1], round: 1) == .refused("commit for round 1 refused: this worker has left"))
        #expect(job.chain.send(job.edges[1].account, 4) == .refused("confirmation refused: this worker has left"))
        #expect(try job.members().map(\.index) == [0, 0, 1, 2])
    }

    @Test("the escrow is shared by accepted rounds; an aborted job returns what nobody earned")
    func escrow() throws {
        var spec = Spec()
        (spec.quorum, spec.rounds) = (1, 2)
        let job = try JobDriver.started(spec, deposit: 5_000, escrow: 600)
        let present = Array(job.workers.dropLast())
        #expect(job.chain.send(job.edges[0].account, 8, value: 401) == .done)
        #expect(try job.status().escrow == 1_001)
        #expect(job.chain.send(job.edges[0].account, 9) == .refused("claim refused: the job is not over"))
        job.play(round: 0, metric: 500_000)
        job.commit(present, round: 1)
        job.chain.pass(spec.commitMax)
        job.reveal(present, round: 1)
        #expect(job.validate(500_000, round: 1) == .done)
        #expect(try job.status().phase == .finished)
        // 2 + 2 + 1 accepted rounds.
        for (worker, share) in zip(job.workers, [UInt128(400), 400, 200]) {
            #expect(job.chain.send(worker.account, 9) == .done)
            #expect(job.chain.state.balances[worker.account] == share)
            #expect(job.chain.send(worker.account, 9) == .refused("claim refused: paid already"))
        }
        #expect(try job.status().escrow == 1)
        // The deposit goes back; one unit does not divide by five and stays.
        #expect(job.chain.send(TestChain.owner, 8) == .done)
        #expect(job.chain.state.balances[TestChain.owner] == 5_000)
        #expect(job.chain.send(TestChain.owner, 8) == .refused("settlement refused: nothing is due"))
        #expect(job.chain.send(job.edges[0].account, 8, value: 1) == .refused("payment refused: the job is finished"))

        spec.rounds = 4
        let aborted = try JobDriver.started(spec, escrow: 1 << 127)
        aborted.play(round: 0, metric: 500_000)
        #expect(aborted.chain.send(TestChain.owner, 8) == .refused("payment refused: it came without money"))
        #expect(aborted.chain.send(TestChain.owner, 258) == .done)
        #expect(aborted.chain.send(aborted.edges[0].account, 8) == .refused("settlement refused: only the owner settles"))
        #expect(aborted.chain.send(TestChain.owner, 8) == .done)
        #expect(aborted.chain.state.balances[TestChain.owner] == (UInt128(1) << 127) / 4 * 3)
        #expect(aborted.chain.send(TestChain.owner, 8) == .refused("settlement refused: nothing is due"))
        for worker in aborted.workers { #expect(aborted.chain.send(worker.account, 9) == .done) }
        #expect(aborted.chain.state.balances[aborted.edges[0].account] == (UInt128(1) << 127) / 4 / 3)
        #expect(try aborted.status().escrow == 2)
        #expect(aborted.chain.state.balances[TestChain.contract] == 2)
    }

    @Test("a specification that could not run is refused")
    func badSpecifications() throws {
        let changes: [(String, (inout Spec) -> Void)] = [
            ("version", { $0.version = 2 }), ("title", { $0.title = String(repeating: "x", count: 65) }),
            ("protocol", { $0.proto = 2 }), ("model", { $0.model = 1 }), ("edges", { $0.edges = 0 }),
            ("edges", { ($0.edges, $0.quorum) = (64, 1) }), ("clouds", { $0.clouds = 2 }), ("quorum", { $0.quorum = 0 }),
            ("quorum", { $0.quorum = 3 }), ("rounds", { $0.rounds = 0 }), ("rounds", { $0.rounds = .max }),
            ("steps", { $0.steps = 0 }), ("open", { $0.openTimeout = 0 }), ("open", { $0.openTimeout = .max }),
            ("commit", { $0.commitMin = 0 }), ("commit", { $0.commitMin = $0.commitMax + 1 }),
            ("reveal", { $0.revealTimeout = 0 }), ("validate", { $0.validateTimeout = .max }),
            ("audit", { $0.inputAudit = 3 }), ("validator", { $0.validator = AccountBytes(repeating: 0, count: 32) }),
        ]
        for (name, change) in changes {
            var spec = Spec()
            change(&spec)
            let chain = try TestChain("job")
            guard case .refused = chain.register(spec.borsh) else {
                Issue.record("a bad \(name) was accepted")
                continue
            }
            #expect(chain.state == TestChain.State())
        }
        let chain = try TestChain("job")
        var invalidText = Spec().borsh
        invalidText[5] = 0xFF
        #expect(chain.register(invalidText) == .refused("malformed job specification: a string is not UTF-8"))
        #expect(chain.register(Spec().borsh + [0]) == .refused("malformed job specification: 1 bytes too many"))
        #expect(chain.register([]) == .refused("malformed job specification: too short"))
        // Before a job is there, nothing works and nothing traps.
        for call in [chain.query([0]).outcome, chain.send(Worker.cloud.account, 5, Worker.cloud.application)] {
            #expect(call == .refused("the job is not initialised"))
        }
        var greeting = Spec()
        greeting.title = "Ziffern: größer, 数字, 🔢"
        #expect(chain.register(greeting.borsh) == .done)
    }
}
