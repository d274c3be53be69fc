import Cryptography
import Encoding
import Foundation
import JobProtocol
import Ledger
import Primitives
import Testing

/// The job contract on the real ledger: what it finds weighs by the word of parties outside the owner's control.
@Suite(.timeLimit(.minutes(20))) struct JobContractTests {
    private let alice: User, cloud: User
    /// As many as a job can have; most tests have two of them.
    private let most: [User]
    private var edges: [User]
    private let friend: User
    private let validators: [Validator]
    private var chain: TestChain
    private static let job = "job"

    init() throws {
        alice = try User("alice")
        cloud = try User("cloud")
        most = try (0..<Int(JobSpec.mostWorkers)).map { try User("edge \($0)") }
        edges = Array(most.prefix(2))
        friend = try User("friend")
        validators = try (0..<4).map { try Validator("m\($0)") }
        let operators = try (0..<4).map { try User("operator \($0)") }
        chain = try TestChain(
            [alice, cloud, friend] + most + operators, masternodes: zip(validators, operators).map { ($0, owner: $1) })
    }

    private func spec(_ committee: JobCommittee) -> JobSpec {
        JobSpec(
            title: "on the ledger", workers: UInt16(edges.count), quorum: 1, rounds: 2, stepsPerRound: 1, openTimeoutMs: 600_000,
            commitMinMs: 600_000, commitMaxMs: 600_000, revealTimeoutMs: 600_000, validateTimeoutMs: 600_000,
            epsilonMicro: 0, committee: committee, cloudPrice: 50, workerPrice: 30, validatorPrice: 20, plan: [])
    }

    private mutating func register(_ committee: JobCommittee, validator: Account?) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let code = Array(try Data(contentsOf: root.appending(path: "Contracts/.build/job.wasm")))
        #expect(try chain.send(alice, .uploadContract, data: code, gas: 20_000_000).outcome == .succeeded)
        let data = RegisterService(
            service: try #require(ServiceId(Self.job)), codeHash: Digest(sha256: code), kind: "job",
            validator: validator, initData: spec(committee).borsh)
        let receipt = try chain.send(alice, .registerService, data: data.borsh, value: 100_000_000_000, gas: 20_000_000)
        #expect(receipt.outcome == .succeeded)
        try send(alice, .paymentRequester, value: 10_000)
        #expect(try chain.send(alice, .lockMoney, value: 100_000_000).outcome == .succeeded)
        for (index, user) in ([cloud] + edges).enumerated() {
            try send(user, .applicationTask, JobApplication(role: index == 0 ? .cloud : .edge, samples: 1).borsh)
            let kem = try #require(KEMPublicKey([UInt8](repeating: UInt8(index + 1), count: 32)))
            try send(user, .postSecondLayerId, JobIdentity(kemPublicKey: kem, endpoint: "h:1").borsh)
            try send(user, .reservingConfirmation)
        }
        #expect(try status().phase == .commit)
    }

    private mutating func send(
        _ user: User, _ action: ActionId, _ data: [UInt8] = [], post: PostId = .none, value: UInt128 = 0
    ) throws {
        let outcome = try chain.send(
            user, service: Self.job, action, data: data, value: value, post: post.description
        ).outcome
        #expect(outcome == .succeeded, "\(action) \(post): \(outcome)")
    }

    private func status() throws -> JobStatus {
        let service = try #require(ServiceId(Self.job))
        let result = try #require(try chain.ledger.query(service, input: JobQuery.status.input, state: chain.state))
        guard case .returned(let bytes) = result.outcome else { throw BlockIsInvalid() }
        return try JobStatus(borsh: bytes)
    }

    private func digest(_ text: String) -> Digest { Digest(sha256: Array(text.utf8)) }

    /// Commits and reveals of a round in which everybody does what it should.
    private mutating func work(_ round: UInt32) throws {
        let service = try #require(ServiceId(Self.job))
        let contract = try #require(try chain.ledger.service(service, state: chain.state)).contract
        let reveals = ([cloud] + edges).enumerated().map { index, user in
            let partners = edges.indices.map {
                JobPartner(index: UInt16($0), envelopes: 1, root: digest("steps \($0 + 1)"), use: .used)
            }
            return (
                user,
                JobReveal(
                    stepsRoot: digest("steps \(index)"), artifact: digest(index == 0 ? "back" : "front"),
                    partners: index == 0 ? partners : [], lossMicro: 1, location: "", salt: digest("salt \(index)"))
            )
        }
        for (user, reveal) in reveals {
            let commitment = reveal.commitment(job: contract, round: round, sender: user.account)
            try send(user, .commitmentTask, commitment.borsh, post: .commit(round: round))
        }
        #expect(try status().phase == .reveal)
        for (user, reveal) in reveals { try send(user, .commitmentTask, reveal.borsh, post: .reveal(round: round)) }
        #expect(try status().phase == .validate)
    }

    private func score(salt: Digest = .zero) -> JobValidation {
        JobValidation(
            metricMicro: 600_000, lossMicro: 1,
            checkpoint: jobCheckpoint(front: digest("front"), back: digest("back")), salt: salt)
    }

    private func positive(_ user: User, _ role: Role) throws -> UInt64 {
        try chain.state.values[.reputation(user.account, role)].map { try ReputationRecord(borsh: $0).positive } ?? 0
    }

    @Test mutating func aMasternodesWordMakesReputation() throws {
        let judge = validators[0].user
        try register(.validator(), validator: judge.account)
        try work(0)
        try send(judge, .commitmentTask, score().borsh, post: .validation(round: 0))
        #expect(try status().acceptedRounds == 1)
        for edge in edges { #expect(try positive(edge, .edge) == 1 << 20) }
        #expect(try positive(cloud, .cloud) == 1 << 20)
        // What was earned is taken while the job runs.
        let before = try chain.balance(edges[0].account)
        try send(edges[0], .paymentWorkerSignature)
        #expect(try chain.balance(edges[0].account) == before + 30)
        #expect(try chain.isConserved() && chain.historiesAreComplete())
    }

    /// What a scheduled call may use is enough for the dearest that a job does: to judge and pay as many workers as it can
    /// have. There is room for a committee that is drawn of 64 masternodes, too, each of which is looked up.
    @Test mutating func aRoundOfTheMostWorkersClosesInOneCall() throws {
        edges = most
        let judge = validators[0].user
        try register(.validator(), validator: judge.account)
        try work(0)
        let validation = try chain.transaction(
            judge, service: Self.job, .commitmentTask, data: score().borsh, post: PostId.validation(round: 0).description)
        let receipts = try chain.run([validation]).receipts
        #expect(receipts.allSatisfy { $0.outcome == .succeeded }, "\(receipts.map(\.outcome))")
        #expect(try status().acceptedRounds == 1)
        for edge in edges { #expect(try positive(edge, .edge) == 1 << 20) }
        let closing = receipts.dropFirst().map(\.gasUsed).max() ?? 0
        print("gas of closing a round of \(edges.count) workers on the ledger: \(closing)")
        let parameters = chain.ledger.genesis.parameters
        #expect(closing > 0 && closing + 64 * parameters.gasPerStorageAccess <= parameters.scheduledGasPerCall, "\(closing)")
    }

    @Test mutating func aFriendsWordMakesNone() throws {
        try register(.validator(), validator: friend.account)
        try work(0)
        try send(friend, .commitmentTask, score().borsh, post: .validation(round: 0))
        // The round is accepted and paid, and leaves nothing in anybody's history.
        #expect(try status().acceptedRounds == 1 && status().owed == 130)
        for user in edges + [cloud] {
            #expect(try positive(user, .edge) == 0 && positive(user, .cloud) == 0)
            for entry in chain.history[user.account] ?? [] {
                if case .finding = entry.content { Issue.record("a finding that nobody stands behind") }
            }
        }
    }

    @Test mutating func aDrawnCommitteeScoresByCommitAndReveal() throws {
        try register(.masternodes(3), validator: nil)
        try work(0)
        let service = try #require(ServiceId(Self.job))
        let contract = try #require(try chain.ledger.service(service, state: chain.state)).contract
        let seats = try status().committee.map(\.account)
        let members = try seats.map { seat in try #require(validators.first { $0.user.account == seat }).user }
        #expect(members.count == 3)
        for (index, member) in members.enumerated() {
            let bid = score(salt: digest("salt \(index)")).commitment(job: contract, round: 0, sender: member.account)
            try send(member, .commitmentTask, bid.borsh, post: .scoreCommit(round: 0))
        }
        #expect(try status().phase == .score)
        for (index, member) in members.enumerated() {
            try send(member, .commitmentTask, score(salt: digest("salt \(index)")).borsh, post: .validation(round: 0))
        }
        #expect(try status().acceptedRounds == 1)
        for edge in edges { #expect(try positive(edge, .edge) == 1 << 20) }
        for member in members { try send(member, .paymentWorkerSignature) }
        #expect(try chain.isConserved())
    }
}
