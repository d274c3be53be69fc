import Cryptography
import NodeCore
import Primitives
import StateSync
import StateTree

/// What somebody offers who has no interest in anybody's joining.
enum FalseOffer: CaseIterable {
    /// What there is, and no answer when it is asked for.
    case silent
    /// A height that no chain has reached, and no answer.
    case beyondAll
    /// The same, but when asked it says that it does not have it, or shows another block.
    case absent, otherHead
    /// A state in which somebody is richer, under a head with forged signatures, whole and consistent.
    case forgedState
    /// What there is, with other leaves, fewer leaves, or none.
    case alteredChunks, emptyChunks
    /// What there is, with links that lead elsewhere or nowhere.
    case brokenLinks
    /// What there is, so late that nobody waits for it any more, or just not yet.
    case slow
}

/// Somebody without a key who has come to a node that joins.
struct Offerer {
    let kind: FalseOffer
    let node: Int
    let life: Int
}

enum OffererAct {
    case answers(SnapshotMessage, by: UInt64)
}

/// A state that never was, with everything that belongs to it.
struct Forgery {
    let snapshot: RetainedSnapshot
}

extension SimulatedCluster {
    /// No node of a cluster has such a number.
    private static let offerers: UInt64 = 1 << 32
    private static let mostOfferers = 8

    func meetOfferer(_ node: Int) {
        guard trials.offerers.values.count(where: { $0.node == node }) < Self.mostOfferers,
            let kind = trials.chance.pick(FalseOffer.allCases)
        else { return }
        let number = Self.offerers + trials.offerersMet
        trials.offerersMet += 1
        trials.offerers[number] = Offerer(kind: kind, node: node, life: nodes[node].life)
        count(.offerer)
        log("\(number), who is \(kind), comes to \(name(node))")
        meet(node, Int(number))
    }

    /// It goes; whoever comes next has another name.
    func leave(_ number: UInt64) {
        guard let offerer = trials.offerers.removeValue(forKey: number) else { return }
        part(offerer.node, from: Int(number))
    }

    /// The node that they came to has joined, or died.
    func sendAway(from node: Int) { trials.offerers = trials.offerers.filter { $0.value.node != node } }

    func ask(_ number: UInt64, _ request: SnapshotMessage) {
        guard let offerer = trials.offerers[number], let answer = falseAnswer(to: request, offerer.kind, by: number)
        else {
            return
        }
        let slowest: UInt64 = offerer.kind == .slow ? 12_000 : 200
        queue.add(.offerer(.answers(answer, by: number)), at: now + trials.chance.among(5...slowest))
    }

    func go(on act: OffererAct) {
        switch act {
        case .answers(let message, let number):
            guard let offerer = trials.offerers[number], nodes[offerer.node].life == offerer.life,
                nodes[offerer.node].join != nil
            else { return }
            guard nodes[offerer.node].pausedUntil <= now else {
                return queue.add(.offerer(act), at: nodes[offerer.node].pausedUntil)
            }
            hash.mix(now << 8 ^ number ^ Words.code(of: message) << 48)
            hear(message, from: PeerId(number: number), joining: offerer.node)
        }
    }

    /// Nil is silence.
    func falseAnswer(to request: SnapshotMessage, _ kind: FalseOffer, by liar: UInt64) -> SnapshotMessage? {
        let nothing = Digest(domain: "edgeproof/simulation-offer/1", parts: PeerId(number: liar).key.bytes)
        let beyond = SnapshotOffer(height: Height(1 << 60), digest: nothing)
        switch (kind, request) {
        case (.silent, .wantOffers): return truth(request)
        case (.silent, _): return nil
        case (.beyondAll, .wantOffers), (.absent, .wantOffers), (.otherHead, .wantOffers): return .offers([beyond])
        case (.beyondAll, _): return nil
        case (.otherHead, .wantHead(let digest)): return .head(digest, anyBlock())
        case (.absent, _), (.otherHead, _): return try? request.answer(from: nil)
        case (.forgedState, .wantOffers): return forgery().map { .offers([$0.snapshot.offer]) }
        case (.forgedState, _):
            return forgery().flatMap { try? request.answer(from: $0.snapshot, chunkBytes: trials.chunkBytes) }
        case (.alteredChunks, .wantChunk), (.emptyChunks, .wantChunk):
            guard case .chunk(let digest, let start, let chunk?) = truth(request) else { return nil }
            var leaves = kind == .emptyChunks ? [] : chunk.leaves
            if kind == .alteredChunks, !leaves.isEmpty {
                let place = trials.chance.below(leaves.count)
                if trials.chance.happens(50) {
                    leaves.remove(at: place)
                } else {
                    leaves[place] = StateChunk.Leaf(key: leaves[place].key, value: leaves[place].value + [1])
                }
            }
            return .chunk(digest, start: start, StateChunk(range: chunk.range, leaves: leaves, proof: chunk.proof))
        case (.brokenLinks, .wantLinks):
            guard case .links(let digest, let from, let links?) = truth(request) else { return nil }
            let wrong =
                switch trials.chance.below(3) {
                case 0: Array(links.links.dropFirst())
                case 1: links.links + links.links
                default: [EpochLink]()
                }
            let isLast = trials.chance.happens(50)
            return .links(digest, from: from, SnapshotMessage.Links(links: wrong, isLast: isLast))
        case (.alteredChunks, _), (.emptyChunks, _), (.brokenLinks, _), (.slow, _): return truth(request)
        }
    }

