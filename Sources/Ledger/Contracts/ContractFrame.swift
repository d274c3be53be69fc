import Cryptography
import Primitives
import WebAssembly

/// The host of one contract call: answers its imports.
///
/// Every function charges before it works, in proportion to the bytes it will touch, and bounds every length that the
/// contract gives.
final class ContractFrame: HostFunctions {
    let call: ContractCall
    let executor: Executor
    private(set) var returned: [UInt8] = []
    /// The state became unreadable during the call.
    private(set) var failure: LedgerError?

    static let longestKey: UInt32 = 64
    static let longestValue: UInt32 = 32_768

    var contract: Account { call.service.contract }
    var overlay: Overlay { executor.overlay }
    var parameters: Parameters { executor.parameters }

    init(_ call: ContractCall, executor: Executor) {
        self.call = call
        self.executor = executor
    }

    func call(_ function: Int, _ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64? {
        guard let function = HostFunction(rawValue: function) else { throw refusal("unknown host function") }
        if call.readOnly, function.changesState { throw refusal("a query cannot use \(function.name)") }
        switch function {
        case .context: try writeContext(arguments, context)
        case .input: try copyInput(arguments, context)
        case .storageGet: return try storageGet(arguments, context)
        case .storageSet: try storageSet(arguments, context)
        case .storageRemove: try storageRemove(arguments, context)
        case .transfer: return try transfer(arguments, context)
        case .emit: try emit(arguments, context)
        case .verdict: return try verdict(arguments, context)
        case .sha256: try sha256(arguments, context)
        case .ed25519Verify: return try verifySignature(arguments, context)
        case .randomness: try writeRandomness(arguments, context)
        case .schedule: return try schedule(arguments, context)
        case .call: return try callService(arguments, context)
        case .returnData: try takeReturnData(arguments, context)
        case .fail: throw try failed(arguments, context)
        case .log: try log(arguments, context)
        case .validator: return try writeValidator(arguments, context)
        case .drawCommittee: return try drawCommittee(arguments, context)
        case .reputation: return try reputation(arguments, context)
        case .signer: return try writeSigner(arguments, context)
        case .service: return try writeService(arguments, context)
        case .keyInsert: return try insertKey(arguments, context)
        case .keyRemove: return try removeKey(arguments, context)
        case .keyNext: return try nextKey(arguments, context)
        }
        return nil
    }

    // MARK: The call

    private func writeContext(_ arguments: HostArguments, _ context: HostContext) throws(Trap) {
        let read = executor.readGas(.account(contract))
        try context.chargeGas(read.addingSaturating(HostGas.copy(ContextBlock.byteCount)))
        let balance = try reading { () throws(LedgerError) in try overlay.account(contract).balance }
        let block = ContextBlock.encode(
            call, height: executor.height, time: executor.time, balance: balance, gasLeft: context.gasLeft)
        try context.writeMemory(block, at: try arguments.i32(0))
    }

    private func copyInput(_ arguments: HostArguments, _ context: HostContext) throws(Trap) {
        let offset = Int(try arguments.i32(1))
        let count = Int(try arguments.i32(2))
        try context.chargeGas(HostGas.copy(count))
        guard offset <= call.input.count, count <= call.input.count - offset else {
            throw refusal("input has \(call.input.count) bytes; \(count) from \(offset) on were asked for")
        }
        try context.writeMemory(call.input[offset..<offset + count], at: try arguments.i32(0))
    }

    private func takeReturnData(_ arguments: HostArguments, _ context: HostContext) throws(Trap) {
        let count = try arguments.i32(1)
        try context.chargeGas(HostGas.copy(Int(count)))
        returned = try bytes(context, arguments, 0, limit: UInt32(ChainLimits.returnDataBytes), "return data")
    }

    private func failed(_ arguments: HostArguments, _ context: HostContext) throws(Trap) -> Trap {
        let text = try bytes(context, arguments, 0, limit: UInt32(ChainLimits.failureMessageBytes), "failure message")
        return refusal(String(decoding: text, as: UTF8.self))
    }

    private func log(_ arguments: HostArguments, _ context: HostContext) throws(Trap) {
        let count = min(try arguments.i32(1), UInt32(ContractLog.longestText))
        try context.chargeGas(UInt64(count))
        executor.log(try context.readMemory(at: try arguments.i32(0), count: count), of: contract)
    }

    // MARK: Storage

    private func storageGet(_ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64 {
        let key = try storageKey(context, arguments)
        try context.chargeGas(executor.readGas(key))
        guard let value = try reading({ () throws(LedgerError) in try overlay.value(key) }) else { return minusOne }
        try context.chargeGas(HostGas.copy(value.count))
        let copied = min(value.count, Int(try arguments.i32(3)))
        try context.writeMemory(value.prefix(copied), at: try arguments.i32(2))
        return UInt64(value.count)
    }

    private func storageSet(_ arguments: HostArguments, _ context: HostContext) throws(Trap) {
        let key = try storageKey(context, arguments)
        let size = key.bytes.count + Int(try arguments.i32(3))
        try context.chargeGas(executor.writeGas(key, bytes: size))
        try set(key, try bytes(context, arguments, 2, limit: Self.longestValue, "storage value"))
    }

    private func storageRemove(_ arguments: HostArguments, _ context: HostContext) throws(Trap) {
        let key = try storageKey(context, arguments)
        try context.chargeGas(executor.writeGas(key))
        try set(key, nil)
    }

    /// Writes a value of the contract's own. What it takes more than before is locked of the contract's balance, what it
    /// takes less comes back.
    func set(_ key: StateKey, _ value: [UInt8]?) throws(Trap) {
        let held = try reading { () throws(LedgerError) in
            let before = try overlay.value(key).map { deposit(key, $0) } ?? 0
            let after = value.map { deposit(key, $0) } ?? 0
            if after > before { return try executor.treasury.hold(after - before, of: contract) }
            try executor.treasury.release(before - after, of: contract)
            return true
        }
        guard held else {
            throw refusal("the contract's balance does not cover the deposit of what it stores")
        }
        overlay.set(key, value)
    }

    private func deposit(_ key: StateKey, _ value: [UInt8]) -> UInt128 {
        parameters.deposit(keyBytes: key.bytes.count, valueBytes: value.count)
    }

    /// An empty key is the chain's own (``StateKey/counters(_:)``).
    private func storageKey(_ context: HostContext, _ arguments: HostArguments) throws(Trap) -> StateKey {
        let key = try bytes(context, arguments, 0, limit: Self.longestKey, "storage key")
        guard !key.isEmpty else { throw refusal("a storage key is empty") }
        return .storage(contract, key)
    }

    /// The service's one validator: 1 and its account, or 0.
    private func writeValidator(_ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64 {
        try context.chargeGas(HostGas.copy(32))
        guard let validator = call.service.validator else { return 0 }
        try context.writeMemory(validator.bytes, at: try arguments.i32(0))
        return 1
    }

    /// Who signed what this call comes from: 1 and the account, or 0.
    private func writeSigner(_ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64 {
        try context.chargeGas(HostGas.copy(32))
        guard let signer = call.signer else { return 0 }
        try context.writeMemory(signer.bytes, at: try arguments.i32(0))
        return 1
    }

    /// The record of a service, this one's where the name is empty: its length, or -1 where there is none.
    private func writeService(_ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64 {
        try context.chargeGas(HostGas.copy(ServiceBlock.byteCount))
        let name = try bytes(context, arguments, 0, limit: UInt32(ChainLimits.labelBytes), "service name")
        let id = name.isEmpty ? call.service.service : ServiceId(unchecked: name)
        try context.chargeGas(executor.readGas(.service(id)))
        let record: ServiceRecord? = try reading { () throws(LedgerError) in try overlay.value(.service(id)) }
        guard let record else { return minusOne }
        let block = ServiceBlock.encode(record)
        try context.writeMemory(block.prefix(Int(try arguments.i32(3))), at: try arguments.i32(2))
        return UInt64(block.count)
    }

    /// Draws (size, attempt) masternodes, 32 bytes each; the number of them, or 0 where there are too few.
    private func drawCommittee(_ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64 {
        let size = Int(try arguments.i32(0))
        guard size <= PanelRecord.mostMembers else {
            throw refusal("a committee of \(size); at most \(PanelRecord.mostMembers) can be drawn")
        }
        try context.chargeGas(
            parameters.storageGas(writes: 2, bytes: 32 * size)
                .addingSaturating(UInt64(executor.context.set.count) * HostGas.hash))
        // Whoever was found a liar is not drawn: that is looked up for each of them.
        for member in executor.context.set.members {
            try context.chargeGas(executor.readGas(.tombstone(Account(member.consensusKey))))
        }
        let attempt = UInt64(try arguments.i32(1))
        let members = try reading { () throws(LedgerError) in
            try executor.drawCommittee(of: call.service, size: size, attempt: attempt)
        }
        try context.writeMemory(members.flatMap(\.bytes), at: try arguments.i32(2))
        return UInt64(members.count)
    }

    /// R of an account in a role now.
    private func reputation(_ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64 {
        try context.chargeGas(parameters.storageGas(writes: 2))
        guard let role = UInt8(exactly: try arguments.i32(1)).flatMap(Role.init(rawValue:)) else {
            throw refusal("there is no role \(try arguments.i32(1))")
        }
        let account = try account(context, try arguments.i32(0))
        let record: ReputationRecord? = try reading { () throws(LedgerError) in
            try overlay.value(.reputation(account, role))
        }
        guard let record else { return 0 }
        let period = Reputation.period(of: executor.time, parameters: parameters)
        return Reputation.score(Reputation.decayed(record, toPeriod: period))
    }

    // MARK: Money, events, verdicts

    private func transfer(_ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64 {
        let recipient = try account(context, try arguments.i32(0))
        let amount = try amount(context, try arguments.i32(1))
        try context.chargeGas(executor.writeGas(.account(contract)))
        try context.chargeGas(executor.writeGas(.account(recipient)))
        guard !recipient.publicKey.isOfSmallOrder else { return 1 }
        let payment = try reading { () throws(LedgerError) in
            try executor.treasury.pay(amount, from: contract, to: recipient)
        }
        return payment == .paid ? 0 : 1
    }

    private func emit(_ arguments: HostArguments, _ context: HostContext) throws(Trap) {
        let size = UInt64(try arguments.i32(1)) + UInt64(try arguments.i32(3))
        try context.chargeGas(HostGas.event.addingSaturating(size.multipliedSaturating(by: parameters.gasPerDataByte)))
        let topic = try bytes(context, arguments, 0, limit: UInt32(ChainLimits.eventTopicBytes), "event topic")
        let data = try bytes(context, arguments, 2, limit: UInt32(ChainLimits.eventDataBytes), "event data")
        guard overlay.events.count < ChainLimits.eventsPerReceipt,
            let event = Event(contract: contract, topic: topic, data: data)
        else { throw refusal("more than \(ChainLimits.eventsPerReceipt) events in one receipt") }
        overlay.emit(event)
    }

    private func verdict(_ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64 {
        guard let role = UInt8(exactly: try arguments.i32(1)).flatMap(Role.init(rawValue:)) else {
            throw refusal("there is no role \(try arguments.i32(1))")
        }
        guard let kind = UInt8(exactly: try arguments.i32(2)).flatMap(Finding.Kind.init(rawValue:)),
            // What only the chain itself can find, no contract can say.
            kind != .equivocation, kind != .fraud
        else {
            throw refusal("there is no kind of finding \(try arguments.i32(2))")
        }
        let weight = Int64(bitPattern: try arguments.i64(3))
        guard weight >= 0 else { throw refusal("a verdict's weight is negative") }
        let post = try bytes(context, arguments, 4, limit: UInt32(ChainLimits.labelBytes), "post of a verdict")
        let account = try self.account(context, try arguments.i32(0))
        try chargeVerdict(about: account, role, context)
        let verdict = Verdict(
            account: account, role: role, kind: kind, weight: UInt64(bitPattern: weight), post: PostId(unchecked: post))
        let outcome = try reading { () throws(LedgerError) in try executor.judge(verdict, by: call.service) }
        return outcome.rawValue
    }

    /// All that a verdict may touch: the membership, its account's history and counters, and the owner's lock, out of which
    /// money may come free. Several in one call share the panel and the owner's part.
    private func chargeVerdict(about account: Account, _ role: Role, _ context: HostContext) throws(Trap) {
        let owner = call.service.owner
        for key in [.membership(contract, account), .account(account), .reputation(account, role), .ownerLock(owner), .account(owner)] as [StateKey] {
            try context.chargeGas(executor.writeGas(key))
        }
        for key in [.panel(contract), .tombstone(account)] as [StateKey] { try context.chargeGas(executor.readGas(key)) }
        try context.chargeGas(parameters.storageGas(bytes: HostGas.verdictBytes))
    }

    // MARK: Cryptography

    private func sha256(_ arguments: HostArguments, _ context: HostContext) throws(Trap) {
        let count = try arguments.i32(1)
        try context.chargeGas(HostGas.hash + UInt64(count) * HostGas.perHashedByte)
        let digest = Digest(sha256: try context.readMemory(at: try arguments.i32(0), count: count))
        try context.writeMemory(digest.bytes, at: try arguments.i32(2))
    }

    private func verifySignature(_ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64 {
        let count = try arguments.i32(3)
        try context.chargeGas(
            parameters.gasPerSignatureCheck.addingSaturating(HostGas.hash + UInt64(count) * HostGas.perHashedByte))
        let key = try context.readMemory(at: try arguments.i32(0), count: 32)
        let signature = try context.readMemory(at: try arguments.i32(1), count: UInt32(Signature.byteCount))
        let message = try context.readMemory(at: try arguments.i32(2), count: count)
        guard let key = PublicKey(key), let signature = Signature(signature) else { return 0 }
        return key.isValid(signature, message: message) ? 1 : 0
    }

    private func writeRandomness(_ arguments: HostArguments, _ context: HostContext) throws(Trap) {
        try context.chargeGas(HostGas.knownAccess)
        try context.writeMemory(executor.randomness.bytes, at: try arguments.i32(0))
    }

    // MARK: Calls

    private func schedule(_ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64 {
        let size = Int(try arguments.i32(3))
        try context.chargeGas(
            parameters.gas(of: .schedule).addingSaturating(parameters.storageGas(bytes: size)))
        let data = try bytes(context, arguments, 2, limit: UInt32(ScheduledCall.longestData), "scheduled data")
        let entry = try arguments.i32(1)
        guard entry != Executor.disputeEntry else { throw refusal("the entry \(entry) is the chain's own") }
        // The parameter is signed: what is below 0 lies in the past.
        let due = Time(UInt64(max(0, Int64(bitPattern: try arguments.i64(0)))))
        let number = try reading { () throws(LedgerError) in
            try executor.schedule(contract: contract, entry: entry, data: data, time: due)
        }
        return number ?? UInt64.max
    }

    /// Calls another service's contract with at most 63/64 of the gas, so that this one can still handle a failure.
    private func callService(_ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64 {
        let dataCount = try arguments.i32(4)
        try context.chargeGas(HostGas.copy(Int(dataCount)))
        let name = try bytes(context, arguments, 0, limit: UInt32(ChainLimits.labelBytes), "service name")
        let data = try bytes(context, arguments, 3, limit: UInt32(ChainLimits.transactionDataBytes), "call data")
        let value = try amount(context, try arguments.i32(5))
        let actionId = try arguments.i32(2)
        if call.readOnly, value > 0 { throw refusal("a query cannot move money") }
        let id = ServiceId(unchecked: name)
        try context.chargeGas(executor.readGas(.service(id)))
        let service: ServiceRecord? = try reading { () throws(LedgerError) in try overlay.value(.service(id)) }
        guard let service, service.retiredAt == nil else { return minusOne }
        if value > 0 {
            try context.chargeGas(executor.writeGas(.account(contract)))
            try context.chargeGas(executor.writeGas(.account(service.contract)))
        }

        let savepoint = overlay.savepoint()
        let payment = try reading { () throws(LedgerError) in
            try executor.treasury.pay(value, from: contract, to: service.contract)
        }
        guard payment == .paid else { return minusOne }
        let nested = ContractCall(
            service: service, entry: .action, kind: .contract, caller: contract, signer: call.signer, value: value, actionId: actionId,
            postId: [], input: data, readOnly: call.readOnly)
        let limit = context.gasLeft - context.gasLeft / 64
        let result = try reading { () throws(LedgerError) in try executor.invoke(nested, gasLimit: limit) }
        try context.chargeGas(result.gasUsed)
        switch result.outcome {
        case .failed:
            overlay.rollBack(to: savepoint)
            return minusOne
        case .returned(let reply):
            let copied = min(reply.count, Int(try arguments.i32(7)))
            try context.chargeGas(HostGas.copy(copied))
            try context.writeMemory(reply.prefix(copied), at: try arguments.i32(6))
            return UInt64(reply.count)
        }
    }

    // MARK: Helpers

    /// -1 as the bits of an i32 result.
    var minusOne: UInt64 { UInt64(UInt32.max) }

    /// Bytes that the arguments `index` (pointer) and `index + 1` (length) name.
    func bytes(
        _ context: HostContext, _ arguments: HostArguments, _ index: Int, limit: UInt32, _ what: String
    ) throws(Trap) -> [UInt8] {
        let count = try arguments.i32(index + 1)
        guard count <= limit else { throw refusal("\(what) of \(count) bytes; at most \(limit) are allowed") }
        return try context.readMemory(at: try arguments.i32(index), count: count)
    }

    private func account(_ context: HostContext, _ pointer: UInt32) throws(Trap) -> Account {
        guard let account = Account(try context.readMemory(at: pointer, count: 32)) else {
            throw .memoryOutOfBounds
        }
        return account
    }

    private func amount(_ context: HostContext, _ pointer: UInt32) throws(Trap) -> UInt128 {
        try context.readMemory(at: pointer, count: 16).reversed().reduce(0) { $0 << 8 | UInt128($1) }
    }

    func refusal(_ message: String) -> Trap { .hostFailed(code: 1, message: message) }

    /// Runs what reads the state; an unreadable one ends the call and then the whole execution.
    func reading<Value>(_ body: () throws(LedgerError) -> Value) throws(Trap) -> Value {
        do { return try body() } catch {
            failure = error
            throw refusal(error.description)
        }
    }
}
