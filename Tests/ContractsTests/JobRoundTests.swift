import Testing

@Suite("A job's rounds")
struct JobRoundTests {
    @Test("three rounds by one cloud and two edges")
    func happyPath() throws {
        let job = try JobDriver()
        #expect(try job.status().phase == .open)
        #expect(try job.status().spec == job.spec.borsh)
        for worker in job.workers { try job.join(worker) }
        #expect(job.takePhases() == ["0 open", "0 commit"])
        #expect(try job.members().map(\.index) == [0, 0, 1])
        #expect(try job.members().map(\.standing) == [2, 2, 2])
        #expect(try job.member(.edges[1]).endpoint == "127.0.0.1:27225")

        for (round, metric) in zip(UInt32(0)..., [UInt64(700_000), 800_000, 900_000]) {
            job.play(round: round, metric: metric)
            #expect(job.takeVerdicts() == job.workers.map { JobDriver.verdict($0, 0) })
            let tail = round == 2 ? "2 finished" : "\(round + 1) commit"
            #expect(job.takePhases() == ["reveal", "validate", "challenge", "final"].map { "\(round) \($0)" } + [tail])
        }

        let status = try job.status()
        #expect(status.phase == .finished)
        #expect((status.round, status.accepted, status.rejected) == (2, 3, 0))
        #expect((status.metric, status.best) == (900_000, 900_000))
        #expect(status.checkpoint == [UInt8](repeating: 3, count: 32))
        #expect((status.deadline, status.reason) == (0, ""))
        let members = try job.members()
        #expect(members.map(\.accepted) == [3, 3, 3])
        #expect(members.map(\.lastRoot) == job.workers.map { $0.work(2).root })
        #expect(members.map(\.lastArtifact) == job.workers.map { $0.work(2).artifact })
        let history = try job.history()
        #expect(history.map(\.round) == [0, 1, 2])
        #expect(history.map(\.metric) == [700_000, 800_000, 900_000])
        #expect(history.allSatisfy { $0.outcome == 0 && $0.participants == 3 })
        #expect(job.chain.scheduledFailures.isEmpty)
        // Events say what the history says.
        #expect(job.chain.state.events.filter { $0.topic == "round" }.count == 3)

        for action: UInt32 in [2, 4, 5, 7, 256, 257, 258] {
            guard case .refused(let message) = job.chain.send(job.edges[0].account, action, action == 5 ? [1, 0, 0, 0, 0] : action == 2 ? job.edges[0].identity : [])
            else { return #expect(Bool(false), "action \(action) in a finished job") }
            #expect(message.contains("finished"))
        }
    }

    @Test("phases change only in scheduled calls")
    func noPhaseChangeByActions() throws {
        let job = try JobDriver.started()
        for worker in job.workers {
            #expect(job.chain.act(worker.account, 6, worker.work(0).commitment(0, worker.account), post: "r0/c") == .done)
        }
        #expect(try job.status().phase == .commit)
        job.chain.endBlock()
        #expect(try job.status().phase == .reveal)
    }

    @Test("an edge is missing: the deadline, the quorum, the misses, the suspension, the return")
    func missingEdge() throws {
        var spec = Spec()
        spec.quorum = 1
        spec.rounds = 6
        let job = try JobDriver.started(spec)
        let present = Array(job.workers.dropLast())
        let late = job.edges[1]

        // One edge suffices, but only at the deadline.
        job.commit(present, round: 0)
        #expect(try job.status().phase == .commit)
        job.chain.pass(spec.commitMax)
        #expect(try job.status().phase == .reveal)
        job.reveal(present, round: 0)
        #expect(job.validate(500_000, round: 0) == .done)
        #expect(job.takeVerdicts() == present.map { JobDriver.verdict($0, 0) } + [JobDriver.verdict(late, 3)])
        #expect(try job.member(late).misses == 1)

        // A delivery in between clears the count.
        job.play(round: 1, metric: 600_000)
        #expect(try job.member(late).misses == 0)

        // Two misses in a row suspend.
        for round: UInt32 in 2...3 {
            job.commit(present, round: round)
            job.chain.pass(spec.commitMax)
            job.reveal(present, round: round)
            #expect(job.validate(600_000, round: round) == .done)
        }
        #expect(try job.member(late).standing == 3)
        #expect(
            job.commit(late, round: 4)
                == .refused("commit for round 4 refused: this worker is suspended; action 4 brings it back"))

        // Without it a round no longer waits; it comes back by one transaction.
        job.commit(present, round: 4)
        #expect(try job.status().phase == .reveal)
        #expect(job.chain.send(late.account, 4) == .done)
        #expect(try job.member(late).standing == 1)
        job.reveal(present, round: 4)
        #expect(job.validate(600_000, round: 4) == .done)
        #expect(try job.member(late).standing == 2)
        _ = job.takeVerdicts()
        job.play(round: 5, metric: 600_000)
        #expect(try job.status().phase == .finished)
        #expect(job.takeVerdicts().count == 3)
    }

