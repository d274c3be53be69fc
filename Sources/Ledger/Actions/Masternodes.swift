import Cryptography
import Encoding
import Primitives

/// Registering, leaving, resuming and slashing masternodes (architecture, section 3). Who takes part changes at epoch
/// borders alone (`EpochBorder.swift`); these actions change the records that the borders read.
extension Executor {
    /// Locks the collateral on the consensus key's account. The masternode takes part from the epoch after the next on.
    func registerMasternode(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) {
        let data: RegisterMasternode = try decode(transaction)
        let owner = transaction.sender
        try gas.charge(parameters.gas(of: .registerMasternode))
        let account = Account(data.consensusKey)
        guard !data.consensusKey.isOfSmallOrder else {
            throw .failed("the consensus key is a point of small order: anybody can sign for it")
        }
        guard account != owner else {
            throw .failed("the consensus key is the sender's own: owner and consensus key must differ, since one is kept cold")
        }
        let collateral = UInt128(parameters.collateral)
        guard transaction.value == collateral else {
            throw .failed("the value is \(transaction.value); the collateral of a masternode is \(collateral)")
        }
        guard data.isConsented(owner: owner, genesis: ledger.genesisHash, verifier: ledger.verifier) else {
            throw .failed("the consent is not the consensus key's signature for this owner and hash chain")
        }
        if let known = try masternode(data.consensusKey) {
            if case .slashed = known.status { throw .failed("this consensus key was slashed and can't come back") }
            throw .failed("this consensus key is registered already")
        }
        var index = try masternodeIndex()
        guard index.keys.count < ChainLimits.masternodes else {
            throw .failed("all \(ChainLimits.masternodes) places for masternodes are taken")
        }
        let locked: Bool
        do { locked = try treasury.lock(collateral, from: owner, on: account) } catch { throw .ledger(error) }
        guard locked else { throw .failed("the balance of \(owner) is too small for a value of \(collateral)") }
        index.keys.append(data.consensusKey)
        overlay.set(.masternodeIndex, index)
        overlay.set(.beacon(data.consensusKey), data.beaconTip)
        overlay.set(.beaconRenewal(data.consensusKey), nil)
        set(
            MasternodeRecord(
                masternode: Masternode(
                    name: data.name, consensusKey: data.consensusKey, owner: owner, beaconTip: data.beaconTip),
                collateral: collateral, status: .active(from: context.epoch.secondAfter), registeredAt: height,
                lastSeen: context.epoch.next))
        emit("masternode.registered", data.consensusKey.bytes)
    }

    func unregisterMasternode(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) {
        var record = try ownRecord(transaction, gas: &gas)
        try chargeForMasternodes(&gas)
        switch record.status {
        case .active, .suspended: break
        case .leaving: throw .failed("this masternode is leaving already")
        case .removed: throw .failed("this masternode was voted out already")
        case .slashed: throw .failed("this masternode was slashed")
        }
        let others = try masternodes().contains {
            $0.isProven && $0.consensusKey != record.consensusKey && context.nextPlan.set.index(of: $0.consensusKey) != nil
        }
        guard others else { throw .failed("it is the only active masternode: without it the chain would stand still") }
        record.status = .leaving(in: context.epoch, unlocksAt: time.advanced(by: parameters.unbondingMs))
        set(record)
        emit("masternode.leaving", record.consensusKey.bytes)
    }

    /// Brings a suspended masternode back. So too one that was never suspended: a node that lost votes waits for this word
    /// before it votes again (`simplex.md`, rule 12).
    func resumeMasternode(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) {
        var record = try ownRecord(transaction, gas: &gas)
        switch record.status {
        case .suspended: break
        case .active(let from) where from <= context.epoch: break
        case .active(let from): throw .failed("this masternode takes part from epoch \(from) on: that was said already")
        case .leaving, .removed: throw .failed("this masternode is leaving")
        case .slashed: throw .failed("this masternode was slashed")
        }
        record.status = .active(from: context.epoch.secondAfter)
        record.lastSeen = context.epoch.next
        set(record)
        emit("masternode.resumed", record.consensusKey.bytes)
    }

    /// Takes the whole collateral: half is burned, half goes to the masternodes that take part. None of it goes to the
    /// reporter, who might be the offender.
    func reportEquivocation(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) {
        let evidence: Evidence = try decode(transaction)
        try refuseValue(of: transaction)
        try gas.charge(parameters.gas(of: .reportEquivocation))
        guard evidence.epoch <= context.epoch else { throw .failed("the evidence is of an epoch to come") }
        guard context.epoch.distance(since: evidence.epoch) <= parameters.evidenceEpochs,
            let plan: EpochPlan = try decoded(.epoch(evidence.epoch))
        else {
            throw .failed("evidence of epoch \(evidence.epoch) counts no more in epoch \(context.epoch)")
        }
        do { try evidence.verify(by: plan.set, genesis: ledger.genesisHash, verifier: ledger.verifier) } catch {
            throw .failed(error.description)
        }
        guard let key = plan.set.member(evidence.signer)?.consensusKey, var record = try masternode(key) else {
            throw .failed("the offender is no masternode any more")
        }
        if case .slashed = record.status { throw .failed("this masternode was slashed already") }
        try slash(&record)
    }

