import Cryptography
import Encoding
import Primitives

/// Disputes about work (``Dispute``): accusations, what both sides unfold, the jury, and what follows. All of it is the
/// chain's own, so that no contract can have anybody found a liar, and none can keep it from happening.
extension Executor {
    /// Of the scheduled calls that look after a dispute; no contract can schedule it.
    static let disputeEntry: UInt32 = .max
    /// What an open dispute is charged for at most: its lists.
    private static let storedBytes = 9_216

    // MARK: Actions

    /// Opens a dispute. The accuser is somebody whose word counts in the service, and shows an envelope that the accused
    /// has signed in it: nobody has to answer for what he did not send, and no stranger can accuse.
    func accuse(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) {
        let accusation: Accusation = try decode(transaction)
        try refuseValue(of: transaction)
        try charge(listOf: accusation.list.count, &gas)
        try gas.charge(
            parameters.gasPerSignatureCheck.addingSaturating(parameters.storageGas(reads: 6, writes: 14, bytes: 6_000)))
        guard let service = try service(accusation.service) else {
            throw .failed("there is no service '\(accusation.service)'")
        }
        let accuser = transaction.sender
        guard let subject = accusation.subject, let role = accusation.role else {
            throw .failed("it is not the context of a worker's envelope")
        }
        guard subject.genesis == ledger.genesisHash, subject.job == service.contract else {
            throw .failed("the envelope was not signed in this service")
        }
        guard subject.sender != accuser else { throw .failed("nobody accuses himself") }
        guard subject.sender.publicKey.isValid(accusation.signature, message: accusation.signedMessage) else {
            throw .failed("the accused has not signed this envelope")
        }
        try refuseTombstoned(accuser)
        guard try tombstone(of: subject.sender) == nil else { throw .failed("the accused is tombstoned already") }
        guard try mayAccuse(accuser, in: service) else {
            throw .failed(
                "only the service's independent validator and the members of its committee have what it takes to accuse"
            )
        }
        let panel: PanelRecord? = try decoded(.panel(service.contract))
        let since = Time(time.value - min(time.value, Dispute.windowMs))
        guard panel?.hasValidated(round: subject.round, since: since) ?? false else {
            throw .failed(
                "work is disputed in the \(Dispute.windowMs / 60_000) minutes after its validation, and that of round \(subject.round) is not there, or too old"
            )
        }
        var index: DisputeIndex = try decoded(.disputes(service.contract)) ?? DisputeIndex()
        guard !index.accused.contains(subject.sender) else { throw .failed("a dispute about this account is open") }
        guard index.accused.count < DisputeIndex.most else {
            throw .failed("too many disputes of this service are open")
        }
        try chargeForJurors(&gas)
        guard try jurors(of: service, without: [accuser, subject.sender]).count >= Dispute.smallestJury else {
            throw .failed("there are not \(Dispute.smallestJury) masternodes for a jury")
        }
        let dispute: Dispute
        do {
            dispute = try Dispute(
                accuser: accuser, accused: subject.sender, role: role, round: subject.round, step: subject.step,
                claim: accusation.claim, list: accusation.list, height: height, time: time)
        } catch { throw .failed(error.description) }
        try hold(disputeDeposit, of: accuser, for: "a dispute")
        index.accused.append(subject.sender)
        overlay.set(.disputes(service.contract), index)
        overlay.set(.dispute(service.contract, subject.sender), dispute)
        guard try lookAgain(at: dispute, in: service.contract) else {
            throw .failed("the accuser lacks the credits or the deposit of the scheduled call that ends the dispute")
        }
        tell(dispute, of: service.contract, outcome: nil)
    }

    /// The next list of one side.
    func narrowDispute(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) {
        let move: DisputeMove = try decode(transaction)
        try refuseValue(of: transaction)
        try charge(listOf: move.list.count, &gas)
        var (contract, dispute) = try open(move.service, move.accused)
        do throws(Dispute.Refusal) {
            switch (transaction.sender, dispute.stage) {
            case (dispute.accused, .answer): try dispute.answer(move.list, at: time)
            case (dispute.accuser, .unfold) where move.list.isEmpty: try dispute.call(at: time)
            case (dispute.accuser, .unfold): try dispute.unfold(move.list, at: time)
            default: throw .notYourTurn
            }
        } catch { throw .failed(error.description) }
        overlay.set(.dispute(contract, dispute.accused), dispute)
        tell(dispute, of: contract, outcome: nil)
    }

