import Cryptography
import Encoding
import Primitives

/// What an owner can do with a registered service (`Docs/protocol.md`, section 3): exchange its code and end it, both
/// after a notice that its members see; and hand it over to somebody who accepts it as it is.
extension Executor {
    // MARK: Upgrade

    func upgradeService(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) -> [UInt8] {
        let data: UpgradeService = try decode(transaction)
        try refuseValue(of: transaction)
        var record = try ownService(data.service, of: transaction.sender, gas: &gas)
        guard record.retiredAt == nil else { throw .failed("the service '\(data.service)' has ended") }
        switch data.step {
        case .announce(let codeHash):
            guard codeHash != record.codeHash else { throw .failed("that is the code of '\(data.service)' already") }
            try announce(notice(of: .upgrade(codeHash: codeHash)), in: &record, gas: &gas)
        case .withdraw:
            guard case .upgrade = record.notice?.change else {
                throw .failed("no upgrade of '\(data.service)' is announced")
            }
            try announce(nil, in: &record, gas: &gas)
        case .apply(let codeHash, let input):
            try requireOpen(record, .upgrade(codeHash: codeHash), "an upgrade to \(codeHash)")
            // The new code is in use since it was announced.
            try gas.charge(writeGas(.codeRecord(record.codeHash), bytes: Self.codeRecordBytes))
            try endUse(of: record.codeHash)
            record.notice = nil
            record.codeHash = codeHash
            overlay.set(.service(data.service), record)
            try gas.charge(writeGas(.panel(record.contract), bytes: Self.recordBytes))
            try forgetValidations(of: record.contract)
            return try call(
                record, entry: .upgrade, kind: .upgrade, caller: transaction.sender, signer: transaction.sender, value: 0,
                input: input, gas: &gas)
        }
        return []
    }

    /// New code judges by what is validated under it: an owner could else exchange the contract that the validator knew,
    /// and have a worse one speak with its word.
    private func forgetValidations(of contract: Account) throws(Halt) {
        guard var panel: PanelRecord = try decoded(.panel(contract)) else { return }
        panel.forget()
        overlay.set(.panel(contract), panel)
    }

    // MARK: Hand-over

    func transferService(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) {
        let data: TransferService = try decode(transaction)
        try refuseValue(of: transaction)
        if case .accept(let digest) = data.step { return try accept(data.service, digest, transaction, gas: &gas) }
        var record = try ownService(data.service, of: transaction.sender, gas: &gas)
        guard record.retiredAt == nil else { throw .failed("the service '\(data.service)' has ended") }
        if case .offer(let account) = data.step {
            guard !account.publicKey.isOfSmallOrder else {
                throw .failed("the new owner is a key of small order: anybody can sign for it")
            }
            guard account != record.owner, account != record.contract else {
                throw .failed("'\(data.service)' can't be offered to its owner or its own contract")
            }
            record.offeredTo = account
        } else {
            guard record.offeredTo != nil else { throw .failed("'\(data.service)' is not offered to anybody") }
            record.offeredTo = nil
        }
        overlay.set(.service(data.service), record)
    }

    /// The new owner locks the service's deposit, the old one has its own back. A notice that runs runs on.
    private func accept(
        _ service: ServiceId, _ digest: Digest, _ transaction: Transaction, gas: inout GasMeter
    ) throws(Halt) {
        try gas.charge(writeGas(.service(service), bytes: Self.recordBytes))
        guard var record = try self.service(service) else { throw .failed("there is no service '\(service)'") }
        try gas.charge(writeGas(.account(record.owner)).addingSaturating(HostGas.hash))
        guard record.offeredTo == transaction.sender else {
            throw .failed("'\(service)' is not offered to \(transaction.sender)")
        }
        guard record.digest == digest else {
            throw .failed("'\(service)' has changed since it was looked at: look at it again, then accept what it is now")
        }
        let former = record.owner
        try hold(parameters.serviceDeposit, of: transaction.sender, for: "a service")
        do { try treasury.release(parameters.serviceDeposit, of: former) } catch { throw .ledger(error) }
        record.owner = transaction.sender
        record.offeredTo = nil
        overlay.set(.service(service), record)
    }

    // MARK: Retirement

    func retireService(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) -> [UInt8] {
        let data: RetireService = try decode(transaction)
        try refuseValue(of: transaction)
        var record = try ownService(data.service, of: transaction.sender, gas: &gas)
        try gas.charge(writeGas(.account(record.contract)).addingSaturating(writeGas(.account(record.owner))))
        guard record.retiredAt == nil else {
            guard data.step == .apply else { throw .failed("the service '\(data.service)' has ended already") }
            do { try sweep(record) } catch { throw .ledger(error) }
            return []
        }
        switch data.step {
        case .announce: try announce(notice(of: .retire), in: &record, gas: &gas)
        case .withdraw:
            guard record.notice?.change == .retire else { throw .failed("no end of '\(data.service)' is announced") }
            try announce(nil, in: &record, gas: &gas)
        case .apply:
            try requireOpen(record, .retire, "the end")
            return try retire(&record, transaction, gas: &gas)
        }
        return []
    }

