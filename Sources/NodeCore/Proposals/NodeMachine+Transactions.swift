import Consensus
import Cryptography
import Ledger
import Mempool
import Primitives

/// Takes transactions from clients and peers into the pool.
extension NodeMachine {
    public enum Submission: Sendable {
        case taken(TransactionId)
        /// The same transaction waits already.
        case known(TransactionId)
        case refused(Refusal)
        case notPooled(MempoolRefusal)
        /// The store can't be read.
        case failed(String)
    }

    /// Clients' transactions, in their order: admitted ones go to every masternode.
    public func submit(_ transactions: [SignedTransaction], at clock: NodeClock) -> ([Submission], [NodeOutput]) {
        let submissions = transactions.map { admit($0, clock) }
        let fresh = zip(transactions, submissions).compactMap { transaction, submission in
            if case .taken = submission { transaction } else { nil }
        }
        tellMasternodes(fresh)
        offerToSketches(transactions, clock)
        settle(clock)
        return (submissions, takeOutputs())
    }

    public func submit(_ transaction: SignedTransaction, at clock: NodeClock) -> (Submission, [NodeOutput]) {
        let (submissions, outputs) = submit([transaction], at: clock)
        return (submissions.first ?? .failed("nothing was submitted"), outputs)
    }

    func receivedTransactions(_ transactions: [SignedTransaction], from peer: NodePeer, _ clock: NodeClock) {
        offerToSketches(transactions, clock)
        var fresh: [SignedTransaction] = []
        for transaction in transactions {
            switch admit(transaction, clock) {
            case .taken: fresh.append(transaction)
            case .refused(.wrongSignature):
                // The rest of its message is not looked at: what it costs to check is what a flood is after.
                outputs.append(.note(.offence(peer, .badSignature)))
                return pass(fresh, from: peer)
            default: break
            }
        }
        pass(fresh, from: peer)
    }

    private func pass(_ fresh: [SignedTransaction], from peer: NodePeer) {
        // A masternode told every other one itself; a follower may know this node alone.
        if case .follower = peer { tellMasternodes(fresh) }
    }

    /// Clients bring more at once than one message may hold.
    private func tellMasternodes(_ transactions: [SignedTransaction]) {
        for message in NodeMessage.telling(of: transactions) { outputs.append(.broadcast(message, to: .masternodes)) }
    }

    func admit(_ transaction: SignedTransaction, _ clock: NodeClock) -> Submission {
        let id = transaction.id(genesis: genesisHash)
        if mempool.contains(id) { return .known(id) }
        do {
            let verdict = try ledger.admit(
                transaction, state: head.layer, time: max(head.header.time, clock.wall),
                parameters: head.context.parameters, reservedCredits: { mempool.reservedCredits(of: $0) }
            ) { signed, id in self.isAuthorized(signed, id: id) }
            switch verdict {
            case .refused(let refusal): return .refused(refusal)
            case .admitted(let facts):
                let admitted = Admitted(
                    id: facts.id, signed: transaction, byteCount: facts.byteCount, reservedCredits: facts.reservedCredits,
                    payer: facts.payer, weight: facts.payerCapacity, replaces: facts.replaces, isEvidence: facts.isEvidence)
                do throws(MempoolRefusal) {
                    _ = try mempool.insert(admitted, nextSequence: facts.nextSequence)
                } catch {
                    return .notPooled(error)
                }
                return .taken(id)
            }
        } catch {
            return .failed("\(error)")
        }
    }

    /// Waiting transactions for a peer that may not have them, as many as one message holds.
    var waitingForPeers: [SignedTransaction] { firstWaiting.map(\.signed) }

    private var firstWaiting: [Admitted] {
        mempool.candidates(maxBytes: NodeLimits.gossipBytes, maxCount: NodeLimits.gossipTransactions)
    }

    /// Tells the masternodes of transactions that waited the last time already: the message about them may be lost. Those
    /// that came since then are on their way into a block, and on a slow line no place is free for telling of them twice.
    func tellAgain() {
        let waiting = firstWaiting
        let late = waiting.filter { waitedBefore.contains($0.id) }.map(\.signed)
        waitedBefore = Set(waiting.map(\.id))
        if !late.isEmpty { outputs.append(.broadcast(.transactions(late), to: .masternodes)) }
    }
}