    func judgeDispute(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) {
        let data: DisputeVote = try decode(transaction)
        try refuseValue(of: transaction)
        try gas.charge(parameters.storageGas(reads: 4, writes: 8, bytes: Self.storedBytes))
        try refuseTombstoned(transaction.sender)
        var (contract, dispute) = try open(data.service, data.accused)
        let outcome: Dispute.Outcome?
        do { outcome = try dispute.vote(data.vote, by: transaction.sender, at: time) } catch {
            throw .failed(error.description)
        }
        overlay.set(.dispute(contract, dispute.accused), dispute)
        guard let outcome else { return tell(dispute, of: contract, outcome: nil) }
        do { try close(dispute, as: outcome, in: contract, data.service) } catch { throw .ledger(error) }
    }

    private func charge(listOf count: Int, _ gas: inout GasMeter) throws(Halt) {
        try gas.charge(parameters.storageGas(reads: 3, writes: 2, bytes: Self.storedBytes))
        try gas.charge(HostGas.hash + UInt64(count) * 32 * HostGas.perHashedByte)
    }

    private func open(_ id: ServiceId, _ accused: Account) throws(Halt) -> (contract: Account, Dispute) {
        guard let service = try service(id) else { throw .failed("there is no service '\(id)'") }
        guard let dispute: Dispute = try decoded(.dispute(service.contract, accused)) else {
            throw .failed("no dispute about this account is open")
        }
        return (service.contract, dispute)
    }

    // MARK: Time

    /// Looks after a dispute: draws the jury, and does what its deadlines say. Nobody need send anything.
    func lookAfterDispute(_ call: ScheduledCall, gas: inout GasMeter) throws(Halt) {
        try gas.charge(parameters.gas(of: .lookAfterDispute))
        guard call.data.count == 64, let contract = Account(call.data[..<32]), let accused = Account(call.data[32...]),
            var dispute: Dispute = try decoded(.dispute(contract, accused)),
            // An older one that was closed before its time.
            dispute.accuser == call.contract,
            let id: ServiceId = try decoded(.contract(contract)), let service = try service(id)
        else { return }
        if dispute.mayDraw(at: height) { try chargeForJurors(&gas) }
        if dispute.mayDraw(at: height) { dispute.seat(try drawJury(for: dispute, in: service), at: time) }
        var outcome = dispute.expire(at: time)
        overlay.set(.dispute(contract, accused), dispute)
        // Without anybody to look after it, it would wait for ever.
        if outcome == nil, try !lookAgain(at: dispute, in: contract) { outcome = .undecided }
        guard let outcome else { return tell(dispute, of: contract, outcome: nil) }
        do { try close(dispute, as: outcome, in: contract, id) } catch { throw .ledger(error) }
    }

    /// The accuser pays for it. Deadlines only move on, so one call at a time is enough.
    private func lookAgain(at dispute: Dispute, in contract: Account) throws(Halt) -> Bool {
        let next = dispute.jury.isEmpty ? time.advanced(by: 1) : max(dispute.deadline, time.advanced(by: 1))
        do {
            return try schedule(
                contract: dispute.accuser, entry: Self.disputeEntry, data: contract.bytes + dispute.accused.bytes,
                time: next) != nil
        } catch { throw .ledger(error) }
    }

    // MARK: The jury

    /// By the randomness of the block before, which nobody knew when the dispute began: Fisher and Yates, as for a
    /// service's committee.
    private func drawJury(for dispute: Dispute, in service: ServiceRecord) throws(Halt) -> [Account] {
        var candidates = try jurors(of: service, without: [dispute.accuser, dispute.accused])
        guard candidates.count >= Dispute.smallestJury else { return [] }
        var block = Digest(
            domain: "edgeproof/jury/1", parts: randomness.bytes, service.contract.bytes, dispute.accused.bytes)
        for last in stride(from: candidates.count - 1, to: 0, by: -1) {
            block = Digest(domain: "edgeproof/jury/1", parts: block.bytes)
            let draw = block.bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            candidates.swapAt(last, Int(draw % UInt64(last + 1)))
        }
        let size = min(Dispute.largestJury, candidates.count - (1 - candidates.count % 2))
        return Array(candidates.prefix(size))
    }

