/// Bounds of single parameters don't keep the chain going: prices and limits, each within its own, can together be such
/// that nothing fits any more, not even the proposal that would undo it. What must always fit is listed here.
extension Parameters {
    package struct Duty: Hashable, Sendable {
        package enum Limit: String, Sendable {
            case transaction = "transactionGas"
            case scheduledCall = "scheduledGasPerCall"
        }

        /// With what makes it as dear as it can get.
        package let name: String
        /// That it takes at most.
        package let gas: UInt64
        package let limit: Limit
    }

    /// Bytes of data that each of the masternodes' actions has at most.
    package static let longestDuty = 512
    /// Gas of reading, checking and preparing the largest contract: protocol, as the ledger charges it.
    package static let largestContractGas: UInt64 = 1_302_000

    /// All that must fit, at its dearest: as many masternodes and open proposals as there can be.
    package var duties: [Duty] {
        let masternodes = UInt64(ChainLimits.masternodes)
        let looks = Self.product(masternodes, StateWork.gasPerMasternode)
        func transaction(_ name: String, _ gas: UInt64, dataBytes: Int = Self.longestDuty) -> Duty {
            Duty(name: name, gas: Self.sum(intrinsicGas(dataBytes: dataBytes), gas), limit: .transaction)
        }
        let proposal = Self.sum(
            Self.sum(gas(of: .proposeChange), looks), storageGas(reads: UInt64(ProposalRecord.mostOpen)))
        return [
            transaction("a record of 0 bytes", 0, dataBytes: 0),
            transaction("a transfer to a new account", storageGas(writes: 1)),
            transaction("registerMasternode", gas(of: .registerMasternode)),
            transaction("unregisterMasternode among \(masternodes) masternodes", Self.sum(gas(of: .ownMasternode), looks)),
            transaction("resumeMasternode", gas(of: .ownMasternode)),
            transaction("renewBeacon", gas(of: .renewBeacon)),
            transaction("reportEquivocation", gas(of: .reportEquivocation)),
            transaction(
                "proposeChange among \(masternodes) masternodes and \(ProposalRecord.mostOpen) open proposals", proposal),
            transaction("voteProposal", gas(of: .voteProposal)),
            Duty(
                name: "the call that draws a dispute's jury among \(masternodes) masternodes",
                gas: Self.sum(gas(of: .lookAfterDispute), storageGas(reads: masternodes)), limit: .scheduledCall),
            // Loading it, its state there and back, and its next call.
            Duty(
                name: "a call of the largest contract that schedules its next one",
                gas: Self.sum(Self.largestContractGas, Self.sum(storageGas(reads: 4, writes: 1, bytes: 1_024), gas(of: .schedule))),
                limit: .scheduledCall),
        ]
    }

    package func limit(_ duty: Duty) -> UInt64 {
        switch duty.limit {
        case .transaction: transactionGas
        case .scheduledCall: scheduledGasPerCall
        }
    }

    /// Credits that so much collateral lacks for ten transactions: else its masternode could not report, propose or vote
    /// any more.
    package func creditsMissing(collateral: UInt128) -> UInt128 {
        let needed = 10 * UInt128(transactionGas)
        return needed - min(needed, collateral / UInt128(max(1, balancePerCredit)))
    }

    /// The duty that these parameters leave least room for, where it is less than it needs. A chain whose genesis left too
    /// little can come out of that step by step: only what makes it worse than `before` is refused.
    func misfit(after before: Parameters) -> String? {
        var worst: (duty: Duty, missing: UInt64)?
        for (duty, old) in zip(duties, before.duties) {
            let missing = duty.gas - min(duty.gas, limit(duty))
            let was = old.gas - min(old.gas, before.limit(old))
            guard missing > was else { continue }
            if missing > worst?.missing ?? 0 { worst = (duty, missing) }
        }
        return worst.map { worst in
            "\(worst.duty.name) takes \(worst.duty.gas) gas then, and \(worst.duty.limit.rawValue) is \(limit(worst.duty)): it could stop the chain"
        }
    }
}
