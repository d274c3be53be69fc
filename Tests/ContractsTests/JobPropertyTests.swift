import Testing

@Suite("A job under random use")
struct JobPropertyTests {
    /// Well-formed and malformed data for every action, from everybody, in any phase.
    private struct Chaos {
        let job: JobDriver
        var random: SplitMix64
        let crowd: [Worker]

        init(_ job: JobDriver, seed: UInt64) {
            self.job = job
            random = SplitMix64(seed: seed)
            crowd = job.workers + [Worker(0x55), Worker(0x0E)]
        }

        mutating func data(for action: UInt32, _ worker: Worker, _ round: UInt32) -> (data: [UInt8], post: String) {
            switch action {
            case 2: return (worker.identity, "")
            case 5: return (worker.application, "")
            case 6:
                let work = worker.work(round)
                switch Int.random(in: 0..<8, using: &random) {
                case 0...2: return (work.commitment(round, worker.account), "r\(round)/c")
                case 3...5: return (work.reveal, "r\(round)/r")
                case 6: return (validation(metric: UInt64.random(in: 0...1_000_000, using: &random), checkpoint: 1), "r\(round)/v")
                default:
                    let peer = crowd.randomElement(using: &random) ?? worker
                    return (worker.account + peer.account + little(UInt32(1)) + random.bytes(32), "r\(round)/f")
                }
            default: return ([], "")
            }
        }

        mutating func mutate(_ data: [UInt8]) -> [UInt8] {
            var data = data
            switch Int.random(in: 0..<4, using: &random) {
            case 0: data = random.bytes(Int.random(in: 0...300, using: &random))
            case 1: data = Array(data.prefix(Int.random(in: 0...data.count, using: &random)))
            case 2: data += random.bytes(Int.random(in: 1...4, using: &random))
            default: if let index = data.indices.randomElement(using: &random) { data[index] ^= UInt8.random(in: 1...255, using: &random) }
            }
            return data
        }

        /// What the phase waits for, by somebody who has not done it yet.
        mutating func help() throws {
            let status = try job.status()
            let members = try job.members()
            let workers = job.workers.shuffled(using: &random)
            switch status.phase {
            case .commit:
                guard let worker = workers.first(where: { w in members.contains { $0.account == w.account && !$0.committed } })
                else { return }
                if job.commit(worker, round: status.round) != .done { _ = job.chain.send(worker.account, 4) }
            case .reveal:
                guard let worker = workers.first(where: { w in members.contains { $0.account == w.account && $0.committed && !$0.revealed } })
                else { return }
                _ = job.reveal(worker, round: status.round)
            case .validate:
                _ = job.validate(status.metric + UInt64.random(in: 0...20_000, using: &random) - min(status.metric, 10_000), round: status.round)
            case .paused: _ = job.chain.send(TestChain.owner, 257)
            default: break
            }
        }

        /// One action. A refused one changes nothing; nothing traps.
        mutating func act(malformed: Bool) throws {
            let worker = crowd.randomElement(using: &random) ?? .cloud
            let action = [2, 4, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 9, 256, 257, 258, 300][Int.random(in: 0..<17, using: &random)]
            // Leaving and aborting end the game, so they are rare.
            if action == 7 || action >= 256, Int.random(in: 0..<(action == 258 ? 30 : 8), using: &random) > 0 { return }
            let current = try job.status().round
            var (data, post) = data(for: UInt32(action), worker, Bool.random(using: &random) ? current : UInt32.random(in: 0...current + 1, using: &random))
            if malformed {
                data = mutate(data)
                if Int.random(in: 0..<4, using: &random) == 0 { post = String(decoding: random.bytes(8).map { $0 & 0x7F }, as: UTF8.self) }
            }
            let before = job.chain.state
            let value: UInt128 = action == 8 ? UInt128(random.next() & 0xFF) : 0
            let caller = action >= 256 ? TestChain.owner : worker.account
            switch job.chain.act(caller, UInt32(action), data, post: post, value: value) {
            case .done: break
            case .refused(let message):
                #expect(!message.isEmpty && job.chain.state == before)
            case .trapped(let reason): Issue.record("action \(action) trapped: \(reason)")
            }
        }
    }

