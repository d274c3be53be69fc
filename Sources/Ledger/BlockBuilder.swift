import Cryptography
import Encoding
import Primitives

/// Transactions that a proposer chose, with their root.
public struct TransactionSelection: Sendable {
    public let transactions: [SignedTransaction]
    public let transactionsRoot: Digest
    /// Sum of the gas limits.
    public let gasLimit: UInt64
    /// Candidates that will never be valid any more, with the reason; those that have to wait are not here.
    public let refused: [(id: TransactionId, refusal: Refusal)]
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
        let overhead = Self.headerBytes + certificate.borsh.count + 4
        var prepass = Prepass(parameters: try parameters(state), state: state, time: time, bytes: overhead)
        var chosen: [SignedTransaction] = []
        var leaves: [Digest] = []
        var refused: [(id: TransactionId, refusal: Refusal)] = []
        var misfits = 0
        for signed in candidates {
            let encoded = signed.borsh
            switch try prepass.add(signed.transaction, byteCount: encoded.count) {
            case .taken:
                chosen.append(signed)
                leaves.append(MerkleLog.leafHash(encoded))
            case .refused(let refusal) where !refusal.isFinal: break
            case .refused(let refusal):
                refused.append((signed.transaction.id(genesis: genesisHash), refusal))
            case .full:
                // Smaller ones may still fit, but the search has an end.
                misfits += 1
            }
            if misfits >= Self.mostMisfits { break }
        }
        return TransactionSelection(
            transactions: chosen, transactionsRoot: MerkleLog.root(leaves), gasLimit: prepass.gas, refused: refused)
    }

    private static let mostMisfits = 256

    /// Every header has the same size.
    static let headerBytes = Header(
        height: .zero, view: .zero, epoch: .zero, parent: .zero, proposer: 0, time: .zero, transactionsRoot: .zero,
        stateRoot: .zero, receiptsRoot: .zero, gasUsed: 0, reveal: .zero, randomness: .zero, activeSetHash: .zero,
        nextSetHash: .zero, parentCertificateHash: .zero
    ).borsh.count
}