    @Test("below the quorum a round is extended once, then starves; three in a row pause the job")
    func starving() throws {
        var spec = Spec()
        spec.rounds = 10
        let job = try JobDriver.started(spec)
        let present = Array(job.workers.dropLast())
        _ = job.takePhases()

        job.commit(present, round: 0)
        let first = try job.status().deadline
        job.chain.pass(spec.commitMax)
        #expect(try job.status().phase == .commit)
        #expect(try job.status().deadline == first + spec.commitMax)
        job.chain.pass(spec.commitMax)
        // Who delivered is credited as late but used, the model stays, the job goes on.
        #expect(job.takeVerdicts() == present.map { JobDriver.verdict($0, 2) } + [JobDriver.verdict(job.edges[1], 3)])
        #expect(job.takePhases() == ["0 starved", "1 commit"])
        #expect(try job.status().checkpoint == [UInt8](repeating: 0, count: 32))
        #expect(try job.history().map(\.outcome) == [2])
        #expect(try job.history().map(\.participants) == [2])

        job.commit(present, round: 1)
        job.chain.pass(2 * spec.commitMax)
        job.chain.pass(2 * spec.commitMax)
        #expect(job.takePhases() == ["1 starved", "2 commit", "2 starved", "2 paused"])
        #expect(try job.status().reason == "three rounds starved in a row: too few commitments in time")
        // It rests until the owner resumes it, then goes on with the next round.
        job.chain.pass(100_000_000)
        #expect(try job.status().phase == .paused)
        #expect(job.chain.send(TestChain.owner, 257) == .done)
        #expect(job.takePhases() == ["3 commit"])
        for worker in job.workers where try job.member(worker).standing == 3 {
            #expect(job.chain.send(worker.account, 4) == .done)
        }
        job.play(round: 3, metric: 400_000)
        #expect(try job.status().round == 4)
        #expect(job.chain.scheduledFailures.isEmpty)
    }

    @Test("an extended round closes by those who come late")
    func extensionHelps() throws {
        let job = try JobDriver.started()
        job.commit(Array(job.workers.dropLast()), round: 0)
        job.chain.pass(job.spec.commitMax + 5_000)
        job.commit([job.edges[1]], round: 0)
        #expect(try job.status().phase == .reveal)
    }

