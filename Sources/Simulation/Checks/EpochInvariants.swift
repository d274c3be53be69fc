import Cryptography
import Ledger
import NodeCore
import Primitives

/// Epochs as the simulator finds them itself: where borders must be, by the parameters; which set each epoch has, by the
/// first honest node that entered it; and whether a light client gets from the genesis to here.
struct EpochInvariants {
    private let cast: Cast
    private var plans: [Epoch: EpochPlan] = [:]
    private(set) var highest = Epoch.zero
    /// The walk of a light client over the border blocks.
    private var trusted: TrustedSet
    /// Height and header time on which the epoch of the key started.
    private var starts: [Epoch: (height: Height, time: Time)] = [:]
    private var checked = Height.zero

    init(cast: Cast) {
        self.cast = cast
        trusted = TrustedSet(genesis: cast.genesis)
        plans[.zero] = EpochPlan(epoch: .zero, seed: cast.genesis.initialRandomness, set: cast.genesis.masternodes)
        starts[.zero] = (.zero, cast.genesis.time)
    }

    func set(of epoch: Epoch) -> MasternodeSet? { plans[epoch]?.set }

    /// - Returns: what is wrong.
    mutating func entered(_ context: EpochContext) -> String? {
        highest = max(highest, context.epoch)
        for plan in [context.plan, context.nextPlan] {
            if let known = plans[plan.epoch], known != plan { return "has another set or seed for epoch \(plan.epoch)" }
            plans[plan.epoch] = plan
        }
        return nil
    }

    /// A final block, in the order of heights.
    /// - Parameter context: of its child's epoch.
    mutating func passed(_ block: FinalizedBlock, _ context: EpochContext) -> String? {
        let header = block.block.header
        guard header.height == checked.next else { return nil }
        checked = header.height
        guard let start = starts[header.epoch] else { return "block \(header.height) is of epoch \(header.epoch), which has not begun" }
        let parameters = cast.genesis.parameters
        let isBorder =
            header.height.value >= start.height.value
                + max(parameters.epochBlocks, 2 * UInt64(plans[header.epoch]?.set.count ?? 0))
            && header.time.value >= start.time.value + parameters.epochMs
        guard isBorder else {
            return context.epoch == header.epoch ? nil : "block \(header.height) ends epoch \(header.epoch) too early"
        }
        guard context.epoch == header.epoch.next else { return "block \(header.height) does not end epoch \(header.epoch)" }
        starts[context.epoch] = (header.height, header.time)
        guard let finalization = block.finalization else {
            return "border block \(header.height) has no Finalization of its own"
        }
        let link = EpochLink(header: header, finalization: finalization, nextSet: context.set)
        do {
            if cast.keys[0].isReal { try trusted.follow(link) } else { try trusted.follow(link, verifier: KeyedHash()) }
        } catch { return "a light client can't pass border block \(header.height): \(error)" }
        return nil
    }
}

extension Invariants {
    mutating func entered(_ context: EpochContext, by node: String) {
        if let problem = epochs.entered(context) { fail("\(node) \(problem)") }
    }

    mutating func passed(_ height: Height, _ context: EpochContext, on store: SimulatedStore) {
        guard !store.isFailing, let block = try? store.block(at: height) else { return }
        if let problem = epochs.passed(block, context) { fail(problem) }
    }
}

/// An honest node has evidence against a masternode; it forgets that when it dies.
struct Accusation {
    /// Place in the cast.
    let offender: UInt16
    let node: Int
    let life: Int
}

extension SimulatedCluster {
    /// At the end: with what its store holds, somebody who has the genesis alone gets to its head.
    func checkLinks(_ node: Int) {
        let store = nodes[node].disk.store
        guard !store.isFailing, let head = try? store.head(), let block = try? store.block(at: head.height) else { return }
        let header = block.block.header
        guard let finalization = block.finalization else { return }
        var trusted = TrustedSet(genesis: cast.genesis)
        let verifier: any SignatureVerifier = cast.keys[0].isReal ? Ed25519Verifier() : KeyedHash()
        do {
            for link in store.frozen().links(from: .zero, limit: .max) where link.header.epoch < header.epoch {
                try trusted.follow(link, verifier: verifier)
            }
            try trusted.check(header, finalization: finalization, verifier: verifier)
        } catch { fail("nobody gets from the genesis to the head of \(name(node)) with what it holds: \(error)") }
    }

    /// Whoever was accused by a node that is still there has lost its collateral, and nobody honest has.
    func checkPunishments() {
        guard isHealed, !isOutsideOfModel, let witness = survivors.first, let machine = nodes[witness].machine else { return }
        for (place, key) in cast.keys.enumerated() {
            guard case .slashed = machine.record(of: key.publicKey)?.status else { continue }
            if invariants.isHonest(UInt16(place)), !invariants.careless.contains(UInt16(place)) { fail("the honest m\(place) was slashed") }
        }
        for accusation in accusations where survivors.contains(accusation.node) {
            guard nodes[accusation.node].life == accusation.life, nodes[accusation.node].machine?.me != nil else { continue }
            let key = cast.keys[Int(accusation.offender)].publicKey
            guard let record = machine.record(of: key) else { continue }
            if case .slashed = record.status { continue }
            fail("m\(accusation.offender) contradicted itself, \(name(accusation.node)) knows, and it is not slashed")
        }
    }

    /// More liars in a set than its size tolerates: honest members were suspended by an outage, and nothing holds then.
    var isOutsideOfModel: Bool {
        for epoch in [invariants.epoch, invariants.epoch.next] {
            guard let set = invariants.epochs.set(of: epoch) else { continue }
            let bad = set.members.count {
                !invariants.isHonest($0.consensusKey) || invariants.isCopied($0.consensusKey)
            }
            if bad > set.faultTolerance { return true }
        }
        return false
    }
}
