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
    /// The hash chains that the host has made already, by generation; the machine asks for others.
    public let beacons: [UInt32: BeaconChain]

    public init(key: PublicKey, signer: any VoteSigner, beacons: [UInt32: BeaconChain]) {
        self.key = key
        self.signer = signer
        self.beacons = beacons
    }
}

/// The store as the machine reads it: LevelDB in a node, memory in the simulator.
public protocol NodeStore: StateSource, Sendable {
    /// The last final block that is held; nil while there is none above the genesis.
    func head() throws -> ChainHead?
    func block(at height: Height) throws -> FinalizedBlock?
    /// Of the final block with this digest.
    func height(of digest: Digest) throws -> Height?
    /// How far the node's key had voted when the head was stored.
    func voteMark() throws -> VoteMark?
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
    var beacons: BeaconChains
    /// Milliseconds of this machine's own clock, for the proposer's time budget alone: nothing else depends on it.
    package var stopwatch: () -> UInt64 = { 0 }
    package var pace = ProposalPace()

    // Consensus
    /// Of the epoch that consensus runs here. The head may be its border block for the moment until the next begins.
    public internal(set) var epoch: EpochContext
    /// Place in the epoch's set; nil for whoever does not vote in it.
    public internal(set) var me: UInt16?
    var simplex: Simplex
    /// Records of the journal that belong to epochs which this node has not reached again.
    var laterRecords: [JournalRecord] = []
    /// What this node knows of the votes of its key, and of what is lost.
    var memory: VoteMemory
    /// The operator's word to come back though votes are lost: for one time.
    var rejoin: VotingStart?
    var questions = OpenQuestions()
    /// The newest that consensus holds, as the first bytes of a message.
    var newestNotarization: (epoch: Epoch, beginning: [UInt8])?
    /// Where it is this node's turn to make a block: the time before which it does not; now, where it waits for nothing but
    /// transactions. Nil where others make the next one.
    public internal(set) var makesBlockAt: Time?
    var workAnnounced = false
    var desk: JournalDesk

    // Chain
    /// The step to another masternode set that the stored head proved at the start: with a block that is committed its
    /// step is stored too, but a store that came by a snapshot lacks that of its first block.
    package let stepOfHead: EpochLink?
    var chain: FinalChain
    var pool: CandidatePool
    /// What executing one block leaves for the next.
    let pages = PageCache()
    public internal(set) var mempool: Mempool
    var cases = CaseBook()

    // Peers
    var sources = PeerRanking()
    var names = PeerNames()
    var sync = SyncProgress()
    var sketches = SketchTable()
    var clocks = ClockComparison()
    var ticks: UInt64 = 0
    /// The first transactions of the pool when the masternodes were last told again of what waits.
    var waitedBefore: Set<TransactionId> = []

    var outputs: [NodeOutput] = []
    private(set) var isHalted = false

    /// - Parameters:
    ///   - journal: what the vote journal holds, in its order.
    ///   - journalName: what a journal without a name is called from now on: drawn at random.
    ///   - rejoin: where votes of the key are lost, come back at once, by rule 12.
    ///   - signatures: how signatures are checked; every node of a network must do the same.
    public convenience init(
        genesis: Genesis, role: NodeRole, store: any NodeStore, journal: [JournalEntry], journalName: UInt64,
        rejoin: VotingStart? = nil, signatures: any NodeSignatures = Ed25519Verifier()
    ) throws {
        try self.init(
            genesis: genesis, role: role, store: store, journal: journal, journalName: journalName, rejoin: rejoin,
            signatures: signatures, rules: NodeRules())
    }

    package init(
        genesis: Genesis, role: NodeRole, store: any NodeStore, journal: [JournalEntry], journalName: UInt64 = 1,
        rejoin: VotingStart? = nil, signatures: any NodeSignatures, rules: NodeRules
    ) throws {
        self.genesis = genesis
        self.rejoin = rejoin
        self.store = store
        self.signatures = signatures
        self.rules = rules
        pool = CandidatePool(limit: rules.candidateBlocks)
        genesisHash = genesis.hash
        ledger = Ledger(genesis: genesis, verifier: signatures, rules: rules.ledger)
        mempool = Mempool(limits: MempoolLimits(maxCount: NodeLimits.poolTransactions, maxBytes: NodeLimits.poolBytes))
        if case .masternode(let identity) = role { self.identity = identity } else { identity = nil }
        beacons = BeaconChains(identity?.beacons ?? [:])

        let start = try ChainStart(genesis: genesis, ledger: ledger, store: store)
        chain = FinalChain(start)
        stepOfHead = start.head.link(start.finalization)
        desk = JournalDesk(holding: journal)
        epoch = start.head.context
        if let problem = Self.versionProblem(epoch, rules) { throw NodeStartError.newerProtocol(problem) }

        for entry in journal {
            switch entry {
            case .consensus(let record): laterRecords.append(record)
            case .observing, .opened, .reached: break
            case .body(let block):
                guard rules.replayBodies, block.header.height > start.head.header.height else { continue }
                pool.insert(block, digest: block.header.digest(genesis: genesisHash))?.journalled = true
            }
        }
        memory = VoteMemory(journal: journal)
        if let identity = self.identity {
            let mark = rules.checkMemory ? try store.voteMark().flatMap { $0.key == identity.key ? $0 : nil } : nil
            let wasSeen = try rules.checkMemory && start.head.hasSeen(identity.key)
            let first = memory.check(
                against: mark, name: journalName, epoch: start.head.context.epoch, wasSeen: wasSeen)
            desk.starts(with: first)
        }
        let seat = try Seat(
            identity: identity, epoch: epoch, head: start.head, memory: memory, rejoin: rejoin, journal: laterRecords)
        me = seat.index
        if seat.mayVoteAgain { memory.regain() }
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
            let first = desk.takeFirst()
            if !first.isEmpty { outputs.append(.journal(first, JournalToken(0))) }
            announceVoting()
            announceEpoch()
            step(.start, clock)
            outputs.append(.setTimer(.tick, at: clock.monotonic.advanced(byMs: Self.tickMs)))
        case .connected(let peer): connected(peer, clock)
        case .disconnected(let peer):
            sources.disconnected(peer)
            names.remove(peer)
            sync.forget(peer)
            requestBlocks(clock)
        case .message(let message, let peer): received(message, from: peer, clock)
        case .timer(.consensus(let timer)): step(.timer(timer), clock)
        case .timer(.due): break
        case .timer(.tick): tick(clock)
        case .journalDurable(let token): journalled(token, clock)
        case .committed(let height): committed(height, clock)
        case .beaconMade(let generation, let chain): beacons.add(generation, chain)
        }
        settle(clock)
        return takeOutputs()
    }

    func takeOutputs() -> [NodeOutput] {
        defer { outputs = [] }
        return outputs
    }

    static let tickMs: UInt64 = 1_000

    /// The last final block; its commit may be under way.
    package var head: ExecutedBlock { chain.head }
    /// The last final block that the store holds: what the API speaks of.
    package var published: ExecutedBlock { chain.published }
    /// The view that consensus is in.
    public var view: View { questions.view }

    /// What may have become possible through any input.
    func settle(_ clock: NodeClock) {
        advanceEpoch(clock)
        guard !isHalted else { return }
        announceWork(clock)
        askForParts(clock)
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
