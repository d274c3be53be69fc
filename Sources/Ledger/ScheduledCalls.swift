import Cryptography
import Encoding
import Primitives

extension Ledger {
    /// Header time from which on the schedule queue has a call to run; nil when it is empty.
    public func nextDue(state: any StateReader) throws(LedgerError) -> Time? {
        try ScheduleQueue(Overlay(state)).first?.time
    }
}

/// Topic of the event that tells that a call was put off; data: Borsh (number u64, new time u64).
public let postponedTopic = Array("chain.postponed".utf8)

extension Executor {
    /// How often one call is put off before it is dropped.
    static let mostPostponements: UInt8 = 24

    /// Runs the calls that are due, in the order of their time and number, while the block's budget lasts. No call
    /// starts with less than the whole of what one may use, so that none fails by what ran before it.
    func runDueCalls() throws(LedgerError) -> [Receipt] {
        let queue = ScheduleQueue(overlay)
        var receipts: [Receipt] = []
        var budget = parameters.scheduledGasPerBlock
        for _ in 0..<parameters.scheduledCallsPerBlock {
            guard budget >= parameters.scheduledGasPerCall, let slot = try queue.first, slot.time <= time else { break }
            let call = try queue.call(slot.number)
            try queue.removeFirst()
            let receipt = try run(call, number: slot.number, queue: queue)
            budget -= min(budget, receipt.gasUsed)
            receipts.append(receipt)
            overlay.commit()
        }
        return receipts
    }

    private func run(_ call: ScheduledCall, number: UInt64, queue: ScheduleQueue) throws(LedgerError) -> Receipt {
        let payer = try overlay.account(call.contract)
        let limit = parameters.scheduledGasPerCall
        guard credits.available(payer, at: time) >= limit else {
            return try postpone(call, number: number, payer: payer, queue: queue)
        }
        try countQueued(call.contract, adding: false)
        var gas = GasMeter(limit: limit)
        let savepoint = overlay.savepoint()
        var outcome = Outcome.succeeded
        var returned: [UInt8] = []
        do throws(Halt) {
            let service = try service(of: call.contract)
            returned = try self.call(
                service, entry: .scheduled, kind: .scheduled, caller: call.contract, value: 0, actionId: call.entry,
                input: call.data, gas: &gas)
        } catch {
            if case .ledger(let failure) = error { throw failure }
            overlay.rollBack(to: savepoint)
            outcome = .failure(error.message)
        }
        var after = try overlay.account(call.contract)
        credits.charge(gas.used, to: &after, at: time)
        try overlay.setAccount(call.contract, after)
        return receipt(call, number, outcome, gas: gas.used, returned: returned)
    }

    /// Puts a call off to the time at which its contract can pay for it, or by a whole credit window when its balance
    /// never earns enough: somebody may fund it meanwhile. After ``mostPostponements`` it is dropped, so that unpaid
    /// calls don't fill the queue for ever. A receipt tells of either.
    private func postpone(
        _ call: ScheduledCall, number: UInt64, payer: AccountRecord, queue: ScheduleQueue
    ) throws(LedgerError) -> Receipt {
        guard call.postponements < Self.mostPostponements else {
            try countQueued(call.contract, adding: false)
            return receipt(
                call, number,
                .failure("dropped: put off \(Self.mostPostponements) times; the contract's balance earns too few credits"))
        }
        let window = time.advanced(by: parameters.creditWindowMs)
        let enough = credits.time(of: parameters.scheduledGasPerCall, for: payer, at: time)
        let later = max(time.next, min(enough ?? window, window))
        try queue.put(
            ScheduledCall(
                contract: call.contract, entry: call.entry, data: call.data, time: later,
                postponements: call.postponements + 1),
            number: number)
        if let event = Event(contract: call.contract, topic: postponedTopic, data: number.borsh + later.borsh) {
            overlay.emit(event)
        }
        return receipt(call, number, .failure("postponed to time \(later): the contract has too few credits"))
    }

    private func receipt(
        _ call: ScheduledCall, _ number: UInt64, _ outcome: Outcome, gas: UInt64 = 0, returned: [UInt8] = []
    ) -> Receipt {
        Receipt(
            origin: .scheduled(contract: call.contract, number: number), outcome: outcome, gasUsed: gas,
            events: overlay.takeEvents(), returned: Digest(sha256: returned))
    }

    private func service(of contract: Account) throws(Halt) -> ServiceRecord {
        let id: ServiceId?
        do { id = try overlay.value(.contract(contract)) } catch { throw .ledger(error) }
        guard let id, let record = try service(id) else {
            throw .ledger(.corruptState(.contract(contract), "a contract in the schedule queue has no service"))
        }
        return record
    }

    // MARK: Scheduling

    /// Queues a call; nil when the contract's part of the queue is full. What lies in the past is due now: it can't
    /// overtake what waits already.
    func schedule(contract: Account, entry: UInt32, data: [UInt8], time due: Time) throws(LedgerError) -> UInt64? {
        guard try countQueued(contract, adding: true) else { return nil }
        return try ScheduleQueue(overlay).add(
            ScheduledCall(contract: contract, entry: entry, data: data, time: max(due, time)))
    }

    @discardableResult
    private func countQueued(_ contract: Account, adding: Bool) throws(LedgerError) -> Bool {
        let key = StateKey.counters(contract)
        var counters: ContractCounters = try overlay.value(key) ?? ContractCounters()
        if adding {
            guard counters.queued < parameters.scheduledCallsPerService else { return false }
            counters.queued += 1
        } else {
            counters.queued -= min(counters.queued, 1)
        }
        overlay.set(key, counters)
        return true
    }
}
