import Consensus
import Cryptography
import Encoding
import Ledger
import NodeCore
import Primitives

/// Byzantine masternodes. Each runs two machines under one key, talks with some only, and lies besides.
extension SimulatedCluster {
    private static let remembered = 300

    func overhear(_ message: NodeMessage) {
        if overheard.count < Self.remembered {
            overheard.append(message)
        } else {
            overheard[chance.below(overheard.count)] = message
        }
    }

    /// What a liar's machine broadcasts does not reach everybody, nor unchanged.
    func speakFalsely(_ message: NodeMessage, _ node: Int) {
        if let block = proposed(message, node), isOwn(block, node), chance.happens(50) {
            proposeInvalid(block, node)
        }
        for other in nodes.indices where nodes[other].identity != nodes[node].identity {
            guard nodes[node].audience.contains(nodes[other].identity) || nodes[other].kind == .follower else { continue }
            if case .consensus = message, chance.happens(12) {
                count(.withheld)
                continue
            }
            if chance.happens(4), let changed = mutated(message) {
                count(.mutated)
                transmit(changed, from: node, to: other)
            } else {
                transmit(message, from: node, to: other)
            }
        }
    }

    /// The block that a message relays.
    private func proposed(_ message: NodeMessage, _ node: Int) -> Block? {
        switch message {
        case .body(let block): block
        case .sketch(let sketch): nodes[node].machine?.body(of: sketch.header.digest(genesis: cast.genesisHash))
        default: nil
        }
    }

    private func isOwn(_ block: Block, _ node: Int) -> Bool {
        invariants.epochs.set(of: block.header.epoch)?.member(block.header.proposer)?.consensusKey
            == cast.keys[Int(nodes[node].identity)].publicKey
    }

    /// What a liar answers a peer.
    func falsified(_ message: NodeMessage, _ node: Int) -> NodeMessage {
        if case .blocks(let blocks) = message, let last = blocks.last, chance.happens(50) {
            count(.forgedBlocks)
            let wrong = altered(last.block).block
            let subject = Finalize(
                epoch: wrong.header.epoch, view: wrong.header.view, digest: wrong.header.digest(genesis: cast.genesisHash))
            let forged = forgedFinalization(subject, by: nodes[node].identity)
            return .blocks(blocks.dropLast() + [FinalizedBlock(block: wrong, finalization: forged)])
        }
        guard chance.happens(4), let changed = mutated(message) else { return message }
        count(.mutated)
        return changed
    }

    /// Everybody's signature, made with one key.
    private func forgedFinalization(_ subject: Finalize, by liar: UInt16) -> Finalization? {
        guard let set = invariants.epochs.set(of: subject.epoch),
            let vote = try? cast.keys[Int(liar)].vote(subject, by: 0, genesis: cast.genesisHash)
        else { return nil }
        let votes = (0..<UInt16(set.count)).map {
            Vote(subject: subject, signer: $0, signature: vote.signature)
        }
        return Certificate(subject: subject, votes: votes)
    }

    /// The message with a few bytes changed, where it still decodes.
    private func mutated(_ message: NodeMessage) -> NodeMessage? {
        var payload = message.payload
        guard !payload.isEmpty else { return nil }
        for _ in 0...chance.below(3) { payload[chance.below(payload.count)] = UInt8(truncatingIfNeeded: chance.next()) }
        if chance.happens(20) { payload.removeLast(chance.below(payload.count)) }
        return try? NodeMessage(kind: message.kind.rawValue, payload: payload)
    }

    func lie() {
        if isHealed, scenario.liarsFallSilent { return }
        queue.add(.lie, at: now + chance.among(80...900))
        guard let liar = chance.pick(liars), let someone = chance.pick(honestMasternodes) else { return }
        if chance.happens(10) {
            nodes[liar].audience = Set((0..<UInt16(cast.keys.count)).filter { _ in chance.happens(75) })
        }
        guard let context = nodes[someone].machine?.epoch, let view = nodes[someone].machine?.view else { return }
        let near = View(max(1, view.value + chance.among(0...4) - min(view.value, 2)))
        for _ in 0...chance.below(4) {
            guard let victim = chance.pick(honestMasternodes) else { continue }
            if let lie = try? lie(about: chance.happens(60) ? view : near, in: context, by: nodes[liar].identity) {
                transmit(lie, from: liar, to: victim)
            }
        }
        if chance.happens(4) { flood(from: liar, view, context) }
    }

    private func lie(about view: View, in context: EpochContext, by liar: UInt16) throws -> NodeMessage {
        let key = cast.keys[Int(liar)]
        let epoch = context.epoch
        // Whoever is in the set no more goes on as if it were.
        let place = context.set.index(of: key.publicKey) ?? UInt16(chance.below(context.set.count))
        let digest = chance.pick(overheardDigests) ?? .zero
        func vote<Subject: VoteSubject>(_ subject: Subject) throws -> Vote<Subject> {
            try key.vote(subject, by: place, genesis: cast.genesisHash)
        }
        switch chance.below(12) {
        case 0:
            count(.equivocation)
            return .consensus(.nullifyVote(try vote(Nullify(epoch: epoch, view: view))))
        case 1:
            count(.equivocation)
            return .consensus(.finalizeVote(try vote(Finalize(epoch: epoch, view: view, digest: digest))))
        case 2:
            count(.falseVote)
            let proposal = Proposal(
                epoch: epoch, view: view, parentView: View(view.value - min(view.value, 1)), parentDigest: digest,
                digest: chance.pick(overheardDigests) ?? .zero)
            return .consensus(.notarizeVote(try vote(proposal)))
        case 3:
            count(.falseVote)
            return .consensus(.nullifyVote(try vote(Nullify(epoch: epoch.advanced(by: chance.among(1...3)), view: view))))
        case 4:
            count(.falseVote)
            let own = try vote(Nullify(epoch: epoch, view: view))
            let other = UInt16(chance.below(context.set.count))
            return .consensus(.nullifyVote(Vote(subject: own.subject, signer: other, signature: own.signature)))
        case 5:
            count(.falseVote)
            let subject = Finalize(epoch: epoch, view: view, digest: digest)
            return forgedFinalization(subject, by: liar).map { .consensus(.finalization($0)) } ?? .wantBody(digest)
        case 6: return .consensus(.wantCertificates(epoch: epoch, from: .zero, through: View(.max)))
        case 7:
            count(.falseHead)
            let heights = [UInt64.max, invariants.height.value + chance.among(1...1_000)]
            return .head(height: Height(chance.pick(heights) ?? 0), digest: digest)
        case 8: return .wantBlocks(from: Height(chance.among(0...50)), count: UInt16(chance.below(65_536)))
        default:
            count(.replay)
            return chance.pick(overheard) ?? .wantBody(digest)
        }
    }