    @Test("a commit without reveal is a fault; a reveal that does not open its commit is refused")
    func reveals() throws {
        var spec = Spec()
        spec.quorum = 1
        let job = try JobDriver.started(spec)
        let silent = job.edges[1]
        job.commit(job.workers, round: 0)

        var wrong = silent.work(0)
        wrong.salt[0] ^= 1
        let refusal = TestChain.Outcome.refused("reveal for round 0 refused: it does not open the commitment")
        #expect(job.chain.send(silent.account, 6, wrong.reveal, post: "r0/r") == refusal)
        // Nor does another's opening, nor that of another round.
        #expect(job.chain.send(silent.account, 6, job.edges[0].work(0).reveal, post: "r0/r") == refusal)
        #expect(job.chain.send(silent.account, 6, silent.work(1).reveal, post: "r0/r") == refusal)

        job.reveal(Array(job.workers.dropLast()), round: 0)
        #expect(try job.status().phase == .reveal)
        job.chain.pass(spec.revealTimeout)
        #expect(job.validate(500_000, round: 0) == .done)
        #expect(
            job.takeVerdicts() == [
                JobDriver.verdict(.cloud, 0), JobDriver.verdict(job.edges[0], 0), JobDriver.verdict(silent, 5),
            ])
        #expect(try job.member(silent).accepted == 0)

