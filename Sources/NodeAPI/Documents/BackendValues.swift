import APIModel
import Cryptography
import Primitives

/// What a node says of itself.
public struct NodeStatus: Sendable {
    /// See ``StatusDocument``.
    public static let clockToleranceMs = StatusDocument.clockToleranceMs

    public enum Role: String, Sendable { case masternode, follower }

    /// Version of the program.
    public var version: String
    public var role: Role
    public var nodeName: String
    /// Newest finalised block; height 0 with the genesis hash and time before there is one.
    public var headHeight: Height
    public var headDigest: Digest
    public var headTime: Time
    /// Newest state root that a finalised header carries, and the height of the block after which it holds.
    public var stateHeight: Height
    public var stateRoot: Digest
    public var epoch: Epoch
    /// Of the protocol that the epoch runs; nil where the state can't be read.
    public var protocolVersion: UInt16?
    /// The next accepted upgrade that is ahead.
    public var upgrade: PlannedUpgrade?
    /// The view that the node is in.
    public var view: View
    public var peersConnected: Int
    public var mempoolCount: Int
    public var mempoolBytes: Int
    public var uptimeMs: UInt64
    /// Milliseconds from a submission at this node to its finalisation, over recent ones; nil without any.
    public var finalityP50Ms: UInt64?
    public var finalityP95Ms: UInt64?
    /// Whether the node is fetching blocks to catch up with its peers.
    public var catchingUp: Bool
    /// Why a masternode does not vote though it could, and what its operator can do.
    public var notVoting: String?
    /// Milliseconds that its clock is ahead of the other masternodes', about; negative where it is behind. Nil where it has
    /// heard too few of them.
    public var clockOffsetMs: Int64?
    /// What of its store the node can't read, and what to do; nil where it knows of no damage.
    public var storeProblem: String?
    /// Nil where the state can't be read.
    public var liveness: Liveness?

    public init(
        version: String, role: Role, nodeName: String, headHeight: Height, headDigest: Digest, headTime: Time,
        stateHeight: Height, stateRoot: Digest, epoch: Epoch, protocolVersion: UInt16?, upgrade: PlannedUpgrade?,
        view: View, peersConnected: Int, mempoolCount: Int, mempoolBytes: Int, uptimeMs: UInt64, finalityP50Ms: UInt64?,
        finalityP95Ms: UInt64?, catchingUp: Bool = false,
        notVoting: String? = nil, clockOffsetMs: Int64? = nil, storeProblem: String? = nil,
        liveness: Liveness? = nil
    ) {
        self.version = version
        self.role = role
        self.nodeName = nodeName
        self.headHeight = headHeight
        self.headDigest = headDigest
        self.headTime = headTime
        self.stateHeight = stateHeight
        self.stateRoot = stateRoot
        self.epoch = epoch
        self.protocolVersion = protocolVersion
        self.upgrade = upgrade
        self.view = view
        self.peersConnected = peersConnected
        self.mempoolCount = mempoolCount
        self.mempoolBytes = mempoolBytes
        self.uptimeMs = uptimeMs
        self.finalityP50Ms = finalityP50Ms
        self.finalityP95Ms = finalityP95Ms
        self.catchingUp = catchingUp
        self.notVoting = notVoting
        self.clockOffsetMs = clockOffsetMs
        self.storeProblem = storeProblem
        self.liveness = liveness
    }
}

/// What is told of a block as soon as it is final.
public struct BlockNews: Sendable {
    public let digest: Digest
    public let time: Time
    /// In the block's order.
    public let transactions: [TransactionId]
    /// What contracts announced, in the order of the receipts.
    public let events: [Event]

    public init(digest: Digest, time: Time, transactions: [TransactionId], events: [Event]) {
        self.digest = digest
        self.time = time
        self.transactions = transactions
        self.events = events
    }
}

public struct StoredBlock: Sendable {
    public var block: FinalizedBlock
    /// Digest of the header.
    public var digest: Digest

    public init(block: FinalizedBlock, digest: Digest) {
        self.block = block
        self.digest = digest
    }
}

public enum TransactionState: Sendable {
    /// In the pool, or in a block that is not final yet.
    case pending(SignedTransaction)
    case included(IncludedTransaction)

    public var transaction: SignedTransaction {
        switch self {
        case .pending(let transaction): transaction
        case .included(let found): found.transaction
        }
    }
}

public struct IncludedTransaction: Sendable {
    public var height: Height
    /// Place in the block, from 0.
    public var index: Int
    /// Header time of the block.
    public var time: Time
    public var transaction: SignedTransaction
    public var receipt: Receipt

    public init(height: Height, index: Int, time: Time, transaction: SignedTransaction, receipt: Receipt) {
        self.height = height
        self.index = index
        self.time = time
        self.transaction = transaction
        self.receipt = receipt
    }
}

/// Bytes that are made while they are sent: each piece is asked for once the one before it is on its way, so that whoever
/// reads slowly holds no more than one.
public struct BytePieces: Sendable {
    /// The next piece; nil after the last one. Called one after the other, once for each piece.
    public let next: @Sendable () async throws -> [UInt8]?

    public init(_ next: @escaping @Sendable () async throws -> [UInt8]?) { self.next = next }
}

