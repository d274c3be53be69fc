import Consensus
import Cryptography
import Ledger
import Mempool
import Primitives
import StateTree

/// What a node is, beside its chain.
public enum NodeRole: Sendable {
    /// Validates and proposes in every epoch whose set has this key; follows in the others.
    case masternode(NodeIdentity)
    /// Follows finalised blocks.
    case follower
}

/// What makes a node a masternode: the consensus key with its signer, and the hash chain that it registered.
public struct NodeIdentity: Sendable {
    public let key: PublicKey
    public let signer: any VoteSigner
    public let beacon: BeaconChain

    public init(key: PublicKey, signer: any VoteSigner, beacon: BeaconChain) {
        self.key = key
        self.signer = signer
        self.beacon = beacon
    }
}

/// The store as the machine reads it: LevelDB in a node, memory in the simulator.
public protocol NodeStore: StateSource, Sendable {
    /// The last final block that is held; nil while there is none above the genesis.
    func head() throws -> ChainHead?
    func block(at height: Height) throws -> FinalizedBlock?
    /// Of the final block with this digest.
    func height(of digest: Digest) throws -> Height?
}

/// A whole node as a synchronous state machine; see the module's doc comment.
public final class NodeMachine {
    // What stays fixed
    public let genesis: Genesis
    let genesisHash: Digest
    package let ledger: Ledger
    let store: any NodeStore
    let signatures: any NodeSignatures
    let rules: NodeRules
    package let identity: NodeIdentity?
    var beacon: BeaconChain?

    // Consensus
    /// Of the epoch that consensus runs here. The head may be its border block for the moment until the next begins.
    public internal(set) var epoch: EpochContext
    /// Place in the epoch's set; nil for whoever does not vote in it.
    public internal(set) var me: UInt16?
    var simplex: Simplex
    /// Records of the journal that belong to epochs which this node has not reached again.
    var laterRecords: [JournalRecord] = []
    /// The epoch in which this node found that its journal had lost votes; nil while it may vote.
    public internal(set) var observingSince: Epoch?
    /// View of the last Finalization that was delivered, in this epoch.
    var finalView: View
    public internal(set) var view: View = View(1)
    var viewEnteredAt = Instant(milliseconds: 0)
    var proposalRequest: ProposalRequest?
    /// Proposals that wait for a body, a parent or their time, by view.
    var verifications: [View: Verification] = [:]
    /// The highest Finalization whose block could not be delivered yet.
    var undelivered: Finalization?
    var workAnnounced = false
    /// Bodies to relay once the vote on them is durable.
    var relays: [(JournalToken, Block)] = []
    /// Bytes that the journal holds, about.
    var journalBytes = 0

    struct Verification {
        let proposal: Proposal
        let parentCertificate: ParentCertificate
    }

    // Chain
    /// The last final block; its commit may be under way.
    package internal(set) var head: ExecutedBlock
    /// The head's own, if it has one. A border block always does.
    var headFinalization: Finalization?
    /// The last final block that the store holds: what the API speaks of.
    package internal(set) var published: ExecutedBlock
    /// Final blocks whose commits are under way, ascending: the store does not have them yet.
    var committing: [CandidatePool.Candidate] = []
    var pool: CandidatePool
    public internal(set) var mempool: Mempool
    /// Transactions whose signature this node has checked.
    var verified = VerifiedSignatures()
    /// Contradictions that the ledger does not know yet, by the offender's key: at most one for each masternode.
    var cases: [PublicKey: Case] = [:]

    // Peers
    var peers: [NodePeer: Height] = [:]
    var names = PeerNames()
    var sync = SyncProgress()
    var ticks: UInt64 = 0

    var outputs: [NodeOutput] = []
    private(set) var isHalted = false

    /// - Parameters:
    ///   - journal: what the vote journal holds, in its order.
    ///   - signatures: how signatures are checked; every node of a network must do the same.
    public convenience init(
        genesis: Genesis, role: NodeRole, store: any NodeStore, journal: [JournalEntry],
        signatures: any NodeSignatures = Ed25519Verifier()
    ) throws {
        try self.init(
            genesis: genesis, role: role, store: store, journal: journal, signatures: signatures, rules: NodeRules())
    }

    package init(
        genesis: Genesis, role: NodeRole, store: any NodeStore, journal: [JournalEntry],
        signatures: any NodeSignatures, rules: NodeRules
    ) throws {
        self.genesis = genesis
        self.store = store
        self.signatures = signatures
        self.rules = rules
        pool = CandidatePool(limit: rules.candidateBlocks)
        genesisHash = genesis.hash
        ledger = Ledger(genesis: genesis, verifier: signatures, rules: rules.ledger)
        mempool = Mempool(limits: MempoolLimits(maxCount: NodeLimits.poolTransactions, maxBytes: NodeLimits.poolBytes))
        if case .masternode(let identity) = role { self.identity = identity } else { identity = nil }
        beacon = identity?.beacon

        let start = try ChainStart(genesis: genesis, ledger: ledger, store: store)
        head = start.head
        published = start.head
        headFinalization = start.finalization
        epoch = start.head.context
        if let problem = Self.versionProblem(epoch, rules) { throw NodeStartError.newerProtocol(problem) }
        finalView = start.floor.block.view

        for entry in journal {
            journalBytes += entry.borsh.count + Self.journalOverhead
            switch entry {
            case .consensus(let record): laterRecords.append(record)
            case .observing(let epoch): observingSince = max(observingSince ?? .zero, epoch)
            case .body(let block):
                guard rules.replayBodies, block.header.height > start.head.header.height else { continue }
                pool.insert(block, digest: block.header.digest(genesis: genesisHash))?.journalled = true
            }
        }
        let seat = try Seat(
            identity: identity, epoch: epoch, head: start.head, observingSince: observingSince, journal: laterRecords)
        me = seat.index
        if seat.mayVoteAgain { observingSince = nil }
        simplex = try Self.makeSimplex(
            genesisHash, epoch, seat, floor: start.floor, journal: laterRecords, before: nil, signatures: signatures,
            rules: rules)
        laterRecords.removeAll { $0.epoch <= epoch.epoch || !rules.keepLaterRecords }
    }

