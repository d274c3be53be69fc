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
    /// Whose credits these are: the sender's, or those of a service's contract that sponsors it.
    public let payer: Account
    /// Most credits that the payer can have.
    public let payerCapacity: UInt64
    /// The transaction that it wants to take the place of.
    public let replaces: TransactionId?
    /// Whether it is a registered masternode's report of a contradiction, with the gas that one takes.
    public let isEvidence: Bool
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
    /// it may be up to ``ChainLimits/sequenceWindow`` ahead. Whether its transfer is covered or its contract acceptable is
    /// no matter of validity: that shows in its receipt, and costs its sender what it cost the nodes.
    ///
    /// Cheap rules come first: a signature is checked only where sequence, time and credits are right.
    /// - Parameters:
    ///   - parameters: of the next block, where the caller has them (``EpochContext/parameters``); else they are read.
    ///   - time: a header time, or the node's clock where that is later.
    ///   - reservedCredits: what waiting transactions have reserved of an account's credits.
    public func admit(
        _ signed: SignedTransaction, state: any StateReader, time: Time, parameters known: Parameters? = nil,
        reservedCredits: (Account) -> UInt64 = { _ in 0 },
        isAuthorized: ((SignedTransaction, TransactionId) -> Bool)? = nil
    ) throws(LedgerError) -> AdmissionVerdict {
        let transaction = signed.transaction
        let parameters = if let known { known } else { try parameters(state) }
        let byteCount = signed.byteCount
        if let refusal = Form(parameters: parameters).refusal(of: transaction, byteCount: byteCount) {
            return .refused(refusal)
        }
        let credits = Credits(parameters)
        let record = try state.read(.account(transaction.sender), as: AccountRecord.self) ?? AccountRecord()
        let needed = parameters.reservedCredits(transactionBytes: byteCount, gas: transaction.gasLimit)
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
        var payer = transaction.sender
        var capacity = credits.capacity(stake: record.stake)
        let available = credits.available(record, at: time)
        let total = needed.addingSaturating(reservedCredits(transaction.sender))
        if total > available {
            guard transaction.actionId.range != .chain,
                var sponsor = try Sponsor(
                    transaction.serviceId, view: ParentView(state: state), parameters: parameters, at: time)
            else {
                return .refused(
                    .tooFewCredits(
                        needed: total, available: available, enoughAt: credits.time(of: total, for: record, at: time)))
            }
            payer = sponsor.service.contract
            let view = ParentView(state: state)
            let member = try Sponsor.Member(transaction.sender, of: sponsor.service, view: view)
            sponsor.credits -= min(sponsor.credits, reservedCredits(payer))
            if let reason = sponsor.refusal(member, action: transaction.actionId, credits: needed) {
                return .refused(.notSponsored(transaction.serviceId, reason))
            }
            capacity = credits.capacity(stake: try view.accountRecord(payer)?.stake ?? 0)
        }

        let id = signed.id(genesis: genesisHash)
        let authorized = isAuthorized.map { $0(signed, id) } ?? signed.isAuthorized(genesis: genesisHash)
        guard authorized else { return .refused(.wrongSignature) }
        var isEvidence = false
        // With no more gas than a report takes: its place before all others is not for anything else.
        if transaction.actionId == .reportEquivocation,
            transaction.gasLimit <= parameters.gasToReport(dataBytes: transaction.data.count)
        {
            isEvidence = try state.read(.masternode(transaction.sender.publicKey)) != nil
        }
        return .admitted(
            AdmissionFacts(
                id: id, byteCount: byteCount, reservedCredits: needed, payer: payer, payerCapacity: capacity,
                replaces: transaction.actionId == .cancelTransaction
                    ? (try? CancelTransaction(borsh: transaction.data))?.id : nil,
                isEvidence: isEvidence,
                nextSequence: record.sequence))
    }
}
