import Cryptography
import Encoding
import Primitives

/// A masternode's hash chain has an end; before it a new tip takes its place (architecture, section 3).
extension Executor {
    /// Sent by the consensus key's own account: the running node does it, without its owner.
    func renewBeacon(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) {
        let data: RenewBeacon = try decode(transaction)
        try refuseValue(of: transaction)
        try gas.charge(parameters.gas(of: .renewBeacon))
        let key = transaction.sender.publicKey
        guard let record = try masternode(key) else {
            throw .failed("the sender is not the consensus key of a registered masternode")
        }
        if case .slashed = record.status { throw .failed("this masternode was slashed") }
        let known: BeaconRenewal? = try decoded(.beaconRenewal(key))
        if let known, !known.isInForce { throw .failed("a renewal waits for epoch \(known.from) already") }
        let next = (known?.generation ?? 0).addingReportingOverflow(1)
        guard !next.overflow, data.generation == next.partialValue else {
            throw .failed("the renewal has number \(data.generation), \(next.partialValue) comes next")
        }
        overlay.set(
            .beaconRenewal(key),
            BeaconRenewal(
                generation: data.generation, tip: data.tip, from: context.epoch.secondAfter, isInForce: false))
        emit("masternode.beaconRenewed", key.bytes)
    }

    /// The leaders of an epoch are drawn from the randomness two epochs before, so by then nobody can choose a tip to
    /// suit its turns.
    func putRenewalsInForce(for epoch: Epoch) throws(Halt) {
        for key in try masternodeIndex().keys {
            guard var renewal: BeaconRenewal = try decoded(.beaconRenewal(key)), !renewal.isInForce, renewal.from <= epoch
            else { continue }
            renewal.isInForce = true
            overlay.set(.beaconRenewal(key), renewal)
            overlay.set(.beacon(key), renewal.tip)
        }
    }
}
