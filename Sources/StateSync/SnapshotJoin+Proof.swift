import Cryptography
import Primitives

/// Proves the chosen snapshot's head from the genesis.
extension SnapshotJoin {
    mutating func askForProof(_ now: UInt64) {
        guard case .proving(var proving) = phase, proving.requests.isEmpty else { return }
        guard let peer = providers(of: proving.offer).first else {
            return abandon(proving.offer, "no peer has it any more, or answers", now)
        }
        let digest = proving.offer.digest
        proving.requests = [Request(peer: peer, at: now)]
        peers[peer]?.underWay += 1
        outputs.append(
            .send(proving.head == nil ? .wantHead(digest) : .wantLinks(digest, from: proving.nextEpoch), to: peer))
        phase = .proving(proving)
    }

    mutating func receivedHead(_ digest: Digest, _ block: FinalizedBlock?, from peer: PeerId, _ now: UInt64) {
        guard case .proving(var proving) = phase, proving.head == nil, digest == proving.offer.digest,
            proving.answered(peer)
        else { return }
        peers[peer]?.underWay -= 1
        phase = .proving(proving)
        guard let block else { return withdraw(proving.offer, from: peer) }
        let header = block.block.header
        guard block.finalization != nil, header.height == proving.offer.height,
            header.digest(genesis: genesis.hash) == digest, block.block.isBoundByHeader
        else { return distrust(peer, "sent another block than the snapshot's head") }
        proving.head = block
        proving.headFrom = peer
        phase = .proving(proving)
    }

    mutating func receivedLinks(
        _ digest: Digest, from epoch: Epoch, _ links: SnapshotMessage.Links?, from peer: PeerId, _ now: UInt64
    ) {
        guard case .proving(var proving) = phase, let head = proving.head, digest == proving.offer.digest,
            epoch == proving.nextEpoch, proving.answered(peer)
        else { return }
        peers[peer]?.underWay -= 1
        phase = .proving(proving)
        guard let links else { return withdraw(proving.offer, from: peer) }
        guard links.isLast || !links.links.isEmpty else { return distrust(peer, "sent no links, but says more follow") }
        for link in links.links {
            guard link.header.epoch < head.block.header.epoch else {
                return distrust(peer, "sent a link of epoch \(link.header.epoch), which is not before the head's")
            }
            do { try proving.trusted.follow(link, verifier: verifier) } catch {
                return distrust(peer, "sent a wrong link: \(error)")
            }
            proving.links.append(link)
        }
        guard links.isLast else {
            phase = .proving(proving)
            return
        }
        guard let finalization = head.finalization else { return }
        do {
            guard rules.checks.head else { return startFetching(proving, head, now) }
            try proving.trusted.check(head.block.header, finalization: finalization, verifier: verifier)
        } catch {
            // The digest binds the header: where it names another set, links are missing; else its proof is wrong.
            let liar: PeerId
            switch error {
            case .otherSet, .epochBefore, .otherNextSet, .heightBefore, .lastEpoch: liar = peer
            case .otherBlockFinalised, .otherView, .notFinalised: liar = proving.headFrom ?? peer
            }
            phase = .proving(Proving(offer: proving.offer, trusted: TrustedSet(genesis: genesis)))
            return distrust(liar, "the snapshot's head is not proven: \(error)")
        }
        startFetching(proving, head, now)
    }

    mutating func startFetching(_ proving: Proving, _ head: FinalizedBlock, _ now: UInt64) {
        hasProven = true
        if let checkpoint = rules.checkpoint {
            let known = proving.links.map(\.header) + [head.block.header]
            if let header = known.first(where: { $0.height == checkpoint.height }) {
                guard header.digest(genesis: genesis.hash) == checkpoint.digest else {
                    phase = .over
                    return outputs.append(
                        .fail("block \(header.height) of the chain that peers offer is not the checkpoint \(checkpoint)"))
                }
                outputs.append(.note(.checkpoint("block \(checkpoint.height) is the checkpoint's")))
            } else {
                outputs.append(
                    .note(
                        .checkpoint(
                            "could not be checked: it is about block \(checkpoint.height), the snapshot's head is "
                                + "block \(head.block.header.height)")))
            }
        }
        outputs.append(.note(.verified(proving.offer, links: proving.links.count)))
        if proving.trusted.set != genesis.masternodes { outputs.append(.trusts(proving.trusted.set)) }
        outputs.append(.begin(root: head.block.header.stateRoot))
        phase = .fetching(
            Fetching(
                offer: proving.offer,
                head: VerifiedHead(block: head, digest: proving.offer.digest, links: proving.links),
                regionBits: rules.regionBits, now: now))
    }

    /// The peer does not have the snapshot any more.
    mutating func withdraw(_ offer: SnapshotOffer, from peer: PeerId) {
        peers[peer]?.denied.insert(offer)
        if peers[peer]?.denied.count ?? 0 > rules.denials { distrust(peer, "offers snapshots that it does not have") }
    }
}