    /// What an honest node would say: whoever wants to be asked has to know it.
    private func truth(_ request: SnapshotMessage) -> SnapshotMessage? {
        for node in nodes.indices where nodes[node].isHonest && nodes[node].machine != nil {
            let offers = nodes[node].shelf.offers
            if case .wantOffers = request, !offers.isEmpty { return .offers(offers) }
            guard let digest = request.wanted, offers.contains(where: { $0.digest == digest }) else { continue }
            let kept = nodes[node].shelf.fetch(digest, at: now)
            return try? request.answer(from: kept, chunkBytes: trials.chunkBytes)
        }
        return nil
    }

    private func anyBlock() -> FinalizedBlock? {
        for node in nodes.indices where nodes[node].isHonest {
            let head = try? nodes[node].disk.store.head()
            if let head, let block = try? nodes[node].disk.store.block(at: head.height) { return block }
        }
        return nil
    }

    private func forgery() -> Forgery? {
        if trials.forgery == nil { trials.forgery = forge() }
        return trials.forgery
    }

    private func forge() -> Forgery? {
        guard let block = anyBlock(), let finalization = block.finalization,
            let node = nodes.indices.first(where: {
                nodes[$0].isHonest && (try? nodes[$0].disk.store.block(at: block.block.header.height)) == block
            })
        else { return nil }
        var content = nodes[node].disk.store.frozen().content
        let key = StateKey.account(cast.nuisance.account)
        guard let value = content.values[key], !value.isEmpty else { return nil }
        var richer = value
        richer[0] ^= 0x80
        guard
            let update = try? StateTree.update(
                reader: content, changes: [(path: key.path, valueHash: StateTree.valueHash(richer))])
        else { return nil }
        content.apply(update)
        content.values[key] = richer
        let old = block.block.header
        let header = Header(
            height: old.height.advanced(by: 1_000), view: old.view, epoch: old.epoch, parent: old.parent,
            proposer: old.proposer, time: old.time, transactionsRoot: old.transactionsRoot, stateRoot: update.root,
            receiptsRoot: old.receiptsRoot, gasUsed: old.gasUsed, reveal: old.reveal, randomness: old.randomness,
            activeSetHash: old.activeSetHash, nextSetHash: old.nextSetHash,
            parentCertificateHash: old.parentCertificateHash)
        let digest = header.digest(genesis: cast.genesisHash)
        let subject = Finalize(epoch: old.epoch, view: finalization.view, digest: digest)
        guard let vote = try? cast.nuisance.vote(subject, by: 0, genesis: cast.genesisHash),
            let set = invariants.epochs.set(of: old.epoch)
        else { return nil }
        let votes = (0..<UInt16(set.count)).map { Vote(subject: subject, signer: $0, signature: vote.signature) }
        content.blocks[header.height] = FinalizedBlock(
            block: Block(
                header: header, parentCertificate: block.block.parentCertificate, transactions: block.block.transactions
            ),
            finalization: Certificate(subject: subject, votes: votes))
        return Forgery(
            snapshot: RetainedSnapshot(
                offer: SnapshotOffer(height: header.height, digest: digest), store: FrozenStore(content)))
    }
}
