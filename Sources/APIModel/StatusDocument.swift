import Cryptography
import Primitives

/// `GET /v1/status`
public struct StatusDocument: Codable, Equatable, Sendable {
    public struct Head: Codable, Equatable, Sendable {
        @DecimalText public var height: UInt64
        @HexText public var digest: Digest
        /// Header time, milliseconds since 1970.
        @DecimalText public var time: UInt64

        public init(height: Height, digest: Digest, time: Time) {
            self.height = height.value
            self.digest = digest
            self.time = time.value
        }
    }

    /// The newest state root that a finalised header carries.
    public struct State: Codable, Equatable, Sendable {
        /// The root is that of the state after the block of this height.
        @DecimalText public var height: UInt64
        @HexText public var root: Digest

        public init(height: Height, root: Digest) {
            self.height = height.value
            self.root = root
        }
    }

    public struct Mempool: Codable, Equatable, Sendable {
        public var transactions: Int
        public var bytes: Int

        public init(transactions: Int, bytes: Int) {
            self.transactions = transactions
            self.bytes = bytes
        }
    }

    /// From a submission at this node to its finalisation, milliseconds, over recent submissions.
    public struct Finality: Codable, Equatable, Sendable {
        @DecimalText public var p50: UInt64
        @DecimalText public var p95: UInt64

        public init(p50: UInt64, p95: UInt64) {
            self.p50 = p50
            self.p95 = p95
        }
    }

    /// A version of the protocol that the masternodes agreed to go on with.
    public struct Upgrade: Codable, Equatable, Sendable {
        public var protocolVersion: Int
        /// The epoch from whose start on it runs.
        @DecimalText public var epoch: UInt64

        public init(protocolVersion: UInt16, epoch: Epoch) {
            self.protocolVersion = Int(protocolVersion)
            self.epoch = epoch.value
        }
    }

    public var chain: String
    @HexText public var genesisHash: Digest
    /// Version of the node's program.
    public var version: String
    /// `masternode` or `follower`.
    public var role: String
    public var node: String
    public var head: Head
    public var state: State
    @DecimalText public var epoch: UInt64
    /// Of the protocol that the epoch runs; absent where the node can't read its state.
    public var protocolVersion: Int?
    /// The next accepted upgrade; absent where none is ahead.
    public var upgrade: Upgrade?
    @DecimalText public var view: UInt64
    public var peers: Int
    public var mempool: Mempool
    @DecimalText public var uptimeMs: UInt64
    /// Absent until a transaction was submitted here and finalised.
    public var finalityMs: Finality?
    public var catchingUp: Bool
    /// Why a masternode's node does not vote though it could, and what its operator can do; absent while it votes, and in
    /// a follower.
    public var notVoting: String?
    /// Milliseconds that the node's clock is ahead of the other masternodes', about; negative where it is behind. Absent in a
    /// follower, and until enough of them have proposed blocks.
    public var clockOffsetMs: Int?
    /// What of its store the node can't read, and what to do; absent where it knows of no damage.
    public var storeProblem: String?
    /// Absent where the node can't read its state.
    public var liveness: LivenessDocument?

    public init(
        chain: String, genesisHash: Digest, version: String, role: String, node: String, head: Head, state: State,
        epoch: Epoch, protocolVersion: UInt16?, upgrade: Upgrade?, view: View, peers: Int, mempool: Mempool,
        uptimeMs: UInt64, finalityMs: Finality?, catchingUp: Bool, notVoting: String? = nil,
        clockOffsetMs: Int? = nil, storeProblem: String? = nil, liveness: LivenessDocument? = nil
    ) {
        self.chain = chain
        self.genesisHash = genesisHash
        self.version = version
        self.role = role
        self.node = node
        self.head = head
        self.state = state
        self.epoch = epoch.value
        self.protocolVersion = protocolVersion.map { Int($0) }
        self.upgrade = upgrade
        self.view = view.value
        self.peers = peers
        self.mempool = mempool
        self.uptimeMs = uptimeMs
        self.finalityMs = finalityMs
        self.catchingUp = catchingUp
        self.notVoting = notVoting
        self.clockOffsetMs = clockOffsetMs
        self.storeProblem = storeProblem
        self.liveness = liveness
    }

    /// From here on a clock's difference is a fault: half of what a header's time may be ahead of a voter's clock, and more
    /// than a block's way takes.
    public static let clockToleranceMs = 1_000

    /// What is wrong with the node's clock, and what to do.
    public var clockProblem: String? {
        guard let clockOffsetMs, clockOffsetMs.magnitude >= Self.clockToleranceMs else { return nil }
        return
            "this machine's clock is about \(clockOffsetMs.magnitude) ms \(clockOffsetMs > 0 ? "ahead of" : "behind") those of the other masternodes, which holds up blocks: let it be synchronised (NTP)"
    }
}