    /// Takes one input and says what is to be done.
    public func handle(_ input: NodeInput, at clock: NodeClock) -> [NodeOutput] {
        guard !isHalted else { return [] }
        switch input {
        case .start:
            announceEpoch()
            step(.start, clock)
            outputs.append(.setTimer(.tick, at: clock.monotonic.advanced(byMs: Self.tickMs)))
        case .connected(let peer): connected(peer, clock)
        case .disconnected(let peer):
            peers[peer] = nil
            names.remove(peer)
            sync.forget(peer)
            requestBlocks(clock)
        case .message(let message, let peer): received(message, from: peer, clock)
        case .timer(.consensus(let timer)): step(.timer(timer), clock)
        case .timer(.due): break
        case .timer(.tick): tick(clock)
        case .journalDurable(let token): journalled(token, clock)
        case .committed(let height): committed(height, clock)
        }
        settle(clock)
        return takeOutputs()
    }

    func takeOutputs() -> [NodeOutput] {
        defer { outputs = [] }
        return outputs
    }

    static let tickMs: UInt64 = 1_000
    /// Bytes that a journal adds to an entry.
    static let journalOverhead = 16

    /// What may have become possible through any input.
    func settle(_ clock: NodeClock) {
        advanceEpoch(clock)
        guard !isHalted else { return }
        announceWork(clock)
        retryVerifications(clock)
        propose(clock)
    }

    /// The block with this digest and the state after it, if this node has everything up to it.
    func executed(_ digest: Digest) -> ExecutedBlock? {
        digest == head.digest ? head : pool[digest]?.executed
    }

    func halt(_ reason: String) {
        guard !isHalted else { return }
        isHalted = true
        outputs.append(.halt(reason))
    }
}

/// Where a node starts: its last durable final block, executed again, and consensus' floor.
struct ChainStart {
    let head: ExecutedBlock
    /// The head's own; nil for the genesis.
    let finalization: Finalization?
    let floor: Floor

    init(genesis: Genesis, ledger: Ledger, store: any NodeStore) throws {
        let genesisHash = genesis.hash
        guard let stored = try store.head() else {
            head = try ExecutedBlock(genesis: ledger, store: store)
            finalization = nil
            floor = .start(head.digest, proof: .genesis)
            return
        }
        guard let finalized = try store.block(at: stored.height), let finalization = finalized.finalization else {
            throw NodeStartError.damaged("block \(stored.height) or its Finalization is missing")
        }
        let header = finalized.block.header
        guard header.digest(genesis: genesisHash) == stored.digest, finalization.subject.digest == stored.digest else {
            throw NodeStartError.damaged("block \(stored.height) does not have the digest of the head")
        }
        let below = StateLayer(stored: header.stateRoot, store: store)
        let root = try StateTree.root(reader: below)
        guard root == header.stateRoot else {
            throw NodeStartError.damaged(
                "the state's root is \(root), but the header of block \(stored.height) certifies \(header.stateRoot)")
        }
        head = try ExecutedBlock(
            executing: finalized.block, digest: stored.digest, ledger: ledger, below: below, store: store)
        self.finalization = finalization
        // On a border block the next epoch starts.
        floor = head.isBorder ? .start(head.digest, proof: .finalization(finalization)) : .finalized(finalization)
    }
}

public enum NodeStartError: Error, CustomStringConvertible {
    case damaged(String)
    case newerProtocol(String)

    public var description: String {
        switch self {
        case .newerProtocol(let detail): detail
        case .damaged(let detail):
            "the node's store is damaged: \(detail). Move the folder db aside and start again: the node fetches the chain from its peers"
        }
    }
}

/// Remembers the newest transactions whose signatures were checked, so that none is checked twice on its way from the
/// pool into a block. Two generations of bounded size: the older is dropped when the newer is full.
struct VerifiedSignatures {
    /// Not the transaction itself: its data may have 64 kB.
    private struct Entry: Hashable {
        let id: TransactionId
        let authorization: Authorization
    }

    private static let generation = 65_536
    private var newer: Set<Entry> = []
    private var older: Set<Entry> = []

    func contains(_ transaction: SignedTransaction, id: TransactionId) -> Bool {
        let entry = Entry(id: id, authorization: transaction.authorization)
        return newer.contains(entry) || older.contains(entry)
    }

    mutating func insert(_ transaction: SignedTransaction, id: TransactionId) {
        if newer.count >= Self.generation {
            older = newer
            newer = []
        }
        newer.insert(Entry(id: id, authorization: transaction.authorization))
    }
}