/// Why a node does not take a transaction.
public struct SubmissionRefusal: Error, Equatable, Sendable {
    /// What a program can act on. The API answers with the raw value as `error.code`.
    public enum Code: String, CaseIterable, Sendable {
        case malformed
        case tooLarge = "too_large"
        /// Not the sender's signature on this chain: wrong key, changed body, or made for another genesis.
        case badSignature = "bad_signature"
        case sequenceUsed = "sequence_used"
        /// Another transaction with this sequence is waiting.
        case sequencePending = "sequence_pending"
        case sequenceTooFar = "sequence_too_far"
        case expired
        /// `validUntil` is further ahead than the chain allows.
        case validTooLong = "valid_too_long"
        case gasLimit = "gas_limit"
        case insufficientCredits = "insufficient_credits"
        case insufficientBalance = "insufficient_balance"
        /// The action does not exist, or needs a service that nobody registered.
        case unknownAction = "unknown_action"
        case unknownService = "unknown_service"
        case poolFull = "pool_full"
        /// The node can't tell yet: it is starting or catching up.
        case notReady = "not_ready"
    }

    public var code: Code
    /// For people: what is wrong, with the numbers, and what to do.
    public var reason: String
    /// Milliseconds after which trying again makes sense.
    public var retryAfterMs: UInt64?

    public init(_ code: Code, _ reason: String, retryAfterMs: UInt64? = nil) {
        self.code = code
        self.reason = reason
        self.retryAfterMs = retryAfterMs
    }
}

public struct AccountView: Sendable {
    public var record: AccountRecord
    /// Resource credits now, with what has regenerated since the record's `creditTime`.
    public var credits: UInt64
    public var capacity: UInt64
    /// The service that paid for the account last, or lends its deposit.
    public var sponsor: ServiceId?

    public init(record: AccountRecord, credits: UInt64, capacity: UInt64, sponsor: ServiceId? = nil) {
        self.record = record
        self.sponsor = sponsor
        self.credits = credits
        self.capacity = capacity
    }
}

public struct HistoryPage: Sendable {
    /// Entries in the account's whole history.
    public var size: UInt64
    public var root: Digest
    public var entries: [HistoryEntry]

    public init(size: UInt64, root: Digest, entries: [HistoryEntry]) {
        self.size = size
        self.root = root
        self.entries = entries
    }
}

public struct ReputationView: Sendable {
    public var role: Role
    public var record: ReputationRecord
    /// R in units of 2^-20 (architecture, section 5), decayed to the head's time.
    public var score: UInt64

    public init(role: Role, record: ReputationRecord, score: UInt64) {
        self.role = role
        self.record = record
        self.score = score
    }
}

public struct ServiceView: Sendable {
    public var record: ServiceRecord
    /// Balance of the contract's account.
    public var balance: UInt128

    public init(record: ServiceRecord, balance: UInt128) {
        self.record = record
        self.balance = balance
    }
}

public struct QueryResult: Sendable {
    public var data: [UInt8]
    public var gasUsed: UInt64
    /// The state that was asked: after the block of this height.
    public var height: Height

    public init(data: [UInt8], gasUsed: UInt64, height: Height) {
        self.data = data
        self.gasUsed = gasUsed
        self.height = height
    }
}

public enum QueryRefusal: Error, Equatable, Sendable {
    case unknownService
    /// The contract trapped, failed with a message or has no `query`.
    case failed(String)
    /// It took all the gas that it was given.
    case outOfGas
    /// The node can't read what the contract is asked about.
    case storeDamaged
    /// The node itself could not: the text is logged, not sent.
    case unavailable(String)
}

/// Whether the chain moves, as far as this node sees.
public struct Liveness: Sendable, Equatable {
    /// Since a block became final here, or since the node started.
    public var sinceBlockMs: UInt64
    /// A chain without a block for so long stands still.
    public var stallsAfterMs: UInt64
    /// In the epoch's set.
    public var masternodes: Int
    /// Of these: connected with this node, and itself.
    public var reachable: Int
    public var quorum: Int

    public var isStalled: Bool { sinceBlockMs > stallsAfterMs }

    public init(sinceBlockMs: UInt64, parameters: Parameters, masternodes: Int, reachable: Int, quorum: Int) {
        self.sinceBlockMs = sinceBlockMs
        stallsAfterMs = Self.patience(parameters)
        self.masternodes = masternodes
        self.reachable = reachable
        self.quorum = quorum
    }

    /// A heartbeat comes every `heartbeatMs`; each absent leader before it costs a view, which lasts 3 delta.
    static func patience(_ parameters: Parameters) -> UInt64 {
        parameters.heartbeatMs &+ parameters.networkDelayMs.multipliedReportingOverflow(by: 20).partialValue
    }
}

/// A value of the state, or that there is none, with the header that certifies it.
public struct StateProofView: Sendable {
    public var header: Header
    public var finalization: Finalization
    public var key: StateKey
    public var value: [UInt8]?
    /// Borsh of the proof.
    public var proof: [UInt8]

    public init(header: Header, finalization: Finalization, key: StateKey, value: [UInt8]?, proof: [UInt8]) {
        self.header = header
        self.finalization = finalization
        self.key = key
        self.value = value
        self.proof = proof
    }
}