    /// The contract's last call says whose money it has; what is left after it is the owner's. A contract that says
    /// nothing can't end with money inside.
    private func retire(
        _ record: inout ServiceRecord, _ transaction: Transaction, gas: inout GasMeter
    ) throws(Halt) -> [UInt8] {
        let last = ContractCall(
            service: record, entry: .retire, kind: .retire, caller: transaction.sender, signer: transaction.sender,
            value: 0, actionId: 0, postId: [], input: [], readOnly: false)
        let result: ContractResult
        do { result = try invoke(last, gasLimit: gas.left) } catch { throw .ledger(error) }
        gas.add(result.gasUsed)
        var returned: [UInt8] = []
        switch result.outcome {
        case .returned(let bytes): returned = bytes
        case .failed(let message): throw .failed(message)
        }
        let balance = try account(record.contract).balance
        guard result.isThere || balance == 0 else {
            throw .failed(
                "'\(record.service)' holds \(balance), and its contract has no \"retire\" that says whose it is: upgrade it first")
        }
        try gas.charge(writeGas(.codeRecord(record.codeHash), bytes: Self.codeRecordBytes))
        try endUse(of: record.codeHash)
        record.notice = nil
        record.offeredTo = nil
        record.retiredAt = height
        overlay.set(.service(record.service), record)
        do { try sweep(record) } catch { throw .ledger(error) }
        return returned
    }

    /// What a service that has ended still does: its members leave, and have their deposits back (``endMembership(_:)``).
    func leave(
        _ service: ServiceRecord, _ retiredAt: Height, _ transaction: Transaction, gas: inout GasMeter
    ) throws(Halt) -> Outcome {
        guard transaction.actionId == .releaseRelation, transaction.data.isEmpty, transaction.value == 0 else {
            throw .failed(
                "the service '\(service.service)' has ended in block \(retiredAt): its members can leave it, by action 7 without data")
        }
        try gas.charge(writeGas(.membership(service.contract, transaction.sender)))
        try gas.charge(writeGas(.account(service.contract)).addingSaturating(writeGas(.account(service.owner))))
        return .succeeded
    }

    /// Moves what lies on the account of a service that has ended to its owner.
    func sweep(_ service: ServiceRecord) throws(LedgerError) {
        let balance = try overlay.account(service.contract).balance
        // An owner's account exists for ever, so this is refused by nothing; if it were, the money would just stay.
        _ = try treasury.pay(balance, from: service.contract, to: service.owner)
    }

    // MARK: Rules

    /// Bytes of a service's record, at most.
    static let recordBytes = 512
    /// Of a code's record, with its key.
    private static let codeRecordBytes = 96

    private func ownService(_ id: ServiceId, of sender: Account, gas: inout GasMeter) throws(Halt) -> ServiceRecord {
        try gas.charge(writeGas(.service(id), bytes: Self.recordBytes))
        guard let record = try service(id) else { throw .failed("there is no service '\(id)'") }
        guard record.owner == sender else { throw .failed("'\(id)' belongs to \(record.owner), not to \(sender)") }
        return record
    }

    /// Puts a notice in the place of the one that there is. Announced code stays on the chain as code in use does.
    private func announce(_ notice: ServiceNotice?, in record: inout ServiceRecord, gas: inout GasMeter) throws(Halt) {
        if case .upgrade(let hash) = record.notice?.change {
            try gas.charge(writeGas(.codeRecord(hash), bytes: Self.codeRecordBytes))
            try endUse(of: hash)
        }
        if case .upgrade(let hash) = notice?.change {
            try gas.charge(writeGas(.codeRecord(hash), bytes: Self.codeRecordBytes))
            try beginUse(of: hash)
        }
        record.notice = notice
        overlay.set(.service(record.service), record)
    }

    private func notice(of change: ServiceNotice.Change) -> ServiceNotice {
        let from = time.advanced(by: parameters.serviceNoticeMs)
        return ServiceNotice(change: change, from: from, until: from.advanced(by: parameters.serviceNoticeMs))
    }

    private func requireOpen(
        _ record: ServiceRecord, _ change: ServiceNotice.Change, _ what: String
    ) throws(Halt) {
        guard let notice = record.notice, notice.change == change else {
            throw .failed("\(what) of '\(record.service)' was not announced")
        }
        guard time >= notice.from else {
            throw .failed("\(what) of '\(record.service)' can happen from \(notice.from) on; it is \(time)")
        }
        guard time <= notice.until else {
            throw .failed("the notice of '\(record.service)' ran out at \(notice.until); announce it again")
        }
    }
}
