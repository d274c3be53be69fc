import Consensus
import Cryptography
import Ledger
import Primitives

/// Checks the signatures of votes and transactions: Ed25519 in a network, keyed hashes in most runs of the simulator.
public protocol NodeSignatures: SignatureVerifier {
    /// Whether the authorization is the sender's, on the chain of this genesis.
    ///
    /// - Parameter id: the transaction's.
    func isAuthorized(_ transaction: SignedTransaction, id: TransactionId, genesis: Digest) -> Bool
    /// The same of each of many, in their order.
    ///
    /// - Parameter ids: theirs, in the same order.
    func areAuthorized(_ transactions: [SignedTransaction], ids: [TransactionId], genesis: Digest) -> [Bool]
}

extension NodeSignatures {
    public func areAuthorized(_ transactions: [SignedTransaction], ids: [TransactionId], genesis: Digest) -> [Bool] {
        zip(transactions, ids).map { isAuthorized($0, id: $1, genesis: genesis) }
    }
}

extension Ed25519Verifier: NodeSignatures {
    public func isAuthorized(_ transaction: SignedTransaction, id: TransactionId, genesis: Digest) -> Bool {
        transaction.isAuthorized(genesis: genesis)
    }

    public func areAuthorized(_ transactions: [SignedTransaction], ids: [TransactionId], genesis: Digest) -> [Bool] {
        SignatureBatch.check(transactions.map { $0.claim(genesis: genesis) })
    }
}

/// The checks that make a node safe, as switches, and the limits that a short run would never reach. In the product
/// all checks are on; tests switch one off to see that the simulator notices (a mutation without a rebuild).
package struct NodeRules: Sendable, Hashable {
    package var consensus = Rules()
    package var ledger = LedgerRules()
    /// The body that a vote is about is durable with the vote.
    package var journalBodies = true
    /// A restarted node knows the bodies that it voted for.
    package var replayBodies = true
    /// A body is checked on its parent. Off: every body is valid.
    package var checkBodies = true
    /// A body is what its header's roots say, before it takes the place of that header.
    package var bindBodies = true
    /// Blocks from a peer are proven by a quorum's Finalization.
    package var checkSyncProof = true
    /// A final block is told of when the store holds it.
    package var publishWhenDurable = true
    /// A cut journal keeps the bodies of final blocks that the store does not hold yet.
    package var keepUncommitted = true
    /// Records of an epoch that a restarted node has not reached again are kept until it has.
    package var keepLaterRecords = true
    /// A journal that is not the one the key voted with, or does not reach so far, is recognised.
    package var checkMemory = true
    /// Contradictions are reported to the ledger.
    package var reportEvidence = true
    /// Rule 11: nothing is built above an epoch's border block, which is proposed again until it is final.
    package var stopAtBorder = true

    /// The journal is cut when it has grown past this many bytes.
    package var journalBytes = NodeLimits.journalBytes
    /// Bodies of blocks that are not final yet.
    package var candidateBlocks = NodeLimits.candidateBlocks
    /// What of a run of blocks with one proof goes in one message.
    package var syncMessageBytes = NodeLimits.syncMessageBytes

    /// Milliseconds from a block's time to its child's, where both hold transactions and few wait: each block costs every
    /// node its votes, certificates and syncs, whatever it holds.
    package var blockSpacingMs = NodeLimits.blockSpacingMs

    /// A masternode renews its hash chain when fewer links are left.
    package var beaconReserve = BeaconChain.standardLength / 4

    /// Versions of the protocol that this node can run.
    package var newestProtocol = ProtocolVersion.newest

    package init() {}
}