        // Without a quorum of reveals the round starves.
        job.commit(job.workers, round: 1)
        job.reveal([job.edges[0]], round: 1)
        job.chain.pass(spec.revealTimeout)
        #expect(try job.status().reason == "starved: too few reveals in time")
        #expect(
            job.takeVerdicts() == [
                JobDriver.verdict(.cloud, 5), JobDriver.verdict(job.edges[0], 2), JobDriver.verdict(silent, 5),
            ])
    }

    @Test("a metric worse by more than epsilon rolls the model back")
    func rollback() throws {
        var spec = Spec()
        spec.rounds = 4
        let job = try JobDriver.started(spec)
        job.play(round: 0, metric: 800_000)
        _ = job.takeVerdicts()
        job.play(round: 1, metric: 794_999)
        #expect(job.takeVerdicts().isEmpty)
        var status = try job.status()
        #expect((status.accepted, status.rejected, status.metric) == (1, 1, 800_000))
        #expect(status.checkpoint == [UInt8](repeating: 1, count: 32))

        // Within epsilon of the accepted one it stands, and becomes what the next is compared with.
        job.play(round: 2, metric: 795_000)
        job.play(round: 3, metric: 790_000)
        status = try job.status()
        #expect((status.accepted, status.rejected, status.metric, status.best) == (3, 1, 790_000, 800_000))
        #expect(try job.history().map(\.outcome) == [0, 1, 0, 0])
        #expect(try job.history()[1].checkpoint == [UInt8](repeating: 1, count: 32))
        #expect(try job.members().map(\.accepted) == [3, 3, 3])
    }

    @Test("a silent validator starves the round; nobody else may speak for it")
    func silentValidator() throws {
        let job = try JobDriver.started()
        job.commit(job.workers, round: 0)
        job.reveal(job.workers, round: 0)
        let data = validation(metric: 900_000, checkpoint: 1)
        for account in [job.edges[0].account, TestChain.owner] {
            #expect(
                job.chain.send(account, 6, data, post: "r0/v")
                    == .refused("validation for round 0 refused: only the job's validator validates"))
        }
        #expect(
            job.validate(1_000_001, round: 0) == .refused("validation for round 0 refused: the metric is above 1000000"))
        job.chain.pass(job.spec.validateTimeout)
        #expect(try job.status().reason == "starved: no validation in time")
        #expect(try job.status().round == 1)
        #expect(job.takeVerdicts() == job.workers.map { JobDriver.verdict($0, 2) })
    }

    @Test("complaints are recorded and give the round a challenge phase")
    func complaints() throws {
        let job = try JobDriver.started()
        let (cloud, edge) = (Worker.cloud.account, job.edges[0].account)
        func complaint(_ sender: AccountBytes, _ receiver: AccountBytes, step: UInt32 = 3) -> [UInt8] {
            sender + receiver + little(step) + [UInt8](repeating: 9, count: 32)
        }
        job.commit(job.workers, round: 0)
        let stranger = Worker.edges[7].account
        for (caller, data, reason) in [
            (edge, complaint(cloud, job.edges[1].account), "only sender or receiver complain"),
            (edge, complaint(edge, edge), "the other side is not in the roster"),
            (edge, complaint(stranger, edge), "the other side is not in the roster"),
            (edge, complaint(cloud, edge, step: 11), "a round has no step 11"),
        ] {
            #expect(job.chain.send(caller, 6, data, post: "r0/f") == .refused("complaint for round 0 refused: \(reason)"))
        }
        #expect(job.chain.send(edge, 6, complaint(cloud, edge), post: "r0/f") == .done)
        #expect(
            job.chain.send(edge, 6, complaint(cloud, edge), post: "r0/f")
                == .refused("complaint for round 0 refused: one complaint a round and worker is recorded"))
        #expect(job.chain.state.events.last == .init(topic: "complaint", data: complaint(cloud, edge)))

        job.reveal(job.workers, round: 0)
        #expect(job.validate(500_000, round: 0) == .done)
        #expect(try job.status().phase == .challenge)
        job.chain.pass(job.spec.revealTimeout)
        #expect(try job.status().phase == .commit)
        #expect(try job.status().accepted == 1)
    }

    @Test("the commit deadline adapts to the last 16 arrivals")
    func adaptiveDeadline() throws {
        var spec = Spec()
        spec.rounds = 40
        spec.commitMin = 120
        let job = try JobDriver.started(spec)
        var offsets: [UInt64] = []
        for round: UInt32 in 0..<30 {
            let status = try job.status()
            // 16 arrivals are known from the seventh round on, of 3 workers.
            let sorted = offsets.suffix(16).sorted()
            if sorted.count == 16 {
                let median = (sorted[7] + sorted[8]) / 2
                let deviations = sorted.map { $0 > median ? $0 - median : median - $0 }.sorted()
                let expected = min(max(median + 4 * (deviations[7] + deviations[8]) / 2, spec.commitMin), spec.commitMax)
                #expect(status.deadline - status.since == expected, "round \(round)")
            } else {
                #expect(status.deadline - status.since == spec.commitMax)
            }
            for (index, worker) in job.workers.enumerated() {
                // Far apart in one round, so that the deviations matter; the deadline may pass.
                job.chain.pass(UInt64(round % 5) * 7 + UInt64(index) * (round == 9 ? 50 : 11))
                #expect(job.commit(worker, round: round) == .done)
                offsets.append(job.chain.time - status.since)
            }
            job.reveal(job.workers, round: round)
            #expect(job.validate(500_000, round: round) == .done)
        }
    }

    @Test("many fast rounds leave the schedule queue short")
    func queueStaysShort() throws {
        var spec = Spec()
        spec.rounds = 300
        (spec.openTimeout, spec.commitMax, spec.revealTimeout, spec.validateTimeout) = (86_400_000, 3_600_000, 600_000, 60_000)
        let job = try JobDriver.started(spec)
        for round: UInt32 in 0..<300 { job.play(round: round, metric: 500_000) }
        #expect(try job.status().phase == .finished)
        #expect(job.chain.largestQueue < 16, "\(job.chain.largestQueue)")
        #expect(try job.history().map(\.round) == Array(236..<300))
        job.chain.pass(100_000_000)
        #expect(job.chain.state.queue.isEmpty)
        #expect(job.chain.scheduledFailures.isEmpty)
    }

    @Test("a scheduled call that the chain lost is made up for by the next action")
    func lostCall() throws {
        let job = try JobDriver.started()
        job.commit(Array(job.workers.dropLast()), round: 0)
        let deadline = try job.status().deadline
        job.chain.state.queue.removeAll { $0.time <= deadline }
        job.chain.pass(job.spec.commitMax + 10_000)
        #expect(try job.status().phase == .commit)
        #expect(job.chain.send(job.edges[0].account, 2, job.edges[0].identity) == .done)
        #expect(try job.status().deadline > job.chain.time)
        #expect(!job.chain.state.queue.isEmpty)
        job.commit([job.edges[1]], round: 0)
        #expect(try job.status().phase == .reveal)
    }
}
