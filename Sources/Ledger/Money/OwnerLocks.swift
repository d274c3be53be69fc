import Cryptography
import Primitives

/// Money that backs verdicts: locked and given back by the owner's own transactions alone.
extension Executor {
    func lockMoney(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) {
        guard transaction.data.isEmpty else {
            throw .failed(Refusal.malformedData(transaction.actionId, "it takes no data; the value is what is locked").description)
        }
        guard transaction.value > 0 else { throw .failed("lockMoney needs a value: what is to be locked") }
        try gas.charge(parameters.storageGas(writes: 2, bytes: 80))
        do {
            var lock = try settledLock(of: transaction.sender)
            guard try treasury.setAside(transaction.value, of: transaction.sender) else {
                throw Halt.failed("the balance of \(transaction.sender) is too small for a value of \(transaction.value)")
            }
            lock.add(transaction.value)
            overlay.set(.ownerLock(transaction.sender), lock)
        } catch let halt as Halt { throw halt } catch let error as LedgerError { throw .ledger(error) } catch {
            throw .failed("lockMoney failed")
        }
    }

    func unlockMoney(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) {
        let data: UnlockMoney = try decode(transaction)
        try refuseValue(of: transaction)
        try gas.charge(parameters.storageGas(writes: 2, bytes: 80))
        do {
            let stored: [UInt8]? = try overlay.value(.ownerLock(transaction.sender))
            guard stored != nil else {
                throw Halt.failed("\(transaction.sender) has locked nothing")
            }
            var lock = try settledLock(of: transaction.sender)
            let asked = lock.leaving
            guard lock.takeBack(data.amount) == data.amount else {
                throw Halt.failed(
                    "\(data.amount) can't be asked back: \(transaction.sender) has \(lock.total) locked, of which "
                        + "\(asked) are asked back already")
            }
            overlay.set(.ownerLock(transaction.sender), lock.isEmpty ? nil : lock.borsh)
        } catch let halt as Halt { throw halt } catch let error as LedgerError { throw .ledger(error) } catch {
            throw .failed("unlockMoney failed")
        }
    }

    /// Weight of a verdict that the owner's locked money allows now, up to what is asked.
    func drawWeight(_ asked: UInt64, of owner: Account) throws(LedgerError) -> UInt64 {
        var lock = try settledLock(of: owner)
        guard !lock.isEmpty else { return 0 }
        let granted = lock.draw(asked, allowance: parameters.verdictBudget(deposit: lock.amount))
        overlay.set(.ownerLock(owner), lock)
        return granted
    }

    /// The owner's lock as of this block's time; what has become free is in its balance again.
    private func settledLock(of owner: Account) throws(LedgerError) -> OwnerLock {
        let key = StateKey.ownerLock(owner)
        guard var lock: OwnerLock = try overlay.value(key) else { return OwnerLock(since: time) }
        let free = lock.settle(at: time, periodMs: parameters.decayPeriodMs)
        if free > 0 { try treasury.giveBack(free, of: owner) }
        overlay.set(key, lock.isEmpty ? nil : lock.borsh)
        return lock.isEmpty ? OwnerLock(since: time) : lock
    }
}