    private func slash(_ record: inout MasternodeRecord) throws(Halt) {
        let account = Account(record.consensusKey)
        do { try treasury.forfeit(record.collateral, of: account, burns: ledger.rules.burnsWhatIsSlashed) } catch {
            throw .ledger(error)
        }
        record.collateral = 0
        if ledger.rules.removesTheSlashed { record.status = .slashed(in: context.epoch) }
        set(record)
        var index = try masternodeIndex()
        index.keys.removeAll { $0 == record.consensusKey }
        overlay.set(.masternodeIndex, index)
        let finding = Finding(
            service: .chain, role: .validator, kind: .equivocation, weight: 0, note: "the collateral was taken")
        for party in [account, record.owner] {
            do { try overlay.append(.finding(finding), to: party, height: height, time: time) } catch { throw .ledger(error) }
        }
        emit("masternode.slashed", record.consensusKey.bytes)
    }

    /// Gives the collateral back to the owner and forgets the masternode.
    func unlock(_ record: MasternodeRecord) throws(Halt) {
        do { try treasury.unlock(record.collateral, of: Account(record.consensusKey), to: record.owner) } catch {
            throw .ledger(error)
        }
        overlay.set(.masternode(record.consensusKey), nil)
        overlay.set(.beacon(record.consensusKey), nil)
        overlay.set(.beaconRenewal(record.consensusKey), nil)
        var index = try masternodeIndex()
        index.keys.removeAll { $0 == record.consensusKey }
        overlay.set(.masternodeIndex, index)
    }

    // MARK: State

    func masternode(_ key: PublicKey) throws(Halt) -> MasternodeRecord? { try decoded(.masternode(key)) }

    func masternodeIndex() throws(Halt) -> MasternodeIndex { try decoded(.masternodeIndex) ?? MasternodeIndex() }

    /// For what looks at all of them.
    func chargeForMasternodes(_ gas: inout GasMeter) throws(Halt) {
        try gas.charge(
            UInt64(clamping: try masternodeIndex().keys.count).multipliedSaturating(by: StateWork.gasPerMasternode))
    }

    /// All that are registered, in the order of their registration.
    func masternodes() throws(Halt) -> [MasternodeRecord] {
        var records: [MasternodeRecord] = []
        for key in try masternodeIndex().keys {
            guard let record = try masternode(key) else {
                throw .ledger(.corruptState(.masternode(key), "the index names a masternode that has no record"))
            }
            records.append(record)
        }
        return records
    }

    func set(_ record: MasternodeRecord) { overlay.set(.masternode(record.consensusKey), record) }

    private func ownRecord(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) -> MasternodeRecord {
        let data: MasternodeReference = try decode(transaction)
        try refuseValue(of: transaction)
        try gas.charge(parameters.gas(of: .ownMasternode))
        guard let record = try masternode(data.consensusKey) else {
            throw .failed("no masternode with the consensus key \(data.consensusKey) is registered")
        }
        guard record.owner == transaction.sender else {
            throw .failed("the sender is not this masternode's owner, \(record.owner)")
        }
        return record
    }

    func decoded<Value: BorshDecodable>(_ key: StateKey) throws(Halt) -> Value? {
        do { return try overlay.value(key) } catch { throw .ledger(error) }
    }

    func account(_ account: Account) throws(Halt) -> AccountRecord {
        do { return try overlay.account(account) } catch { throw .ledger(error) }
    }

    func setAccount(_ account: Account, _ record: AccountRecord) throws(Halt) {
        do { try overlay.setAccount(account, record) } catch { throw .ledger(error) }
    }

    /// Events of the chain itself come from the zero account.
    func emit(_ topic: StaticString, _ data: [UInt8]) {
        // A border may have more to tell than a receipt can hold.
        guard overlay.events.count < ChainLimits.eventsPerReceipt else { return }
        if let event = Event(contract: .zero, topic: Array(topic.description.utf8), data: data) { overlay.emit(event) }
    }
}

extension MasternodeRecord {
    /// Whether it takes part, now or from a coming epoch on.
    var isActive: Bool { if case .active = status { true } else { false } }

    /// Whether something of it was seen since it registered or came back.
    var isProven: Bool { if case .active(let from) = status { lastSeen >= from } else { false } }
}