    private var overheardDigests: [Digest] {
        overheard.suffix(40).compactMap {
            switch $0 {
            case .consensus(.notarizeVote(let vote)): vote.subject.digest
            case .consensus(.notarization(let certificate)): certificate.subject.digest
            case .head(_, let digest): digest
            default: nil
            }
        }
    }

    private func flood(from liar: Int, _ view: View, _ context: EpochContext) {
        count(.flood)
        guard let victim = chance.pick(honestMasternodes) else { return }
        for number in 0..<200 as Range<UInt64> {
            let message: NodeMessage?
            switch number % 4 {
            case 0: message = .wantBody(Digest(domain: "edgeproof/simulation-flood/1", parts: chance.bytes(8)))
            case 1:
                let subject = Nullify(epoch: context.epoch, view: view.advanced(by: number))
                let key = cast.keys[Int(nodes[liar].identity)]
                let vote = try? key.vote(
                    subject, by: context.set.index(of: key.publicKey) ?? 0, genesis: cast.genesisHash)
                message = vote.map { .consensus(.nullifyVote($0)) }
            case 2: message = .head(height: Height(chance.next()), digest: .zero)
            default: message = chance.pick(overheard).flatMap { mutated($0) }
            }
            if let message { transmit(message, from: liar, to: victim) }
        }
    }

    /// A proposal of this leader's view that differs from the genuine one in one field, with its vote.
    private func proposeInvalid(_ block: Block, _ node: Int) {
        let identity = nodes[node].identity
        count(.invalidBody)
        let wrong = altered(block)
        let (parentView, digest) = (wrong.parentView, wrong.block.header.digest(genesis: cast.genesisHash))
        let proposal = Proposal(
            epoch: block.header.epoch, view: block.header.view, parentView: parentView, parentDigest: block.header.parent,
            digest: digest)
        guard let vote = try? cast.keys[Int(identity)].vote(proposal, by: block.header.proposer, genesis: cast.genesisHash) else {
            return
        }
        for other in nodes.indices where nodes[other].kind == .honest && chance.happens(60) {
            transmit(.body(wrong.block), from: node, to: other)
            transmit(.consensus(.notarizeVote(vote)), from: node, to: other)
        }
    }

    private func altered(_ block: Block) -> (block: Block, parentView: View) {
        let old = block.header
        let parentView: View =
            switch block.parentCertificate {
            case .genesis: .zero
            case .notarization(let certificate): certificate.view
            case .finalization(let certificate): certificate.epoch == old.epoch ? certificate.view : .zero
            }
        let noise = Digest(domain: "edgeproof/simulation-noise/1", parts: chance.bytes(8))
        let field = chance.below(13)
        var transactions = block.transactions
        var certificate = block.parentCertificate
        if field == 10 { transactions += transactions }
        if field == 11, let first = cast.clientKeys.first, let wrong = try? cast.keys[0].sign(message: [2]),
            let transaction = try? Transaction(
                sender: first.account, sequence: chance.among(0...3), validUntil: old.time.advanced(by: 1_000),
                gasLimit: 1_000_000, value: 5, serviceId: .chain, actionId: .transfer,
                data: Transfer(recipient: .zero).borsh)
        {
            transactions.append(SignedTransaction(transaction: transaction, authorization: .ed25519(wrong)))
        }
        if field == 12 { certificate = .genesis }
        // A body that its header does not bind, now and then: the header's digest is the genuine one.
        let binds = field < 10 || chance.happens(70)
        let header = Header(
            height: field == 0 ? old.height.next : old.height, view: old.view, epoch: old.epoch, parent: old.parent,
            proposer: old.proposer,
            time: field == 1 ? old.time.advanced(by: 3_600_000) : field == 2 ? .zero : old.time,
            transactionsRoot: binds ? Block.transactionsRoot(transactions) : old.transactionsRoot,
            stateRoot: field == 3 ? noise : old.stateRoot, receiptsRoot: field == 4 ? noise : old.receiptsRoot,
            gasUsed: field == 5 ? old.gasUsed + 1 : old.gasUsed, reveal: field == 6 ? noise : old.reveal,
            randomness: field == 7 ? noise : old.randomness, activeSetHash: field == 8 ? noise : old.activeSetHash,
            nextSetHash: field == 9 ? noise : old.nextSetHash,
            parentCertificateHash: binds ? certificate.hash : old.parentCertificateHash)
        return (Block(header: header, parentCertificate: certificate, transactions: transactions), parentView)
    }
}
