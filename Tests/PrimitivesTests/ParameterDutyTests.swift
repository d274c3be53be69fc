import Primitives
import TestSupport
import Testing

/// Whatever governance sets, one parameter after the other, what keeps the chain going and can undo it still fits.
@Suite(.timeLimit(.minutes(20))) struct ParameterDutyTests {
    private func refusal(_ parameters: Parameters, _ name: String, _ value: UInt64) -> String {
        switch parameters.changing(name, to: value) {
        case .success: "taken"
        case .failure(let error): error.description
        }
    }

    private func changed(_ parameters: Parameters, _ name: String, _ value: UInt64) throws -> Parameters {
        try parameters.changing(name, to: value).get()
    }

    @Test func theStandardParametersHaveRoom() {
        let parameters = Parameters()
        for duty in parameters.duties { #expect(duty.gas <= parameters.limit(duty), "\(duty.name): \(duty.gas)") }
    }

    /// Each of these is within the bounds of its own parameter.
    @Test func combinationsThatWouldStopTheChain() throws {
        let parameters = Parameters()
        let proposal = try #require(parameters.duties.first { $0.name.hasPrefix("proposeChange") })
        let low = refusal(parameters, "transactionGas", proposal.gas - 1)
        #expect(low.contains(proposal.name) && low.contains("takes \(proposal.gas) gas then, and transactionGas is \(proposal.gas - 1)"), "\(low)")
        #expect(low.contains("could stop the chain"))
        var least = try changed(parameters, "transactionGas", proposal.gas)
        // Not another unit dearer, from either side.
        #expect(refusal(least, "gasPerStorageAccess", least.gasPerStorageAccess + 1).contains("proposeChange"))
        #expect(refusal(least, "gasPerTransaction", least.gasPerTransaction + 1).contains("proposeChange"))
        least = try changed(least, "gasPerTransaction", least.gasPerTransaction - 1)
        _ = try changed(least, "gasPerTransaction", least.gasPerTransaction + 1)

        let low2 = refusal(parameters, "scheduledGasPerCall", 1_000_000)
        #expect(low2.contains("scheduledGasPerCall is 1000000") && low2.contains("dispute"), "\(low2)")
        let dispute = try #require(parameters.duties.first { $0.name.contains("dispute") })
        let tight = try changed(parameters, "scheduledGasPerCall", dispute.gas)
        let dearer = refusal(tight, "gasPerStorageAccess", tight.gasPerStorageAccess + 1)
        #expect(dearer.contains(dispute.name) && dearer.contains("scheduledGasPerCall is \(dispute.gas)"), "\(dearer)")
        // Cheap storage leaves the contract's own code.
        var cheap = try changed(parameters, "gasPerStorageAccess", 0)
        cheap = try changed(cheap, "gasPerStorageWrite", 0)
        #expect(refusal(cheap, "scheduledGasPerCall", 1_300_000).contains("largest contract"))
    }

    /// A chain whose genesis left too little room is changed for the better, and in what has nothing to do with it.
    @Test func aNarrowGenesisCanBeMended() throws {
        var narrow = Parameters()
        narrow.transactionGas = 1_000_000
        let wider = try changed(narrow, "transactionGas", 1_500_000)
        _ = try changed(narrow, "heartbeatMs", 10_000)
        _ = try changed(wider, "gasPerStorageAccess", wider.gasPerStorageAccess - 1)
        #expect(refusal(wider, "gasPerStorageAccess", wider.gasPerStorageAccess + 1).contains("could stop the chain"))
        #expect(refusal(wider, "transactionGas", 1_400_000).contains("could stop the chain"))
    }

    /// Long ways of random changes: what was accepted leaves room for every duty, and a masternode's collateral pays for
    /// each of them.
    @Test(arguments: [0x90e1, 0x90e2, 0x90e3] as [UInt64])
    func everyAcceptedSetLeavesRoom(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var accepted = 0, refused = 0
        for way in 0..<30 {
            var parameters = Parameters()
            for step in 0..<100 {
                let name = Parameters.changeable[generator.below(Parameters.changeable.count)]
                let now = parameters.value(of: name) ?? 0
                // Of every size, near the present one, and far up or down.
                let value: UInt64 =
                    switch generator.below(4) {
                    case 0: generator.next() >> UInt64(generator.below(64))
                    case 1: now / UInt64(1 + generator.below(20))
                    case 2: now &+ UInt64(generator.below(1_000))
                    default: now.multipliedReportingOverflow(by: UInt64(1 + generator.below(20))).partialValue
                    }
                guard case .success(let changed) = parameters.changing(name, to: value) else {
                    refused += 1
                    continue
                }
                accepted += 1
                parameters = changed
                let place = "seed \(seed), way \(way), step \(step): \(name) = \(value)"
                let credits = parameters.collateral / parameters.balancePerCredit
                for duty in parameters.duties {
                    #expect(duty.gas <= parameters.limit(duty), "\(place): \(duty.name)")
                    guard duty.limit == .transaction else { continue }
                    let bytes = UInt64(Parameters.longestDuty + 300) * parameters.creditsPerTransactionByte
                    #expect(duty.gas + bytes <= credits, "\(place): \(duty.name) can't be paid")
                }
                #expect(parameters.transactionGas <= parameters.blockGas, "\(place)")
                #expect(parameters.scheduledGasPerCall <= parameters.scheduledGasPerBlock, "\(place)")
            }
        }
        #expect(accepted > 500 && refused > 500, "\(accepted) accepted, \(refused) refused")
    }
}
