import Cryptography
import Encoding
import Primitives

/// Transactions that a proposer chose, with their root.
public struct TransactionSelection: Sendable {
    public let transactions: [SignedTransaction]
    public let transactionIds: [TransactionId]
    public let transactionsRoot: Digest
    /// Sum of the gas limits.
    public let gasLimit: UInt64
    /// Candidates that no block can hold as things are: never any more, or not before something else changes. They have
    /// no business in the pool.
    public let refused: [(id: TransactionId, refusal: Refusal)]
    /// What took so long that the proposer stopped, if it did.
    public let stoppedAt: TransactionId?
}

extension Ledger {
    /// Chooses from the candidates, in their order, all that one block on this state may hold. A block with the result
    /// passes ``checkBody(_:parent:state:context:firstUnauthorized:)``.
    /// - Parameters:
    ///   - candidates: authorized transactions, each account's by ascending sequence, as admission let them in.
    ///   - state: after the parent.
    ///   - time: of the new block's header.
    ///   - certificate: that the block will hold; it takes part of the block's bytes.
    public func selectTransactions(
        from candidates: some Sequence<SignedTransaction>, state: any StateReader, time: Time,
        certificate: ParentCertificate
    ) throws(LedgerError) -> TransactionSelection {
        try select(
            from: candidates, state: state, parameters: try parameters(state), time: time, certificate: certificate
        ) { _, _ throws(LedgerError) in true }
    }

    /// Chooses transactions as ``selectTransactions(from:state:time:certificate:)`` does, and executes each as it is
    /// chosen, as long as the proposer has time for it: gas is a bound that all agree on, a clock knows what it took.
    /// - Parameter mayGoOn: asked after each transaction, with the number of values that the block changes so far.
    /// - Returns: the transactions, and what executing a block of them gives.
    public func propose(
        from candidates: some Sequence<SignedTransaction>, frame: BlockFrame, state: any StateReader,
        context: EpochContext, mayGoOn: (Int) -> Bool
    ) throws(LedgerError) -> (TransactionSelection, Execution) {
        var execution = try BlockExecution(
            self, frame, state: state, context: context, transactions: candidates.underestimatedCount)
        let selection = try select(
            from: candidates, state: state, parameters: context.parameters, time: frame.time,
            certificate: frame.parentCertificate
        ) { signed, id throws(LedgerError) in
            try execution.run(signed, id: id)
            return mayGoOn(execution.changes)
        }
        return (selection, try execution.finish())
    }

    private func select(
        from candidates: some Sequence<SignedTransaction>, state: any StateReader, parameters: Parameters, time: Time,
        certificate: ParentCertificate, take: (SignedTransaction, TransactionId) throws(LedgerError) -> Bool
    ) throws(LedgerError) -> TransactionSelection {
        let overhead = Self.headerBytes + certificate.borsh.count + 4
        var prepass = Prepass(
            parameters: parameters, state: state, time: time, bytes: overhead, transactions: candidates.underestimatedCount)
        var chosen: [SignedTransaction] = []
        var ids: [TransactionId] = []
        var leaves: [Digest] = []
        var refused: [(id: TransactionId, refusal: Refusal)] = []
        var stoppedAt: TransactionId?
        var misfits = 0
        for signed in candidates {
            let verdict = try prepass.add(signed.transaction, byteCount: signed.byteCount)
            let id = signed.id(genesis: genesisHash)
            switch verdict {
            case .taken:
                chosen.append(signed)
                ids.append(id)
                leaves.append(signed.leafHash)
                if try !take(signed, id) { stoppedAt = id }
            // One after a candidate that was refused: it waits for another one of that sequence.
            case .refused(.sequenceGap): break
            // The clocks of its sender and of this node differ.
            case .refused(.validTooLong): break
            case .refused(let refusal): refused.append((id, refusal))
            // An empty block can't hold it.
            case .full where chosen.isEmpty && misfits == 0 && signed.byteCount > Int(parameters.blockBytes) - overhead:
                refused.append((id, .oversize(bytes: signed.byteCount, limit: Int(parameters.blockBytes) - overhead)))
            case .full:
                // Smaller ones may still fit, but the search has an end.
                misfits += 1
            }
            if stoppedAt != nil || misfits >= Self.mostMisfits { break }
        }
        return TransactionSelection(
            transactions: chosen, transactionIds: ids, transactionsRoot: MerkleLog.root(leaves), gasLimit: prepass.gas,
            refused: refused, stoppedAt: stoppedAt)
    }

    private static let mostMisfits = 256

    /// Every header has the same size.
    static let headerBytes = Header(
        height: .zero, view: .zero, epoch: .zero, parent: .zero, proposer: 0, time: .zero, transactionsRoot: .zero,
        stateRoot: .zero, receiptsRoot: .zero, gasUsed: 0, reveal: .zero, randomness: .zero, activeSetHash: .zero,
        nextSetHash: .zero, parentCertificateHash: .zero
    ).borsh.count
}
