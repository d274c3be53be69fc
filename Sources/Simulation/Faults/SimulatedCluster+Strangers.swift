import Consensus
import Cryptography
import NodeCore
import Primitives

/// Peers without a key: they cost a node what it lets them cost, come again under new names, and never help. And what
/// disks do to those who have keys.
extension SimulatedCluster {
    /// Connections of strangers have numbers that no node of the cast has.
    static let strangers: UInt64 = 1 << 32

    static func isStranger(_ peer: NodePeer) -> Bool {
        if case .follower(let number) = peer { number >= strangers } else { false }
    }

    /// One stranger comes to one node, says a few things, and goes; the next comes under another name.
    func meetStranger(_ number: UInt64) {
        guard !isHealed || now < healedAt + 5_000 else { return }
        queue.add(.stranger(number + 1), at: now + chance.among(200...1_500))
        guard let node = chance.pick(nodes.indices.filter { nodes[$0].isHonest && nodes[$0].machine != nil }),
            nodes[node].pausedUntil <= now
        else { return }
        count(.stranger)
        let stranger = NodePeer.follower(Self.strangers + number)
        let life = nodes[node].life
        step(node, .connected(stranger))
        for _ in 0...chance.below(4) {
            guard nodes[node].life == life, let message = strangeMessage(node) else { break }
            step(node, .message(message, from: stranger))
        }
        // Some stay, silent: what was asked of them is never answered.
        if nodes[node].life == life, chance.happens(60) { step(node, .disconnected(stranger)) }
    }

    private func strangeMessage(_ node: Int) -> NodeMessage? {
        let height = nodes[node].published
        switch chance.below(6) {
        case 0:
            count(.strangeHead)
            return .head(height: Height(chance.pick([1 << 60, height.value + 3, height.value + 500]) ?? 0), digest: .zero)
        case 1:
            count(.strangeFlood)
            guard let key = cast.clientKeys.first, let wrong = try? cast.keys[0].sign(message: [7]),
                let transaction = try? Transaction(
                    sender: key.account, sequence: clients.first?.next ?? 0,
                    validUntil: Time(Cast.genesisTime.value + 1_800_000), gasLimit: 2_000_000, serviceId: .chain,
                    actionId: .transfer, data: key.account.bytes)
            else { return nil }
            return .transactions(
                Array(repeating: SignedTransaction(transaction: transaction, authorization: .ed25519(wrong)), count: 20))
        case 2: return .wantBlocks(from: Height(1), count: 64)
        case 3:
            guard let stored = try? nodes[node].disk.store.block(at: height), height > .zero else { return nil }
            return .blocks([stored])
        case 4:
            guard let stored = try? nodes[node].disk.store.block(at: height), height > .zero else { return nil }
            return .body(stored.block)
        default: return .consensus(.wantCertificates(epoch: .zero, from: View(1), through: View(1_000_000)))
        }
    }

    /// Somebody backs a masternode's journal up, now and then.
    func backUp(_ node: Int) {
        guard scenario.losesVotes || configuration.losesVotes, nodes[node].kind == .honest, chance.happens(15) else { return }
        nodes[node].copy = nodes[node].disk.journal
    }

    /// A masternode that died may find its journal gone, an older copy in its place, or an empty disk.
    func loseVotes(_ node: Int) {
        guard scenario.losesVotes || configuration.losesVotes, !isHealed, nodes[node].kind == .honest, !nodes[node].hasLostVotes,
            Int(nodes[node].identity) < cast.count, nodes[node].published > Height(1)
        else { return }
        let copy = nodes[node].copy
        let tolerated = cast.genesis.masternodes.faultTolerance - min(configuration.byzantine, configuration.masternodes)
        guard lostVotes < tolerated, chance.happens(25) else { return }
        lostVotes += 1
        nodes[node].hasLostVotes = true
        nodes[node].mustAsk = true
        nodes[node].comesBack = chance.happens(50)
        switch chance.below(3) {
        case 0:
            count(.lostJournal)
            nodes[node].disk.replaceJournal(by: [])
        case 1 where copy != nil:
            count(.oldJournal)
            // A copy that reaches as far as the store knows is one that nothing tells from the journal.
            let mark = (try? nodes[node].disk.store.voteMark()).flatMap { $0 }?.position ?? .none
            nodes[node].mustAsk = (copy ?? []).compactMap(\.reach).max() ?? .none < mark
            nodes[node].disk.replaceJournal(by: copy ?? [])
        default:
            count(.lostDisk)
            nodes[node].disk.lose()
            nodes[node].published = .zero
            nodes[node].joinsBySnapshot = mayJoin()
        }
        invariants.losesVotes(nodes[node].identity)
        log("\(name(node)) has lost votes")
    }
}

extension JournalEntry {
    /// How far it shows that its node has voted.
    fileprivate var reach: VotePosition? {
        switch self {
        case .reached(let position): position
        case .consensus(.notarizeVote(let vote)): VotePosition(epoch: vote.subject.epoch, view: vote.subject.view)
        case .consensus(.nullifyVote(let vote)): VotePosition(epoch: vote.subject.epoch, view: vote.subject.view)
        case .consensus(.finalizeVote(let vote)): VotePosition(epoch: vote.subject.epoch, view: vote.subject.view)
        // Below it the node votes no more, whatever it said there.
        case .consensus(.floor(let epoch, let view)): VotePosition(epoch: epoch, view: view)
        default: nil
        }
    }
}
