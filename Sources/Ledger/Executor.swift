import Cryptography
import Encoding
import Primitives

/// Executes the transactions and scheduled calls of one block, or one query.
final class Executor {
    let ledger: Ledger
    let overlay: Overlay
    let height: Height
    let time: Time
    /// R of the previous block: what contracts of this block may know.
    let randomness: Digest
    let credits: Credits
    /// Contracts that are running, the innermost last.
    var running: [Account] = []
    private(set) var logs: [ContractLog] = []

    let parameters: Parameters
    /// Of the epoch that the block, or the newest one in a query, belongs to.
    let context: EpochContext

    init(
        ledger: Ledger, overlay: Overlay, context: EpochContext, height: Height, time: Time, randomness: Digest
    ) {
        self.context = context
        parameters = context.parameters
        self.ledger = ledger
        self.overlay = overlay
        self.height = height
        self.time = time
        self.randomness = randomness
        credits = Credits(context.parameters)
    }

    func log(_ bytes: [UInt8], of contract: Account) {
        guard logs.count < ContractLog.mostTexts else { return }
        logs.append(
            ContractLog(contract: contract, text: String(decoding: bytes.prefix(ContractLog.longestText), as: UTF8.self)))
    }

    // MARK: Transactions

    /// Executes one transaction. Whatever comes out, its sequence, credits and history entry stay.
    func run(_ signed: SignedTransaction, id: TransactionId) throws(LedgerError) -> Receipt {
        let transaction = signed.transaction
        var sender = try overlay.account(transaction.sender)
        sender.sequence = max(sender.sequence, transaction.sequence.addingSaturating(1))
        try overlay.setAccount(transaction.sender, sender)

        var gas = GasMeter(limit: transaction.gasLimit)
        let savepoint = overlay.savepoint()
        var outcome: Outcome
        var returned: [UInt8] = []
        do throws(Halt) {
            try gas.charge(parameters.intrinsicGas(dataBytes: transaction.data.count))
            (outcome, returned) = try perform(transaction, gas: &gas)
        } catch {
            if case .ledger(let failure) = error { throw failure }
            overlay.rollBack(to: savepoint)
            outcome = .failure(error.message)
        }
        try endMembership(transaction)

        let spent = parameters.reservedCredits(transactionBytes: signed.borsh.count, gas: gas.used)
        var after = try overlay.account(transaction.sender)
        credits.charge(spent, to: &after, at: time)
        try overlay.setAccount(transaction.sender, after)
        let record = ActionRecord(transaction: transaction, outcome: outcome, gasUsed: gas.used)
        try overlay.append(.action(record), to: transaction.sender, height: height, time: time)
        return Receipt(
            origin: .transaction(id), outcome: outcome, gasUsed: gas.used, events: overlay.takeEvents(),
            returned: Digest(sha256: returned))
    }

    private func perform(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) -> (Outcome, [UInt8]) {
        switch transaction.actionId.range {
        case .chain:
            return (.succeeded, try performNative(transaction, gas: &gas))
        case .edgence where transaction.serviceId == .chain && transaction.actionId == .voteProposal:
            return (.succeeded, try performNative(transaction, gas: &gas))
        case .edgence, .contract:
            guard let service = try service(transaction.serviceId) else {
                return (try record(transaction), [])
            }
            return (.succeeded, try performAction(transaction, on: service, gas: &gas))
        case .invalid, .reserved:
            throw .failed(Refusal.noSuchAction(transaction.actionId).description)
        }
    }

    /// An action of a service that nobody registered.
    private func record(_ transaction: Transaction) throws(Halt) -> Outcome {
        guard transaction.actionId.range == .edgence else {
            throw .failed(Refusal.noSuchService(transaction.serviceId, transaction.actionId).description)
        }
        guard transaction.value == 0 else {
            throw .failed("no service '\(transaction.serviceId)' is registered that could take a value")
        }
        return .recorded
    }

    /// The native effect, then the contract's own.
    private func performAction(
        _ transaction: Transaction, on service: ServiceRecord, gas: inout GasMeter
    ) throws(Halt) -> [UInt8] {
        try gas.charge(parameters.storageGas(accesses: HostGas.transferAccesses))
        try pay(transaction.value, from: transaction.sender, to: service.contract)
        if transaction.actionId == .applicationTask {
            try gas.charge(parameters.storageGas(accesses: 2, bytes: 16))
            try ledgerErrors { () throws(LedgerError) in try beginMembership(transaction.sender, of: service) }
        }
        let returned = try call(
            service, entry: .action, kind: .action, caller: transaction.sender, value: transaction.value,
            actionId: UInt32(transaction.actionId.value), postId: transaction.postId.bytes, input: transaction.data,
            gas: &gas)
        if transaction.actionId == .commitmentTask {
            try gas.charge(parameters.storageGas(accesses: 2))
            try ledgerErrors { () throws(LedgerError) in
                try noteValidation(of: transaction.postId, by: transaction.sender, for: service)
            }
        }
        return returned
    }

    private func ledgerErrors(_ body: () throws(LedgerError) -> Void) throws(Halt) {
        do { try body() } catch { throw .ledger(error) }
    }

    /// Runs a contract with what gas is left.
    /// - Returns: what it returned.
    func call(
        _ service: ServiceRecord, entry: ContractEntry, kind: ContractCall.Kind, caller: Account, value: UInt128,
        actionId: UInt32 = 0, postId: [UInt8] = [], input: [UInt8], gas: inout GasMeter
    ) throws(Halt) -> [UInt8] {
        let call = ContractCall(
            service: service, entry: entry, kind: kind, caller: caller, value: value, actionId: actionId,
            postId: postId, input: input, readOnly: false)
        let result: ContractResult
        do { result = try invoke(call, gasLimit: gas.left) } catch { throw .ledger(error) }
        gas.add(result.gasUsed)
        switch result.outcome {
        case .returned(let bytes): return bytes
        case .failed(let message): throw .failed(message)
        }
    }

    // MARK: State

    func value(_ key: StateKey) throws(Halt) -> [UInt8]? {
        do { return try overlay.value(key) } catch { throw .ledger(error) }
    }

    func service(_ id: ServiceId) throws(Halt) -> ServiceRecord? {
        do { return try overlay.value(.service(id)) } catch { throw .ledger(error) }
    }

    func pay(_ amount: UInt128, from source: Account, to target: Account) throws(Halt) {
        let paid: Bool
        do { paid = try move(amount, from: source, to: target) } catch { throw .ledger(error) }
        guard paid else {
            throw .failed("the balance of \(source) is too small for a value of \(amount)")
        }
    }

    /// False, and nothing moved, when the source has less.
    func move(_ amount: UInt128, from source: Account, to target: Account) throws(LedgerError) -> Bool {
        guard amount > 0 else { return true }
        var payer = try overlay.account(source)
        guard payer.balance >= amount else { return false }
        guard source != target else { return true }
        var payee = try overlay.account(target)
        let (sum, overflow) = payee.balance.addingReportingOverflow(amount)
        guard !overflow else { return false }
        credits.settle(&payer, at: time)
        payer.balance -= amount
        credits.settle(&payee, at: time)
        payee.balance = sum
        try overlay.setAccount(source, payer)
        try overlay.setAccount(target, payee)
        return true
    }
}
