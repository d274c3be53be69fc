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
    @DecimalText public var view: UInt64
    public var peers: Int
    public var mempool: Mempool
    @DecimalText public var uptimeMs: UInt64
    /// Absent until a transaction was submitted here and finalised.
    public var finalityMs: Finality?
    public var catchingUp: Bool

    public init(
        chain: String, genesisHash: Digest, version: String, role: String, node: String, head: Head, state: State,
        epoch: Epoch, view: View, peers: Int, mempool: Mempool, uptimeMs: UInt64, finalityMs: Finality?,
        catchingUp: Bool
    ) {
        self.chain = chain
        self.genesisHash = genesisHash
        self.version = version
        self.role = role
        self.node = node
        self.head = head
        self.state = state
        self.epoch = epoch.value
        self.view = view.value
        self.peers = peers
        self.mempool = mempool
        self.uptimeMs = uptimeMs
        self.finalityMs = finalityMs
        self.catchingUp = catchingUp
    }
}

/// `GET /v1/masternodes`
public struct MasternodesDocument: Codable, Equatable, Sendable {
    public struct Member: Codable, Equatable, Sendable {
        /// Place in the set.
        public var index: Int
        public var name: String
        @HexText public var consensusKey: PublicKey
        @AddressText public var owner: Account
        /// Whether the answering node has a live connection to it, or is it.
        public var connected: Bool
        /// Whether it is the answering node.
        public var isSelf: Bool
        public var isLeader: Bool

        public init(index: Int, masternode: Masternode, connected: Bool, isSelf: Bool, isLeader: Bool) {
            self.index = index
            name = masternode.name
            consensusKey = masternode.consensusKey
            owner = masternode.owner
            self.connected = connected
            self.isSelf = isSelf
            self.isLeader = isLeader
        }
    }

    @DecimalText public var epoch: UInt64
    @DecimalText public var view: UInt64
    /// Place of the leader of `view`.
    public var leader: Int
    /// Votes that make a certificate.
    public var quorum: Int
    public var masternodes: [Member]

    public init(epoch: Epoch, view: View, leader: Int, quorum: Int, masternodes: [Member]) {
        self.epoch = epoch.value
        self.view = view.value
        self.leader = leader
        self.quorum = quorum
        self.masternodes = masternodes
    }
}
