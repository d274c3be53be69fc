import Cryptography
import Encoding
import JobProtocol
import Primitives
import Testing

/// Somebody with a key.
struct Person: Hashable {
    let name: String
    let key: PrivateKey
    var account: Account { Account(key.publicKey) }
    var kem: KEMPublicKey { KEMPublicKey(Digest(sha256: Array("kem \(name)".utf8)).bytes) ?? .zero }

    init(_ name: String) {
        self.name = name
        // A digest is a seed of the right length.
        guard let key = PrivateKey(seed: Digest(sha256: Array("person \(name)".utf8)).bytes) else { fatalError() }
        self.key = key
    }

    static func == (a: Person, b: Person) -> Bool { a.name == b.name }
    func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

func digest(_ text: String) -> Digest { Digest(sha256: Array(text.utf8)) }

/// A job on a ``TestChain``, and the usual steps of its participants.
final class JobStage {
    let chain: TestChain
    let spec: JobSpec
    let clouds: [Person]
    let workers: [Person]
    /// What each has committed to, by account and round.
    private var reveals: [String: JobReveal] = [:]

    static let owner = Person("owner")
    static let judge = Person("judge")
    static let judges = (0..<5).map { Person("judge \($0)") }

    static func spec(_ change: (inout JobSpec) -> Void = { _ in }) -> JobSpec {
        var spec = JobSpec(
            title: "digits", workers: 2, quorum: 1, rounds: 3, stepsPerRound: 10, openTimeoutMs: 60_000,
            confirmTimeoutMs: 20_000, commitMinMs: 10_000, commitMaxMs: 30_000, revealTimeoutMs: 12_000,
            validateTimeoutMs: 15_000, challengeTimeoutMs: 11_000, pauseLimitMs: 100_000, epsilonMicro: 5_000,
            cloudPrice: 50, workerPrice: 30, validatorPrice: 20, plan: [1, 2, 3])
        change(&spec)
        return spec
    }

