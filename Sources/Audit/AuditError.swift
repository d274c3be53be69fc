import Cryptography
import Encoding
import Primitives

/// Why an audit file is refused: what was wrong, where, and what it means.
public enum AuditError: Error, Equatable, Sendable, CustomStringConvertible {
    // The file
    case notAnAuditFile
    case truncated(Int)
    case unsupportedVersion(UInt8)
    case damaged(computed: Digest)
    case malformed(BorshError)
    // The block
    case otherGenesis(file: Digest, given: Digest)
    /// A change of the masternode set is not proven.
    case brokenLink(Int, TrustError)
    /// The block is not one that follows from the genesis and the changes in the file.
    case notTrusted(TrustError)
    case otherEpoch(Height, Epoch, expected: Epoch)
    case otherMasternodes(Height, header: Digest, trusted: Digest)
    case brokenChain(Height, String)
    case otherBlockFinalised(Height, header: Digest, certificate: Digest)
    case notFinalised(Height, CertificateError)
    case checkpointNotCovered(Height, lowest: Height, highest: Height)
    case otherThanCheckpoint(Height, file: Digest, checkpoint: Digest)
    // The account
    case unprovenRecord(Account, height: Height)
    case entryOutOfPlace(position: UInt64, index: UInt64)
    case incompleteHistory(entries: UInt64, proven: UInt64)
    case changedHistory(computed: Digest, proven: Digest)
    case entryOutOfTime(UInt64, String)
    case foreignAction(UInt64, sender: Account)
    case sequenceGap(UInt64, found: UInt64, expected: UInt64)
    case missingActions(found: UInt64, proven: UInt64)
    case unprovenReputation(Role, height: Height)
    case wrongReputation(Role, computed: ReputationRecord, proven: ReputationRecord)

    public var description: String {
        switch self {
        case .notAnAuditFile:
            "this is not an audit file: it does not start with EDGEPROOF-AUDIT"
        case .truncated(let count):
            "the audit file is cut off: it has only \(count) bytes; fetch it again"
        case .unsupportedVersion(let version):
            "the audit file has version \(version); this program reads version \(Audit.version)"
        case .damaged(let computed):
            """
            the audit file is damaged: its content hashes to \(computed), which is not the checksum at its end; it was \
            changed after it was written; fetch it again
            """
        case .malformed(let error):
            "the audit file is not well formed, though its checksum fits, so it was written wrongly: \(error)"
        case .otherGenesis(let file, let given):
            "the audit file is about the chain with genesis \(file), the genesis given is that of chain \(given)"
        case .brokenLink(let index, let error):
            "change \(index) of the masternode set is not proven: \(error)"
        case .notTrusted(let error): "the block in the file is not proven final: \(error)"
        case .otherEpoch(let height, let epoch, let expected):
            "the header at height \(height) is of epoch \(epoch), expected is \(expected)"
        case .otherMasternodes(let height, let header, let trusted):
            """
            the header at height \(height) names masternode set \(header), the genesis and the changes in the file lead to \
            \(trusted): it is not a block of this chain, or a change was left out
            """
        case .brokenChain(let height, let reason):
            "the header at height \(height) is not part of the chain in the file: \(reason)"
        case .otherBlockFinalised(let height, let header, let certificate):
            """
            the Finalization is about block \(certificate), the header at height \(height) is block \(header): the header \
            is not proven final
            """
        case .notFinalised(let height, let error):
            "the masternodes of its epoch did not finalise the block at height \(height): its \(error)"
        case .checkpointNotCovered(let height, let lowest, let highest):
            """
            the checkpoint is at height \(height), the file covers heights \(lowest) to \(highest): it cannot be compared; \
            ask for a file or a checkpoint at the other's height
            """
        case .otherThanCheckpoint(let height, let file, let checkpoint):
            """
            at height \(height) the file has block \(file), the checkpoint says \(checkpoint): the file is from another \
            history of this chain
            """
        case .unprovenRecord(let account, let height):
            "the record of \(account) is not what the state root at height \(height) holds: the record or its proof is forged"
        case .entryOutOfPlace(let position, let index):
            "history entry \(position) has the index \(index): entries were left out, added or moved"
        case .incompleteHistory(let entries, let proven):
            "the file has \(entries) history entries, the state proves \(proven): the history is not complete"
        case .changedHistory(let computed, let proven):
            """
            the history entries hash to \(computed), the state proves \(proven): at least one entry is not what the chain \
            recorded
            """
        case .entryOutOfTime(let index, let reason):
            "history entry \(index) has an impossible height or time: \(reason)"
        case .foreignAction(let index, let sender):
            "history entry \(index) is an action of \(sender), not of this account"
        case .sequenceGap(let index, let found, let expected):
            "history entry \(index) is the action with sequence \(found), expected is \(expected): actions are missing or moved"
        case .missingActions(let found, let proven):
            "the history has \(found) actions of the account, its record proves \(proven)"
        case .unprovenReputation(let role, let height):
            """
            the reputation as \(role) is not what the state root at height \(height) holds: the record or its proof is \
            forged
            """
        case .wrongReputation(let role, let computed, let proven):
            """
            the findings give \(role) P=\(computed.positive) N=\(computed.negative) in period \(computed.period), the \
            state proves P=\(proven.positive) N=\(proven.negative) in period \(proven.period)
            """
        }
    }
}