    /// Whoever looks for jurors looks for the tombstone of each masternode.
    private func chargeForJurors(_ gas: inout GasMeter) throws(Halt) {
        try gas.charge(parameters.storageGas(reads: UInt64(clamping: context.set.members.count)))
    }

    /// Masternodes that belong neither to the service's owner nor to a party.
    private func jurors(of service: ServiceRecord, without parties: [Account]) throws(Halt) -> [Account] {
        var owners = [service.owner]
        for party in parties {
            owners.append(party)
            if let member = context.set.members.first(where: { Account($0.consensusKey) == party }) {
                owners.append(member.owner)
            }
        }
        var result: [Account] = []
        for member in context.set.members where !owners.contains(member.owner) {
            let account = Account(member.consensusKey)
            if !parties.contains(account), try tombstone(of: account) == nil { result.append(account) }
        }
        return result
    }

    private func mayAccuse(_ account: Account, in service: ServiceRecord) throws(Halt) -> Bool {
        do {
            if account == service.validator { return try hasIndependentValidator(service) }
            let panel: PanelRecord? = try overlay.value(.panel(service.contract))
            return panel?.members.contains(account) ?? false
        } catch { throw .ledger(error) }
    }

    // MARK: The end

    private func close(
        _ dispute: Dispute, as outcome: Dispute.Outcome, in contract: Account, _ service: ServiceId
    ) throws(LedgerError) {
        overlay.set(.dispute(contract, dispute.accused), nil)
        var index: DisputeIndex = try overlay.value(.disputes(contract)) ?? DisputeIndex()
        index.accused.removeAll { $0 == dispute.accused }
        overlay.set(.disputes(contract), index.accused.isEmpty ? nil : index.borsh)
        switch outcome {
        case .convicted:
            try treasury.release(disputeDeposit, of: dispute.accuser)
            try bury(dispute.accused, as: dispute.role, in: service, "a jury found its work false")
        case .refuted:
            try treasury.forfeitDeposit(disputeDeposit, of: dispute.accuser)
            try bury(dispute.accuser, as: .validator, in: service, "a jury found its accusation false")
        case .dropped: try treasury.forfeitDeposit(disputeDeposit, of: dispute.accuser)
        case .undecided: try treasury.release(disputeDeposit, of: dispute.accuser)
        }
        tell(dispute, of: contract, outcome: outcome)
    }

    /// From here on no service takes anything of this account, and nobody makes good what was found.
    private func bury(
        _ account: Account, as role: Role, in service: ServiceId, _ note: StaticString
    ) throws(LedgerError) {
        guard try overlay.value(.tombstone(account)) == nil else { return }
        overlay.set(.tombstone(account), Tombstone(service: service, height: height))
        let finding = Finding(service: service, role: role, kind: .fraud, weight: 0, note: note)
        try overlay.append(.finding(finding), to: account, height: height, time: time)
    }

    func tombstone(of account: Account) throws(Halt) -> Tombstone? { try decoded(.tombstone(account)) }

    func refuseTombstoned(_ account: Account) throws(Halt) {
        guard let tombstone = try tombstone(of: account) else { return }
        throw .failed("a jury found this account a liar in '\(tombstone.service)' at height \(tombstone.height)")
    }

    /// Pay and bond wait for the end of a dispute: else a liar would take them out while it is looked into.
    func refuseAccused(_ account: Account, of service: ServiceRecord) throws(Halt) {
        guard try value(.dispute(service.contract, account)) != nil else { return }
        throw .failed("a dispute about this account is open in '\(service.service)': pay and bond wait for its end")
    }

    private var disputeDeposit: UInt128 { parameters.deposit(keyBytes: 65, valueBytes: Self.storedBytes) }

    /// The service's contract's account, the accused's, the stage, the level and the outcome (255: none yet).
    private func tell(_ dispute: Dispute, of contract: Account, outcome: Dispute.Outcome?) {
        guard overlay.events.count < ChainLimits.eventsPerReceipt else { return }
        let data =
            contract.bytes + dispute.accused.bytes
            + [dispute.stage.rawValue, UInt8(clamping: dispute.path.count), outcome?.rawValue ?? 255]
        // From the service's contract, so that whoever follows the service hears of it.
        if let event = Event(contract: contract, topic: Array("dispute".utf8), data: data) { overlay.emit(event) }
    }
}