    /// Whatever anybody does, the job reaches a next state by time alone.
    @Test("rounds cannot hang", arguments: UInt64(1)...24)
    func cannotHang(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var spec = Spec()
        spec.quorum = UInt16.random(in: 1...2, using: &random)
        spec.rounds = UInt32.random(in: 1...8, using: &random)
        let job = try JobDriver(spec, deposit: 500, escrow: 1_000)
        if seed % 4 != 0 { for worker in job.workers { try job.join(worker) } }
        var chaos = Chaos(job, seed: seed &* 31)
        // From wholly random to mostly as intended.
        let goodwill = Int(seed % 5)
        for _ in 0..<160 {
            let dice = Int.random(in: 0..<12, using: &random)
            if dice == 0 {
                job.chain.pass(UInt64.random(in: 0...40_000, using: &random))
            } else if dice <= 2 * goodwill {
                try chaos.help()
            } else {
                try chaos.act(malformed: Int.random(in: 0..<4, using: &random) == 0)
                if Bool.random(using: &random) { job.chain.endBlock() }
            }
            #expect(job.chain.scheduledFailures.isEmpty, "seed \(seed)")
            let status = try job.status()
            // The deposit stays until the owner takes it back.
            let held = job.chain.state.balances[TestChain.contract, default: 0]
            #expect(held == status.escrow + (job.chain.state.balances[TestChain.owner] == nil ? 500 : 0), "seed \(seed)")
        }
        job.chain.endBlock()

        // Only time from here on: every waiting phase gives way to another, or is extended once.
        var waits = 0
        while true {
            let status = try job.status()
            if status.phase.rests {
                guard status.phase == .paused, waits < 400 else { break }
                #expect(job.chain.send(TestChain.owner, 257) == .done, "seed \(seed)")
            } else {
                #expect(status.deadline > job.chain.time, "seed \(seed)")
                job.chain.pass(status.deadline - job.chain.time)
            }
            let next = try job.status()
            guard (next.phase, next.round, next.deadline) != (status.phase, status.round, status.deadline) else {
                Issue.record("seed \(seed): hangs in \(status.phase) of round \(status.round)")
                return
            }
            waits += 1
            guard waits < 500 else { break }
        }
        let status = try job.status()
        // A roster that was never complete pauses again and again; all else comes to an end.
        #expect(status.phase.rests || status.round == 0, "seed \(seed): \(status.phase)")
        #expect(job.chain.scheduledFailures.isEmpty && job.chain.largestQueue < 64, "seed \(seed)")
    }

    @Test("malformed data is refused with a reason and changes nothing", arguments: UInt64(100)...107)
    func malformed(seed: UInt64) throws {
        let job = try JobDriver.started()
        var chaos = Chaos(job, seed: seed)
        for step in 0..<3 {
            for _ in 0..<80 { try chaos.act(malformed: true) }
            if step == 0, try job.status().phase == .commit {
                for worker in job.workers { _ = job.commit(worker, round: 0) }
            }
            for _ in 0..<20 {
                var random = SplitMix64(seed: seed &+ UInt64(step))
                let outcome = job.chain.query(random.bytes(Int.random(in: 0...3, using: &random))).outcome
                if case .trapped(let reason) = outcome { Issue.record("seed \(seed): a query trapped: \(reason)") }
            }
        }
        // Every truncation of every well-formed value.
        let edge = job.edges[0]
        for (action, data, post) in [
            (UInt32(5), edge.application, ""), (2, edge.identity, ""), (6, edge.work(0).reveal, "r0/r"),
            (6, edge.work(0).commitment(0, edge.account), "r0/c"), (6, validation(metric: 1, checkpoint: 1), "r0/v"),
        ] {
            for length in 0..<data.count {
                let outcome = job.chain.act(edge.account, action, Array(data.prefix(length)), post: post)
                guard case .refused(let message) = outcome, message.hasPrefix("malformed") else {
                    Issue.record("action \(action) with \(length) bytes: \(outcome)")
                    continue
                }
            }
        }
    }
}
