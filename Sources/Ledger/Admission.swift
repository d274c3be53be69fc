import Cryptography
import Encoding
import Primitives

/// What admission found out about a transaction that the chain may take.
public struct AdmissionFacts: Hashable, Sendable {
    public let id: TransactionId
    /// Of the encoded signed transaction.
    public let byteCount: Int
    /// Credits that it reserves while it waits and in its block.
    public let reservedCredits: UInt64
    /// The sender's next sequence in the state.
    public let nextSequence: UInt64
}

public enum AdmissionVerdict: Equatable, Sendable {
    case admitted(AdmissionFacts)
    case refused(Refusal)
}

extension Ledger {
    /// A transaction out of a client's bytes: exactly one, and not more bytes than any may have.
    public static func decode(_ bytes: [UInt8]) -> Result<SignedTransaction, Refusal> {
        guard bytes.count <= ChainLimits.transactionBytes else {
            return .failure(.oversize(bytes: bytes.count, limit: ChainLimits.transactionBytes))
        }
        do { return .success(try SignedTransaction(borsh: bytes)) } catch { return .failure(.malformed(error)) }
    }

    /// Whether a transaction may wait for a block: the rules of blocks (see `Prepass`) on the newest state, but that
    /// it may be up to ``ChainLimits/sequenceWindow`` ahead, and that a contract which would fail to upload is refused
    /// at once. Whether its transfer is covered is no matter of validity: that shows in its receipt.
    ///
    /// Cheap rules come first: a signature is checked only for a sender that has credits.
    /// - Parameters:
    ///   - time: a header time, or the node's clock where that is later.
    ///   - reservedCredits: what the sender's waiting transactions have reserved.
    public func admit(
        _ signed: SignedTransaction, state: any StateReader, time: Time, reservedCredits: UInt64 = 0,
        isAuthorized: ((SignedTransaction, TransactionId) -> Bool)? = nil
    ) throws(LedgerError) -> AdmissionVerdict {
        let transaction = signed.transaction
        let parameters = try parameters(state)
        let byteCount = signed.borsh.count
        if let refusal = Form(parameters: parameters).refusal(of: transaction, byteCount: byteCount) {
            return .refused(refusal)
        }
        let credits = Credits(parameters)
        let record = try state.read(.account(transaction.sender), as: AccountRecord.self) ?? AccountRecord()
        let needed = parameters.reservedCredits(transactionBytes: byteCount, gas: transaction.gasLimit)
        guard credits.capacity(stake: record.stake) > 0 else {
            return .refused(.tooFewCredits(needed: needed, available: 0, enoughAt: nil))
        }

        let id = transaction.id(genesis: genesisHash)
        let authorized = isAuthorized.map { $0(signed, id) } ?? signed.isAuthorized(genesis: genesisHash)
        guard authorized else { return .refused(.wrongSignature) }

        guard transaction.sequence >= record.sequence else {
            return .refused(.sequenceReused(transaction.sequence, next: record.sequence))
        }
        guard transaction.sequence - record.sequence < ChainLimits.sequenceWindow else {
            return .refused(.sequenceTooFarAhead(transaction.sequence, next: record.sequence))
        }
        if let refusal = parameters.timeRefusal(of: transaction, at: time) { return .refused(refusal) }
        if transaction.actionId.range == .contract, try state.read(.service(transaction.serviceId)) == nil {
            return .refused(.noSuchService(transaction.serviceId, transaction.actionId))
        }
        let available = credits.available(record, at: time)
        let total = needed.addingSaturating(reservedCredits)
        guard total <= available else {
            return .refused(
                .tooFewCredits(
                    needed: total, available: available, enoughAt: credits.time(of: total, for: record, at: time)))
        }
        if transaction.actionId == .uploadContract {
            do { _ = try ContractModule(checking: transaction.data) } catch {
                return .refused(.malformedModule(error.description))
            }
        }
        return .admitted(
            AdmissionFacts(
                id: id, byteCount: byteCount, reservedCredits: needed, nextSequence: record.sequence))
    }
}
