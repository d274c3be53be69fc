import JobProtocol
import Primitives
import Testing

@Suite("A job under random use", .timeLimit(.minutes(20)))
struct JobPropertyTests {
    /// Well-formed and malformed data for every action, from everybody, in any phase.
    private struct Chaos {
        let job: JobStage
        var random: SplitMix64
        let crowd: [Person]

        init(_ job: JobStage, seed: UInt64) {
            self.job = job
            random = SplitMix64(seed: seed)
            crowd = job.clouds + job.workers + [Person("stranger"), JobStage.owner, JobStage.judge] + JobStage.judges.prefix(3)
        }

        mutating func data(for action: UInt32, _ person: Person, _ round: UInt32) throws -> (data: [UInt8], post: String) {
            switch action {
            case 2: return (JobIdentity(kemPublicKey: person.kem, endpoint: "h:1").borsh, "")
            case 5: return (JobApplication(role: job.role(person), samples: 1).borsh, "")
            case 7: return Bool.random(using: &random) ? ([], "") : (JobRelease(account: person.account).borsh, "")
            case 6:
                let contract = TestChain.contractAccount
                let reveal = try job.work(person, round)
                let score = job.score(UInt64.random(in: 0...1_000_000, using: &random), round)
                switch Int.random(in: 0..<9, using: &random) {
                case 0...2: return (reveal.commitment(job: contract, round: round, sender: person.account).borsh, "r\(round)/c")
                case 3...5: return (reveal.borsh, "r\(round)/r")
                case 6: return (score.commitment(job: contract, round: round, sender: person.account).borsh, "r\(round)/e")
                case 7: return (score.borsh, "r\(round)/v")
                default:
                    return (JobOpening(complainer: person.account, payload: .zero, salt: .zero).borsh, "r\(round)/o")
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
            default:
                if let index = data.indices.randomElement(using: &random) {
                    data[index] ^= UInt8.random(in: 1...255, using: &random)
                }
            }
            return data
        }

        /// What the phase waits for, by somebody who has not done it yet.
        mutating func help() throws {
            let status = try job.status()
            let crew = (job.clouds + job.workers).shuffled(using: &random)
            switch status.phase {
            case .commit: for person in crew.prefix(2) { _ = try job.commit(person, status.round) }
            case .reveal:
                for person in crew.prefix(2) {
                    guard let member = try job.members().last(where: { $0.account == person.account }), member.committed,
                        !member.revealed
                    else { continue }
                    _ = try? job.reveal(person, member.base)
                }
            case .validate: _ = job.validate(UInt64.random(in: 0...1_000_000, using: &random), status.round)
            case .paused: _ = job.send(JobStage.owner, 257)
            default: break
            }
        }

        /// One action. A refused one changes nothing; nothing traps.
        mutating func act(malformed: Bool) throws {
            let person = crowd.randomElement(using: &random) ?? JobStage.owner
            let action = [2, 4, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 9, 256, 257, 258, 300].randomElement(using: &random) ?? 6
            // Leaving and aborting end the game, so they are rare.
            if action == 7 || action >= 256, Int.random(in: 0..<(action == 258 ? 30 : 8), using: &random) > 0 { return }
            let current = try job.status().round
            var (data, post) = try data(
                for: UInt32(action), person, Bool.random(using: &random) ? current : UInt32.random(in: 0...current + 1, using: &random))
            if malformed {
                data = mutate(data)
                if Int.random(in: 0..<4, using: &random) == 0 {
                    post = String(decoding: random.bytes(8).map { $0 & 0x7F }, as: UTF8.self)
                }
            }
            let before = job.chain.state
            let value: UInt128 = action == 8 ? UInt128(random.next() & 0xFF) : action == 5 ? job.spec.bond : 0
            let caller = action >= 256 ? JobStage.owner : person
            switch job.chain.act(caller.account, UInt32(action), data, post: post, value: value) {
            case .done: break
            case .refused(let message): #expect(!message.isEmpty && job.chain.state == before)
            case .trapped(let reason): Issue.record("action \(action) trapped: \(reason)")
            }
        }
    }

    /// Whatever anybody does, the job reaches an end by time alone, and its books add up.
    @Test("rounds cannot hang", arguments: UInt64(1)...16)
    func cannotHang(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let spec = JobStage.spec {
            $0.rounds = UInt32.random(in: 1...6, using: &random)
            $0.bond = seed % 2 == 0 ? 7 : 0
            $0.clouds = UInt16.random(in: 1...2, using: &random)
            if seed % 3 == 0 { $0.committee = .masternodes(3) }
        }
        let job = try JobStage(spec, deposit: 500)
        if seed % 4 != 0 { for person in job.clouds + job.workers { try job.join(person) } }
        var chaos = Chaos(job, seed: seed &* 31)
        // From wholly random to mostly as intended.
        let goodwill = Int(seed % 5)
        for _ in 0..<120 {
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
            try job.checkBooks()
        }
        job.chain.endBlock()

        // Only time from here on: every phase gives way to another, until the job is over.
        var waits = 0
        while true {
            let status = try job.status()
            if status.phase.isOver { break }
            guard let deadline = status.deadline, deadline.value > job.chain.time else {
                Issue.record("seed \(seed): nothing is waited for in \(status.phase)")
                return
            }
            job.chain.pass(deadline.value - job.chain.time)
            waits += 1
            guard waits < 200 else {
                Issue.record("seed \(seed): no end")
                return
            }
        }
        #expect(job.chain.largestQueue <= 16, "seed \(seed): \(job.chain.largestQueue) calls wait")
        // Everybody takes what is due; what is left is nobody's but what was burned.
        for person in chaos.crowd { _ = job.send(person, 9) }
        _ = job.send(JobStage.owner, 8)
        #expect(try job.status().escrow == 0, "seed \(seed)")
    }
}
