import Cryptography
import Encoding
import Primitives

extension Ledger {
    /// Header time from which on the schedule queue has something to do; nil when it is empty.
    public func nextDue(state: any StateReader) throws(LedgerError) -> Time? {
        try ScheduleQueue(Overlay(state)).first?.time
    }
}

extension Executor {
    /// Runs calls that are due, one of each contract in turn, while the block's budget lasts. No call starts with less
    /// than the whole of what it has paid for, so that none fails by what ran before it; and the first one of a block
    /// always starts, whatever bounds governance has set, so that the queue never stands still.
    func runDueCalls() throws(LedgerError) -> [Receipt] {
        let queue = ScheduleQueue(overlay)
        var receipts: [Receipt] = []
        var budget = parameters.scheduledGasPerBlock
        var served: Set<Account> = []
        // A turn whose call has run already costs little, but not nothing.
        var turns = max(1, UInt64(parameters.scheduledCallsPerBlock)).multipliedSaturating(by: 2)
        while receipts.count < max(1, Int(parameters.scheduledCallsPerBlock)), turns > 0,
            let turn = try queue.first, turn.time <= time
        {
            turns -= 1
            let first = try queue.queue(of: turn.contract).calls.first
            if let first, first.time <= time, !receipts.isEmpty, try queue.call(first.number).gas > budget { break }
            // Who was served in this block waits for the others that are due; when none is left, it goes on.
            let others = turn.time < time
            guard let (call, number) = try queue.takeTurn(at: time, mayRun: { !others || !served.contains($0) }) else {
                continue
            }
            served.insert(call.contract)
            let receipt = try run(call, number: number)
            budget -= min(budget, receipt.gasUsed)
            receipts.append(receipt)
            overlay.commit()
        }
        return receipts
    }

    private func run(_ call: ScheduledCall, number: UInt64) throws(LedgerError) -> Receipt {
        beginMeeting()
        try treasury.release(parameters.scheduleDeposit(call), of: call.contract)
        var gas = GasMeter(limit: call.gas)
        let savepoint = overlay.savepoint()
        var outcome = Outcome.succeeded
        var returned: [UInt8] = []
        var retired: ServiceRecord?
        do throws(Halt) {
            if call.entry == Self.disputeEntry {
                try lookAfterDispute(call, gas: &gas)
            } else {
                let service = try service(of: call.contract)
                guard service.retiredAt == nil else {
                    retired = service
                    throw .failed("the service has ended: the call does not run")
                }
                returned = try self.call(
                    service, entry: .scheduled, kind: .scheduled, caller: call.contract, signer: nil, value: 0,
                    actionId: call.entry, input: call.data, gas: &gas)
            }
        } catch {
            if case .ledger(let failure) = error { throw failure }
            overlay.rollBack(to: savepoint)
            outcome = .failure(error.message)
        }
        var after = try overlay.account(call.contract)
        credits.refund(call.gas - min(call.gas, gas.used), to: &after, at: time)
        try overlay.setAccount(call.contract, after)
        if let retired { try sweep(retired) }
        return Receipt(
            origin: .scheduled(contract: call.contract, number: number), outcome: outcome, gasUsed: gas.used,
            events: overlay.takeEvents(), returned: Receipt.digest(ofReturned: returned))
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

    /// Queues a call and takes what it may use from the contract's credits; what it does not use comes back when it has
    /// run. Nil when the contract can't pay, lacks the deposit, or has its part of the queue full. What lies in the past
    /// is due now: it can't overtake what waits already.
    func schedule(contract: Account, entry: UInt32, data: [UInt8], time due: Time) throws(LedgerError) -> UInt64? {
        let queue = ScheduleQueue(overlay)
        let waiting = try queue.queue(of: contract).calls.count
        guard waiting < min(Int(parameters.scheduledCallsPerService), ServiceQueue.mostCalls) else { return nil }
        let call = ScheduledCall(
            contract: contract, entry: entry, data: data, time: max(due, time), gas: parameters.scheduledGasPerCall)
        guard credits.available(try overlay.account(contract), at: time) >= call.gas,
            try treasury.hold(parameters.scheduleDeposit(call), of: contract)
        else { return nil }
        var payer = try overlay.account(contract)
        credits.charge(call.gas, to: &payer, at: time)
        try overlay.setAccount(contract, payer)
        return try queue.add(call)
    }
}

extension Parameters {
    /// What a waiting call locks: its own key, and its places in the contract's list and in the heap.
    func scheduleDeposit(_ call: ScheduledCall) -> UInt128 {
        deposit(keyBytes: 9, valueBytes: call.data.count + 128)
    }
}
