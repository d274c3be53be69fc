import Consensus
import Cryptography
import Primitives

extension Cluster {
    /// One fault of the network or of a process; the next follows.
    mutating func injectFault() {
        guard !healed else { return }
        queue.add(.fault, at: now + chance.among(400...3_500))
        switch chance.below(8) {
        case 0: lossPercent = chance.pick([0, 5, 20, 40])
        case 1: duplicatesPercent = chance.pick([0, 5, 30])
        case 2: slowestMs = chance.pick([50, 300, 1_000, 4_000])
        case 3 where scenario.partitions: partition()
        case 4 where scenario.partitions: cutOneWay()
        case 5: cut = []
        case 6 where scenario.crashes: crash(chance.pick(honest))
        case 7 where scenario.crashes && chance.happens(15): for node in honest { crash(node) }
        default: break
        }
    }

    /// Two sides of any sizes.
    private mutating func partition() {
        let side = Set((0..<UInt16(cast.count)).filter { _ in chance.happens(50) })
        cut = []
        for a in 0..<UInt16(cast.count) {
            for b in 0..<UInt16(cast.count) where side.contains(a) != side.contains(b) {
                cut.insert(UInt32(a) << 16 | UInt32(b))
            }
        }
    }

    private mutating func cutOneWay() {
        let (a, b) = (chance.below(cast.count), chance.below(cast.count))
        cut.insert(UInt32(a) << 16 | UInt32(b))
    }

    /// The network is good from here on, and everybody is there and connected.
    mutating func heal() {
        healed = true
        away = []
        (lossPercent, duplicatesPercent, slowestMs, cut) = (scenario.lossInPeacePercent, 2, 300, [])
        for node in nodes.indices {
            start(node)
            for other in 0..<UInt16(cast.count) where other != nodes[node].identity && scenario.healingReconnects {
                queue.add(.connected(from: other, to: node), at: now + chance.among(1...200))
            }
        }
    }

    // MARK: Liars. They run two nodes under one key, and say this besides.

    mutating func lie() {
        if healed, scenario.liarsFallSilent { return }
        queue.add(.lie, at: now + chance.among(100...1_200))
        let liar = chance.pick(nodes.indices.filter { !nodes[$0].isHonest })
        let identity = nodes[liar].identity
        if chance.happens(10) {
            nodes[liar].audience = Set((0..<UInt16(cast.count)).filter { _ in chance.happens(70) })
        }
        guard let view = nodes[chance.pick(honest)].machine?.view else { return }
        let near = View(max(1, view.value + chance.among(0...4) - min(view.value, 2)))
        for _ in 0..<chance.below(4) {
            let victim = UInt16(chance.below(cast.count))
            guard victim != identity else { continue }
            transmit(lie(about: chance.happens(60) ? view : near, by: identity), from: identity, to: victim)
        }
        if cast.leader(view.value) == identity, chance.happens(50) { proposeFalsely(view, by: identity) }
    }

    private mutating func lie(about view: View, by liar: UInt16) -> ConsensusMessage {
        let epoch = cast.configuration.epoch
        let digest =
            blocks.digests.isEmpty ? Cast.root : blocks.digests[max(0, blocks.digests.count - 1 - chance.below(5))]
        switch chance.below(10) {
        case 0: return .nullifyVote(cast.vote(Nullify(epoch: epoch, view: view), by: liar))
        case 1, 2: return .finalizeVote(cast.vote(Finalize(epoch: epoch, view: view, digest: digest), by: liar))
        case 3:
            let block = blocks[digest]
            let proposal = Proposal(
                epoch: epoch, view: view, parentView: block.flatMap { blocks[$0.parent]?.view } ?? .zero,
                parentDigest: block?.parent ?? Cast.root, digest: digest)
            return .notarizeVote(cast.vote(proposal, by: liar))
        case 4: return .nullifyVote(cast.vote(Nullify(epoch: epoch.next, view: view), by: liar))
        case 5:
            let other = UInt16(chance.below(cast.count))
            let vote = cast.vote(Nullify(epoch: epoch, view: view), by: liar)
            return .nullifyVote(Vote(subject: vote.subject, signer: other, signature: vote.signature))
        case 6:
            // Everybody's signature, made with one key.
            let votes = (0..<UInt16(cast.count)).map { signer in
                let subject = Finalize(epoch: epoch, view: view, digest: digest)
                return Vote(subject: subject, signer: signer, signature: cast.vote(subject, by: liar).signature)
            }
            return .finalization(Certificate(subject: votes[0].subject, votes: votes)!)
        case 7: return .wantCertificates(epoch: epoch, from: .zero, through: View(.max))
        default:
            return overheard.isEmpty
                ? .wantCertificates(epoch: epoch, from: view, through: .zero) : chance.pick(overheard)
        }
    }

    /// A leader's proposals that nobody should vote for: on an abandoned parent, or with an invalid body; one for all,
    /// or two.
    mutating func proposeFalsely(_ view: View, by liar: UInt16) {
        let parents = ([Cast.root] + blocks.digests.suffix(8)).filter { (blocks[$0]?.view ?? view) < view }
        let proposals = (0..<2).map { _ in
            let parent = chance.pick(parents)
            return Proposal(
                epoch: cast.configuration.epoch, view: view, parentView: blocks[parent]?.view ?? .zero,
                parentDigest: parent, digest: blocks.make(on: parent, view: view, isInvalid: chance.happens(20)))
        }
        let share = chance.pick([0, 0, 50])
        for victim in 0..<UInt16(cast.count) where victim != liar && chance.happens(90) {
            let proposal = proposals[chance.happens(share) ? 1 : 0]
            transmit(.notarizeVote(cast.vote(proposal, by: liar)), from: liar, to: victim)
        }
    }
}
