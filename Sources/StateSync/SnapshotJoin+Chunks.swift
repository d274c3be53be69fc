import Cryptography
import Primitives
import StateTree

/// Fetches the state of the proven head, range by range.
extension SnapshotJoin {
    mutating func askForChunks(_ now: UInt64) {
        guard case .fetching(var fetching) = phase else { return }
        if fetching.isComplete {
            phase = .over
            return outputs.append(.complete(fetching.head))
        }
        for (index, start) in fetching.waiting {
            guard let peer = providers(of: fetching.offer).first(where: { peers[$0]?.underWay ?? 0 < rules.requestsPerPeer })
            else { break }
            fetching.asked(index, Request(peer: peer, at: now))
            peers[peer]?.underWay += 1
            outputs.append(
                .send(
                    .wantChunk(fetching.offer.digest, start: start, minimumDepth: UInt16(rules.regionBits)), to: peer))
        }
        if fetching.isIdle, providers(of: fetching.offer).isEmpty {
            return abandon(fetching.offer, "no peer has it any more, or answers", now)
        }
        phase = .fetching(fetching)
    }

    mutating func receivedChunk(_ digest: Digest, start: Digest, _ chunk: StateChunk?, from peer: PeerId) {
        guard case .fetching(var fetching) = phase, digest == fetching.offer.digest,
            let region = fetching.answered(start, by: peer)
        else { return }
        peers[peer]?.underWay -= 1
        peers[peer]?.silences = 0
        phase = .fetching(fetching)
        guard let chunk else { return withdraw(fetching.offer, from: peer) }
        let smallest = max(rules.regionBits, PathRange.smallestDepth(startingAt: start))
        guard chunk.range.start == start, chunk.range.depth >= smallest else {
            return distrust(peer, "sent a chunk that does not begin where it was asked to")
        }
        guard !rules.checks.chunks || chunk.verify(root: fetching.head.block.block.header.stateRoot) else {
            return distrust(peer, "sent a chunk that does not belong to the state")
        }
        if chunk.range.depth > smallest {
            // A smaller range than allowed is only right where the larger one has more leaves.
            guard chunk.proof.siblings.count == chunk.range.depth, chunk.proof.siblings.first != StateTree.emptyRoot else {
                return distrust(peer, "cuts empty ranges into pieces")
            }
            let isCrumb = chunk.leaves.reduce(0) { $0 + $1.byteCount } < rules.chunkBytes / 16
            let crumbs = isCrumb ? (peers[peer]?.crumbs ?? 0) + 1 : 0
            peers[peer]?.crumbs = crumbs
            if crumbs > rules.crumbs { return distrust(peer, "sends crumbs of the state") }
        }
        peers[peer]?.served += 1
        if !chunk.leaves.isEmpty { outputs.append(.store(chunk.leaves)) }
        let before = fetching.percent
        fetching.took(chunk, region: region)
        if fetching.percent / 5 > before / 5 || fetching.chunks % 64 == 0 {
            outputs.append(
                .note(.progress(chunks: fetching.chunks, bytes: fetching.bytes, percent: fetching.percent)))
        }
        phase = .fetching(fetching)
    }
}
