import Ledger
import NodeCore
import Primitives
import StateSync

/// Kinds of faults that a run has only where it is asked for them. They draw from a chance of their own, so that a seed
/// without them is the run that it was before there were such kinds.
public enum Trial: String, Sendable, Hashable, CaseIterable {
    /// Handling messages, checking signatures and executing blocks takes time, and now and then far more of it than there
    /// is: what an overloaded node says comes late.
    case processor
    /// A masternode's home is copied. The copy runs beside it under the same key, or takes its place later.
    case copies
    /// Governance moves the chain to a version of the protocol that some nodes' programs don't know. Needs more than one
    /// epoch.
    case upgrade
    /// New nodes, late masternodes and those that lost their disk join by a snapshot of the state, among peers that offer
    /// them what is false, silence, or nothing; they die meanwhile.
    case joiners
    /// There are ``joiners``, and disks fail meanwhile: a joiner's while it stores what it fetched or puts it in its place, which
    /// ends its process with an error, and that of who gives out a state while he reads it.
    case disks
}

/// What a run has of the trials.
struct Trials {
    let kinds: Set<Trial>
    var chance: Chance
    let processor: ProcessorModel?
    /// Proposals of an upgrade that its owner has sent.
    var proposals: UInt64 = 0
    /// Nodes whose home has a copy that speaks, or spoke, with their key.
    var copied: Set<Int> = []

    // Joining by a snapshot
    let joinerCount: Int
    /// The nodes that are there to join.
    var joiners: [Int] = []
    /// Blocks from one kept state to the next.
    let snapshotInterval: UInt64
    /// Bytes of one chunk.
    let chunkBytes: Int
    /// After the healing each joiner reaches one honest node alone.
    let hasOneSource: Bool
    var offerers: [UInt64: Offerer] = [:]
    var offerersMet: UInt64 = 0
    var deathsInJoins = 0
    /// For the failures of disks meanwhile, whose kind came later than the others.
    var disks: Chance
    var failuresInJoins = 0
    var forgery: Forgery?

    init(_ kinds: Set<Trial>, seed: UInt64) {
        let kinds = kinds.contains(.disks) ? kinds.union([.joiners]) : kinds
        self.kinds = kinds
        disks = Chance(seed: seed ^ 0x6469_736B_73)
        var chance = Chance(seed: seed ^ 0x7472_6961_6C73)
        let hasJoiners = kinds.contains(.joiners)
        // Of its own, since the other kinds were there before it.
        var joining = Chance(seed: seed ^ 0x6A6F_696E)
        joinerCount = hasJoiners ? 1 + joining.below(2) : 0
        snapshotInterval = hasJoiners ? joining.pick([2, 4, 8]) ?? 4 : 0
        chunkBytes = joining.pick([600, 6_000, SnapshotLimits.chunkBytes]) ?? 6_000
        hasOneSource = joining.happens(35)
        processor = kinds.contains(.processor) ? ProcessorModel(slowness: chance.pick([1, 5, 25]) ?? 1) : nil
        self.chance = chance
    }

    /// In a fixed order.
    var inOrder: [Trial] { Trial.allCases.filter { kinds.contains($0) && $0 != .disks } }
}

extension SimulatedCluster {
    func beginTrials() {
        for trial in trials.inOrder { queue.add(.trial(trial), at: trials.chance.among(800...4_000)) }
        guard trials.kinds.contains(.upgrade) else { return }
        // Some operators are early, and liars miss nothing.
        for node in nodes.indices where !nodes[node].isHonest || trials.chance.happens(40) {
            nodes[node].newestProtocol = Self.nextProtocol
        }
    }

    func goOn(with trial: Trial) {
        if trial == .joiners { return troubleJoiners() }
        guard !isHealed else { return }
        switch trial {
        case .processor: starve()
        case .copies: copyHome()
        case .upgrade, .joiners, .disks: break
        }
    }

    // MARK: Homes that are copied

    /// Somebody copies what a masternode's home holds, to use it soon.
    private func copyHome() {
        let homes = honestMasternodes.filter { mayBeCopied($0) && nodes[$0].machine != nil }
        guard let node = trials.chance.pick(homes) else {
            return queue.add(.trial(.copies), at: now + trials.chance.among(500...3_000))
        }
        log("the home of \(name(node)) is copied")
        queue.add(
            .copyStarts(nodes[node].disk.copied(), of: node, isSecond: trials.chance.happens(60)),
            at: now + trials.chance.among(100...5_000))
    }

    /// A masternode that contradicts itself without knowing counts among those that a set tolerates.
    private func mayBeCopied(_ node: Int) -> Bool {
        let tolerated = cast.genesis.masternodes.faultTolerance - min(configuration.byzantine, configuration.masternodes)
        return lostVotes < tolerated && !nodes[node].hasLostVotes && Int(nodes[node].identity) < cast.count
            && nodes[node].published > Height(1) && !nodes[node].disk.store.isFailing
    }

    func startCopy(_ disk: SimulatedDisk, of node: Int, isSecond: Bool) {
        guard !isHealed, mayBeCopied(node) else { return }
        lostVotes += 1
        trials.copied.insert(node)
        nodes[node].hasLostVotes = true
        invariants.isCopied(nodes[node].identity, runsTwice: isSecond)
        guard isSecond else {
            count(.restoredBackup)
            log("\(name(node)) is put back as it was")
            crash(node)
            nodes[node].disk = disk
            return
        }
        count(.secondHome)
        var second = SimulatedNode(identity: nodes[node].identity, kind: .second, cast: cast)
        second.disk = disk
        second.hasLostVotes = true
        second.newestProtocol = nodes[node].newestProtocol
        nodes.append(second)
        let place = nodes.count - 1
        log("\(name(place)) starts beside \(name(node))")
        start(place)
        queue.add(.copyEnds(place, of: node), at: now + trials.chance.among(1_000...12_000))
    }

    /// The operator has noticed, ends the second home for good, and brings the first one back.
    func endCopy(_ place: Int, of node: Int) {
        guard !nodes[place].isGone else { return }
        crash(place)
        nodes[place].isGone = true
        guard !isHealed else { return }
        nodes[node].comesBack = true
        crash(node)
    }

    // MARK: Upgrades

    /// What the governance of a run moves the chain to.
    static let nextProtocol = ProtocolVersion.newest + 1

    /// Whether a node has stopped, or may not start, since its program is too old: its operator installs the next one.
    func isOutdated(_ node: Int) -> Bool {
        guard let version = nodes[node].machine?.head.context.protocolVersion else { return false }
        return version > nodes[node].newestProtocol && version <= Self.nextProtocol
    }

    func install(_ node: Int) {
        count(.upgrade)
        log("\(name(node)) gets a newer program")
        nodes[node].newestProtocol = Self.nextProtocol
    }

    /// Now and then the owner of the masternodes proposes the upgrade, or votes for it.
    func governance() -> (action: ActionId, post: PostId, data: [UInt8])? {
        guard trials.kinds.contains(.upgrade), trials.chance.happens(40) else { return nil }
        if trials.proposals == 0 || trials.chance.happens(30) {
            trials.proposals += 1
            let change = ProposeChange(
                change: .upgrade(protocolVersion: Self.nextProtocol),
                from: invariants.epoch.advanced(by: trials.chance.among(2...3)))
            return (.proposeChange, .none, change.borsh)
        }
        let number = trials.chance.among(1...trials.proposals)
        return (.voteProposal, PostId(proposal: number), Ballot(approves: true).borsh)
    }
}