    init(_ spec: JobSpec = JobStage.spec(), deposit: UInt128 = 0, escrow: UInt128? = nil) throws {
        self.spec = spec
        chain = try TestChain("job", owner: Self.owner.account, validator: Self.judge.account)
        clouds = (0..<Int(spec.clouds)).map { Person("cloud \($0)") }
        workers = (0..<Int(spec.workers)).map { Person("worker \($0)") }
        chain.drawable = Self.judges.map(\.account)
        let outcome = chain.register(spec.borsh, value: deposit)
        guard outcome == .done else { throw Refused(outcome: outcome) }
        let money = escrow ?? spec.roundPrice * UInt128(spec.rounds)
        if money > 0 { #expect(chain.send(Self.owner.account, 8, value: money) == .done) }
    }

    struct Refused: Error { let outcome: TestChain.Outcome }
    struct NothingCommitted: Error {}

    /// A job whose roster is complete: round 0 has begun.
    static func started(
        _ spec: JobSpec = JobStage.spec(), deposit: UInt128 = 0, escrow: UInt128? = nil
    ) throws -> JobStage {
        let job = try JobStage(spec, deposit: deposit, escrow: escrow)
        for person in job.clouds + job.workers { try job.join(person) }
        #expect(try job.status().phase == .commit)
        return job
    }

    func role(_ person: Person) -> Role { clouds.contains(person) ? .cloud : spec.workerRole }

    // MARK: Reading

    private func ask<Reply: BorshDecodable>(_ input: [UInt8]) throws -> Reply {
        let (outcome, reply) = chain.query(input)
        #expect(outcome == .done)
        return try Reply(borsh: reply)
    }

    func status() throws -> JobStatus { try ask(JobQuery.status.input) }
    func members() throws -> [JobParticipant] { (try ask(JobQuery.participants.input) as JobParticipants).all }
    func history() throws -> [JobRound] { (try ask(JobQuery.history.input) as JobHistory).rounds }
    func partners() throws -> JobPartners { try ask(JobQuery.partners.input) }
    func complaints() throws -> [JobOpenComplaint] { (try ask(JobQuery.complaints.input) as JobComplaints).all }
    func owed(_ person: Person) throws -> UInt128 { try ask(JobQuery.owed.input(person.account)) }

    func member(_ person: Person) throws -> JobParticipant {
        try #require(try members().last { $0.account == person.account })
    }

    /// Findings since the last call, as "name: finding".
    func takeVerdicts() -> Set<String> {
        defer { chain.state.verdicts = [] }
        let names = Dictionary(
            uniqueKeysWithValues: (clouds + workers + Self.judges + [Self.judge, Self.owner]).map { ($0.account, $0.name) })
        return Set(
            chain.state.verdicts.map { verdict in
                let kinds = ["accepted", "audited", "late", "absent", "outlier", "not revealed"]
                return "\(names[verdict.account] ?? "?"): \(kinds[Int(verdict.kind)]) \(verdict.post)"
            })
    }

    /// The books of the contract agree with what it holds.
    func checkBooks(deposit: UInt128 = 0) throws {
        let status = try status()
        let held = chain.state.balances[TestChain.contractAccount, default: 0]
        #expect(held >= status.escrow + status.owed + status.bonds + deposit)
    }

    // MARK: Acting

    func send(
        _ person: Person, _ action: UInt32, _ data: [UInt8] = [], post: String = "", value: UInt128 = 0
    ) -> TestChain.Outcome {
        chain.send(person.account, action, data, post: post, value: value)
    }

    func apply(_ person: Person, as role: Role? = nil, value: UInt128? = nil) -> TestChain.Outcome {
        let role = role ?? self.role(person)
        return send(
            person, 5, JobApplication(role: role, samples: 600).borsh, value: value ?? (role == .device ? 0 : spec.bond))
    }

    func identify(_ person: Person) -> TestChain.Outcome {
        send(person, 2, JobIdentity(kemPublicKey: person.kem, endpoint: "127.0.0.1:27000").borsh)
    }

    func join(_ person: Person, as role: Role? = nil) throws {
        #expect(apply(person, as: role) == .done)
        #expect(identify(person) == .done)
        #expect(send(person, 4) == .done)
    }

    /// The work of a participant that does what it should; `change` lies.
    func work(
        _ person: Person, _ round: UInt32, naming named: [Person]? = nil, change: (inout JobReveal) -> Void = { _ in }
    ) throws -> JobReveal {
        var reveal: JobReveal
        if role(person) == .cloud {
            let members = try members()
            let heard = try (named ?? workers).compactMap { worker -> JobPartner? in
                guard let member = members.last(where: { $0.account == worker.account }), member.standing == .active else {
                    return nil
                }
                return JobPartner(
                    index: member.index, envelopes: 3, root: try self.work(worker, round).stepsRoot, use: .used)
            }
            reveal = JobReveal(
                stepsRoot: digest("steps \(person.name) \(round)"), artifact: digest("back \(round)"),
                partners: heard.sorted { $0.index < $1.index }, lossMicro: 1, location: "here",
                salt: digest("salt \(person.name)"))
        } else {
            reveal = JobReveal(
                stepsRoot: digest("steps \(person.name) \(round)"),
                artifact: digest(spec.trainingProtocol == .fog ? "difference \(person.name)" : "front \(round)"),
                lossMicro: 1, location: "here", salt: digest("salt \(person.name)"))
        }
        change(&reveal)
        return reveal
    }

    func commit(_ person: Person, _ round: UInt32, _ reveal: JobReveal? = nil) throws -> TestChain.Outcome {
        let reveal = try reveal ?? work(person, round)
        let job = try #require(Account(TestChain.contract))
        let outcome = send(
            person, 6, reveal.commitment(job: job, round: round, sender: person.account).borsh, post: "r\(round)/c")
        if outcome == .done { reveals["\(person.name) \(round)"] = reveal }
        return outcome
    }

    func reveal(_ person: Person, _ round: UInt32) throws -> TestChain.Outcome {
        guard let reveal = reveals["\(person.name) \(round)"] else { throw NothingCommitted() }
        return send(person, 6, reveal.borsh, post: "r\(round)/r")
    }

    func checkpoint(_ round: UInt32) -> Digest {
        let back = digest("back \(round)")
        return spec.trainingProtocol == .fog ? back : jobCheckpoint(front: digest("front \(round)"), back: back)
    }

    func score(_ metric: UInt64, _ round: UInt32, change: (inout JobScore) -> Void = { _ in }) -> JobValidation {
        var score = JobScore(metric: metric, checkpoint: checkpoint(round))
        change(&score)
        return JobValidation(
            metricMicro: score.metric, lossMicro: score.loss, checkpoint: score.checkpoint,
            outliers: JobSlots(bits: score.outliers), audited: JobSlots(bits: score.audited),
            unfounded: JobSlots(bits: score.unfounded), salt: score.salt)
    }

    struct JobScore {
        var metric: UInt64
        var loss: UInt64 = 400_000
        var checkpoint: Digest
        var outliers: UInt64 = 0
        var audited: UInt64 = 0
        var unfounded: UInt64 = 0
        var salt = Digest.zero
    }

    func validate(
        _ metric: UInt64, _ round: UInt32, by judge: Person = JobStage.judge, change: (inout JobScore) -> Void = { _ in }
    ) -> TestChain.Outcome {
        send(judge, 6, score(metric, round, change: change).borsh, post: "r\(round)/v")
    }

    func commit(_ people: [Person], _ round: UInt32) throws {
        for person in people { #expect(try commit(person, round) == .done, "\(person.name)") }
    }

    func reveal(_ people: [Person], _ round: UInt32) throws {
        for person in people { #expect(try reveal(person, round) == .done, "\(person.name)") }
    }

    var lead: Person {
        get throws {
            let account = try status().lead
            return try #require(clouds.first { $0.account == account })
        }
    }

    /// A whole round by the lead and all workers; 100 ms pass before the first commit.
    func play(_ round: UInt32, metric: UInt64) throws {
        chain.pass(100)
        let crew = [try lead] + workers
        try commit(crew, round)
        try reveal(crew, round)
        #expect(validate(metric, round) == .done)
    }

    /// Time until the phase's deadline, and a moment.
    func passDeadline() throws {
        let deadline = try status().deadlineOrZero.value
        chain.pass(deadline > chain.time ? deadline - chain.time : 0)
    }
}

func little<Integer: FixedWidthInteger>(_ value: Integer) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}
