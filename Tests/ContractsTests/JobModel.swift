import Cryptography
import Encoding

/// The job's bytes as a client sees them, written from the interface and not from the contract.
struct Spec {
    var version: UInt8 = 1
    var title = "digits"
    var proto: UInt8 = 0
    var model: UInt8 = 0
    var edges: UInt16 = 2
    var clouds: UInt16 = 1
    var quorum: UInt16 = 2
    var rounds: UInt32 = 3
    var steps: UInt32 = 10
    var openTimeout: UInt64 = 60_000
    var commitMin: UInt64 = 2_000
    var commitMax: UInt64 = 30_000
    var revealTimeout: UInt64 = 10_000
    var validateTimeout: UInt64 = 20_000
    var epsilonMicro: UInt32 = 5_000
    var inputAudit: UInt8 = 0
    var validator = Worker.cloud.account

    var borsh: [UInt8] {
        var e = BorshEncoder()
        e.integer(version)
        e.string(title)
        e.integer(proto)
        e.integer(model)
        e.integer(edges)
        e.integer(clouds)
        e.integer(quorum)
        e.integer(rounds)
        e.integer(steps)
        e.integer(UInt32(32))
        e.integer(UInt32(50_000))
        for time in [openTimeout, commitMin, commitMax, revealTimeout, validateTimeout] { e.integer(time) }
        e.integer(epsilonMicro)
        e.fixed([UInt8](repeating: 7, count: 32))
        e.integer(inputAudit)
        e.fixed(validator)
        e.integer(UInt32(1_000))
        return e.bytes
    }
}

enum Phase: UInt8 {
    case registered, open, commit, reveal, validate, challenge, final, starved, paused, aborted, finished
    var rests: Bool { self == .paused || self == .aborted || self == .finished }
}

struct Worker: Hashable {
    let account: AccountBytes
    let isCloud: Bool

    init(_ byte: UInt8, isCloud: Bool = false) {
        account = AccountBytes(repeating: byte, count: 32)
        self.isCloud = isCloud
    }

    static let cloud = Worker(0xA0, isCloud: true)
    static let edges = (0..<8).map { Worker(0xE0 + $0) }
    var role: UInt8 { isCloud ? 0 : 1 }

    var application: [UInt8] { [role] + little(UInt32(600)) }
    var identity: [UInt8] {
        var e = BorshEncoder()
        e.fixed([UInt8](repeating: account[0] ^ 0xFF, count: 32))
        e.string("127.0.0.1:\(27_000 + Int(account[0]))")
        return e.bytes
    }

    /// What this worker has to show for a round; differs by round and worker.
    func work(_ round: UInt32) -> Work {
        func digest(_ what: String) -> [UInt8] { Digest(domain: what, parts: account, little(round)).bytes }
        return Work(root: digest("root"), artifact: digest("artifact"), salt: digest("salt"))
    }
}

struct Work {
    var root: [UInt8]
    var artifact: [UInt8]
    var salt: [UInt8]

    func commitment(_ round: UInt32, _ sender: AccountBytes) -> [UInt8] {
        Digest(domain: "edgeproof/commit/1", parts: TestChain.contract, little(round), sender, root, artifact, salt).bytes
    }

    var reveal: [UInt8] {
        var e = BorshEncoder()
        e.fixed(root + artifact + salt)
        e.integer(UInt64(2_300_000))
        e.string("http://127.0.0.1/artifact")
        return e.bytes
    }
}

func little<Integer: FixedWidthInteger>(_ value: Integer) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

func validation(metric: UInt64, checkpoint: UInt8) -> [UInt8] {
    little(metric) + little(UInt64(400_000)) + [UInt8](repeating: checkpoint, count: 32)
}

// MARK: Replies

struct Status: Equatable {
    let spec: [UInt8]
    let phase: Phase
    let round: UInt32
    let since: UInt64
    let deadline: UInt64
    let checkpoint: [UInt8]
    let metric: UInt64
    let loss: UInt64
    let best: UInt64
    let accepted: UInt32
    let rejected: UInt32
    let escrow: UInt128
    let reason: String

    init(_ bytes: [UInt8], specLength: Int) throws {
        var d = BorshDecoder(bytes)
        spec = try d.fixed(specLength)
        let tag = try d.integer(UInt8.self)
        guard let phase = Phase(rawValue: tag) else { throw d.failure(.unknownTag(tag)) }
        self.phase = phase
        round = try d.integer()
        since = try d.integer()
        deadline = try d.integer()
        checkpoint = try d.fixed(32)
        metric = try d.integer()
        loss = try d.integer()
        best = try d.integer()
        accepted = try d.integer()
        rejected = try d.integer()
        escrow = try d.integer()
        reason = try d.string(limit: 64)
        try d.finish()
    }
}

struct Member: Equatable {
    let account: AccountBytes
    let role: UInt8
    let standing: UInt8
    let index: UInt16
    let samples: UInt32
    let kemPublicKey: [UInt8]
    let endpoint: String
    let committed: Bool
    let revealed: Bool
    let misses: UInt16
    let accepted: UInt32
    let lastRoot: [UInt8]
    let lastArtifact: [UInt8]

    static func list(_ bytes: [UInt8]) throws -> [Member] {
        var d = BorshDecoder(bytes)
        let members = try (0..<d.integer(UInt32.self)).map { _ in
            Member(
                account: try d.fixed(32), role: try d.integer(), standing: try d.integer(), index: try d.integer(),
                samples: try d.integer(), kemPublicKey: try d.fixed(32), endpoint: try d.string(limit: 128),
                committed: try d.bool(), revealed: try d.bool(), misses: try d.integer(), accepted: try d.integer(),
                lastRoot: try d.fixed(32), lastArtifact: try d.fixed(32))
        }
        try d.finish()
        return members
    }
}

struct Round: Equatable {
    let round: UInt32
    let outcome: UInt8
    let metric: UInt64
    let loss: UInt64
    let closedAt: UInt64
    let checkpoint: [UInt8]
    let participants: UInt16

    init(_ d: inout BorshDecoder) throws {
        round = try d.integer()
        outcome = try d.integer()
        metric = try d.integer()
        loss = try d.integer()
        closedAt = try d.integer()
        checkpoint = try d.fixed(32)
        participants = try d.integer()
    }

    static func list(_ bytes: [UInt8]) throws -> [Round] {
        var d = BorshDecoder(bytes)
        let rounds = try (0..<d.integer(UInt32.self)).map { _ in try Round(&d) }
        try d.finish()
        return rounds
    }
}
