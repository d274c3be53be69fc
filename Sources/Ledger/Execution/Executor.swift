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
    let treasury: Treasury
    /// Who pays for the transaction at hand, where its sender doesn't.
    private var sponsor: Sponsor?
    /// Contracts that are running, the innermost last.
    var running: [Account] = []
    private(set) var logs: [ContractLog] = []
    /// What the transaction that ran last returned; its receipt has the digest alone.
    private(set) var returned: [UInt8] = []
    /// Values of the state that the transaction or scheduled call at hand has read or written: met again, they cost less.
    private var met: Set<StateKey> = []
    private var written: Set<StateKey> = []

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
        treasury = Treasury(overlay: overlay, credits: credits, parameters: context.parameters, time: time)
    }

    func log(_ bytes: [UInt8], of contract: Account) {
        guard logs.count < ContractLog.mostTexts else { return }
        logs.append(
            ContractLog(
                contract: contract, text: String(decoding: bytes.prefix(ContractLog.longestText), as: UTF8.self)))
    }

    // MARK: Transactions

    /// Executes one transaction. Whatever comes out, its sequence, credits and history entry stay.
    func run(_ signed: SignedTransaction, id: TransactionId) throws(LedgerError) -> Receipt {
        let transaction = signed.transaction
        let byteCount = signed.byteCount
        let reserved = parameters.reservedCredits(transactionBytes: byteCount, gas: transaction.gasLimit)
        let payer = try payer(of: transaction, reserved: reserved)
        sponsor = nil
        var wasMember = true
        beginMeeting()
        switch payer {
        case .sender: break
        case .sponsor(let service, let member):
            guard try lend(service, member, to: transaction.sender) else { return unpaid(id) }
            sponsor = service
            wasMember = member.isMember
        case .nobody: return unpaid(id)
        case .insolvent: return try insolvent(transaction, id: id, byteCount: byteCount)
        }
        try takeSequence(of: transaction)
        // All that it may use is taken before it acts, so that no credit that pays for it can move on, be scheduled with
        // or be lent meanwhile, and pay a second time.
        let payingAccount = sponsor?.service.contract ?? transaction.sender
        try takeCredits(reserved, of: payingAccount)

        var gas = GasMeter(limit: transaction.gasLimit)
        let savepoint = overlay.savepoint()
        var outcome: Outcome
        returned = []
        do throws(Halt) {
            try gas.charge(parameters.intrinsicGas(dataBytes: transaction.data.count))
            if let sponsor { try gas.charge(sponsoringGas(sponsor.service.contract, transaction.sender)) }
            (outcome, returned) = try perform(transaction, gas: &gas)
        } catch {
            if case .ledger(let failure) = error { throw failure }
            overlay.rollBack(to: savepoint)
            outcome = .failure(error.message)
        }
        try endMembership(transaction)

        let spent = parameters.spentCredits(
            transactionBytes: byteCount, gasLimit: transaction.gasLimit, gasUsed: gas.used)
        var after = try overlay.account(payingAccount)
        credits.refund(reserved - min(reserved, spent), to: &after, at: time)
        try overlay.setAccount(payingAccount, after)
        if let sponsor { try count(spent, sponsor, for: transaction.sender, wasMember: wasMember) }
        return try receipt(of: transaction, id: id, outcome: outcome, gasUsed: gas.used, returned: returned)
    }

    private func takeSequence(of transaction: Transaction) throws(LedgerError) {
        var sender = try overlay.account(transaction.sender)
        sender.sequence = max(sender.sequence, transaction.sequence.addingSaturating(1))
        try overlay.setAccount(transaction.sender, sender)
    }

    private func takeCredits(_ amount: UInt64, of account: Account) throws(LedgerError) {
        var payer = try overlay.account(account)
        credits.charge(amount, to: &payer, at: time)
        try overlay.setAccount(account, payer)
    }

    private func receipt(
        of transaction: Transaction, id: TransactionId, outcome: Outcome, gasUsed: UInt64, returned: [UInt8] = []
    ) throws(LedgerError) -> Receipt {
        let record = ActionRecord(transaction: transaction, outcome: outcome, gasUsed: gasUsed)
        try overlay.append(.action(record), to: transaction.sender, height: height, time: time)
        return Receipt(
            origin: .transaction(id), outcome: outcome, gasUsed: gasUsed, events: overlay.takeEvents(),
            returned: Receipt.digest(ofReturned: returned))
    }

    /// Of an account whose credits left within the block, with its money or its sponsor's: nothing runs that nobody pays
    /// for. The sequence is used up, what is left of the credits goes.
    private func insolvent(
        _ transaction: Transaction, id: TransactionId, byteCount: Int
    ) throws(LedgerError) -> Receipt {
        try takeSequence(of: transaction)
        let used = min(parameters.intrinsicGas(dataBytes: transaction.data.count), transaction.gasLimit)
        try takeCredits(
            parameters.spentCredits(transactionBytes: byteCount, gasLimit: transaction.gasLimit, gasUsed: used),
            of: transaction.sender)
        let outcome = Outcome.failure("the credits that it reserved were spent or left earlier in the block")
        return try receipt(of: transaction, id: id, outcome: outcome, gasUsed: used)
    }

    /// Of an account that doesn't exist, and for which nobody can pay any more: it leaves no trace in the state, not
    /// even a sequence.
    private func unpaid(_ id: TransactionId) -> Receipt {
        Receipt(
            origin: .transaction(id), outcome: .failed("nobody pays for this new account any more"), gasUsed: 0,
            events: [],
            returned: Receipt.digest(ofReturned: []))
    }

    /// The contract's account, what it counts, and the account's use.
    private func sponsoringGas(_ contract: Account, _ account: Account) -> UInt64 {
        writeGas(.account(contract)).addingSaturating(writeGas(.counters(contract), bytes: 64))
            .addingSaturating(writeGas(.sponsorUse(contract, account), bytes: 97))
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
            if let retiredAt = service.retiredAt { return (try leave(service, retiredAt, transaction, gas: &gas), []) }
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
        try gas.charge(readGas(.tombstone(transaction.sender)))
        try refuseTombstoned(transaction.sender)
        if transaction.actionId == .paymentWorkerSignature {
            try gas.charge(readGas(.dispute(service.contract, transaction.sender)))
            try refuseAccused(transaction.sender, of: service)
        }
        if transaction.value > 0 { try gas.charge(writeGas(.account(service.contract))) }
        // Whoever funds a service gives it the credits of that money too, so that it can act at once.
        try pay(transaction.value, from: transaction.sender, to: service.contract, carryingCredits: true)
        if transaction.actionId == .applicationTask {
            let key = StateKey.membership(service.contract, transaction.sender)
            try gas.charge(writeGas(key, bytes: 16))
            if try value(key) == nil {
                try holdMembership(parameters.membershipDeposit, of: transaction.sender, in: service)
            }
            try ledgerErrors { () throws(LedgerError) in try beginMembership(transaction.sender, of: service) }
        }
        let returned = try call(
            service, entry: .action, kind: .action, caller: transaction.sender, signer: transaction.sender, value: transaction.value,
            actionId: UInt32(transaction.actionId.value), postId: transaction.postId.bytes, input: transaction.data,
            gas: &gas)
        if transaction.actionId == .commitmentTask {
            try gas.charge(parameters.storageGas(writes: 2))
            try ledgerErrors { () throws(LedgerError) in
                try noteValidation(of: transaction.postId, by: transaction.sender, for: service)
            }
        }
        return returned
    }

    private func ledgerErrors(_ body: () throws(LedgerError) -> Void) throws(Halt) {
        do { try body() } catch { throw .ledger(error) }
    }

    /// The member's own money, or its sponsor's where it has none.
    private func holdMembership(_ deposit: UInt128, of member: Account, in service: ServiceRecord) throws(Halt) {
        guard let sponsor, try account(member).balance < deposit else {
            return try hold(deposit, of: member, for: "a membership")
        }
        let contract = sponsor.service.contract
        try hold(deposit, of: contract, for: "a member's membership")
        let key = StateKey.sponsorUse(contract, member)
        var use: SponsorUse
        do { use = try overlay.value(key) ?? SponsorUse() } catch { throw .ledger(error) }
        use.lent = use.lent.addingSaturating(deposit)
        overlay.set(key, use)
    }

    /// The deposit of a membership that ends, to whoever held it.
    func releaseMembership(of member: Account, in service: ServiceRecord) throws(LedgerError) {
        let deposit = parameters.membershipDeposit
        let key = StateKey.sponsorUse(service.contract, member)
        if var use: SponsorUse = try overlay.value(key), use.lent >= deposit, deposit > 0 {
            use.lent -= deposit
            overlay.set(key, use)
            try treasury.release(deposit, of: service.contract)
        } else {
            try treasury.release(deposit, of: member)
        }
        if service.retiredAt != nil { try sweep(service) }
    }

    /// Runs a contract with what gas is left.
    /// - Returns: what it returned.
    func call(
        _ service: ServiceRecord, entry: ContractEntry, kind: ContractCall.Kind, caller: Account, signer: Account?, value: UInt128,
        actionId: UInt32 = 0, postId: [UInt8] = [], input: [UInt8], gas: inout GasMeter
    ) throws(Halt) -> [UInt8] {
        let call = ContractCall(
            service: service, entry: entry, kind: kind, caller: caller, signer: signer, value: value, actionId: actionId,
            postId: postId, input: input, readOnly: false)
        let result: ContractResult
        do { result = try invoke(call, gasLimit: gas.left) } catch { throw .ledger(error) }
        gas.add(result.gasUsed)
        switch result.outcome {
        case .returned(let bytes): return bytes
        case .failed(let message): throw .failed(message)
        }
    }

    // MARK: Gas of the state

    /// Before each transaction and scheduled call.
    func beginMeeting() {
        met.removeAll(keepingCapacity: true)
        written.removeAll(keepingCapacity: true)
    }

    /// Gas of reading a value: from the store once, from memory after that.
    func readGas(_ key: StateKey) -> UInt64 {
        met.insert(key).inserted ? parameters.gasPerStorageAccess : HostGas.knownAccess
    }

    /// Gas of writing a value, or removing it: its path in the tree is built once for each block, and priced once for
    /// each transaction.
    func writeGas(_ key: StateKey, bytes: Int = 0) -> UInt64 {
        met.insert(key)
        let access = written.insert(key).inserted ? parameters.gasPerStorageWrite : HostGas.knownAccess
        return access.addingSaturating(parameters.storageGas(bytes: bytes))
    }

    // MARK: State

    func value(_ key: StateKey) throws(Halt) -> [UInt8]? {
        do { return try overlay.value(key) } catch { throw .ledger(error) }
    }

    func service(_ id: ServiceId) throws(Halt) -> ServiceRecord? {
        do { return try overlay.value(.service(id)) } catch { throw .ledger(error) }
    }

    func pay(
        _ amount: UInt128, from source: Account, to target: Account, carryingCredits: Bool = false
    ) throws(Halt) {
        let payment: Treasury.Payment
        do { payment = try treasury.pay(amount, from: source, to: target, carryingCredits: carryingCredits) } catch {
            throw .ledger(error)
        }
        switch payment {
        case .paid: break
        case .uncovered: throw .failed("the balance of \(source) is too small for a value of \(amount)")
        case .underDeposit(let deposit):
            throw .failed("\(target) is a new account, which locks \(deposit) for its record: send at least that")
        case .overflow: throw .failed("no account can hold so much")
        }
    }

    /// Locks a deposit for state that the account makes exist.
    func hold(_ amount: UInt128, of account: Account, for what: StaticString) throws(Halt) {
        let held: Bool
        do { held = try treasury.hold(amount, of: account) } catch { throw .ledger(error) }
        guard held else {
            throw .failed("the balance of \(account) is too small for the deposit of \(amount) that \(what) locks")
        }
    }
}
