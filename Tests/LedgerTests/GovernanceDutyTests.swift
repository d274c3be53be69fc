import Cryptography
import Encoding
import Ledger
import Primitives
import Testing
import WebAssembly

/// What `Parameters.duties` promises is what the ledger takes: each fits into the gas that it is said to need, whatever
/// prices governance may set.
@Suite(.timeLimit(.minutes(20))) struct GovernanceDutyTests {
    private func gas(_ name: String, _ parameters: Parameters) throws -> UInt64 {
        let duty = try #require(parameters.duties.first { $0.name.hasPrefix(name) }, "no duty \(name)")
        #expect(duty.gas <= parameters.limit(duty), "\(duty.name)")
        return duty.gas
    }

    private func evidence(_ validator: Validator, _ chain: TestChain) throws -> Evidence {
        let place = try #require(try chain.context.set.index(of: validator.key))
        let votes = try [1, 2].map { number -> Vote<Proposal> in
            let subject = Proposal(
                epoch: .zero, view: View(3), parentView: .zero, parentDigest: .zero, digest: Digest(sha256: [UInt8(number)]))
            return Vote(
                subject: subject, signer: place,
                signature: try validator.user.key.sign(subject, domain: .notarize, genesis: chain.ledger.genesisHash))
        }
        return try #require(Evidence(votes[0], votes[1]))
    }

    /// Sets that governance can come to, prices and limits changed at random.
    private static func acceptable(_ seed: UInt64) -> Parameters {
        var generator = SplitMix64(seed: seed)
        var parameters = Parameters()
        parameters.collateral = 5_000_000_000
        let names = [
            "transactionGas", "gasPerTransaction", "gasPerDataByte", "gasPerStorageByte", "gasPerStorageAccess",
            "gasPerStorageWrite", "gasPerSignatureCheck", "creditsPerTransactionByte",
        ]
        for _ in 0..<200 {
            let name = names[Int.random(in: 0..<names.count, using: &generator)]
            let now = parameters.value(of: name) ?? 0
            let value = UInt64.random(in: 0...2, using: &generator) == 0 ? now / 2 : now + 1 + now / 3
            if case .success(let changed) = parameters.changing(name, to: value) { parameters = changed }
        }
        return parameters
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func everyDutyIsDoneByAnyAcceptablePrices(seed: UInt64) throws {
        let parameters = Self.acceptable(seed)
        let owners = try (0..<5).map { try User("owner \($0)") }
        let validators = try (0..<6).map { try Validator("m\($0)") }
        var chain = try TestChain(
            owners, balance: 1_000_000_000_000_000, parameters: parameters,
            masternodes: zip(validators, owners).map { ($0, owner: $1) })
        chain.validators[validators[5].key] = validators[5]

        func done(
            _ user: User, service: String = "chain", _ action: ActionId, _ duty: String, data: [UInt8] = [],
            value: UInt128 = 0, post: String = ""
        ) throws {
            let receipt = try chain.send(
                user, service: service, action, data: data, value: value, gas: gas(duty, parameters), post: post)
            #expect(receipt.outcome.failure == nil, "seed \(seed), \(duty): \(receipt.outcome)")
        }
        try done(owners[0], service: "nobody's", .distributeTask, "a record")
        let stranger = try User("stranger").account
        try done(owners[0], .transfer, "a transfer", data: Transfer(recipient: stranger).borsh, value: 1_000_000)
        let registration = try RegisterMasternode(
            Masternode(name: "new", consensusKey: validators[5].key, owner: owners[1].account, beaconTip: validators[5].tip),
            signing: validators[5].user.key, genesis: chain.ledger.genesisHash)
        try done(
            owners[1], .registerMasternode, "registerMasternode", data: registration.borsh, value: UInt128(parameters.collateral))
        try done(
            validators[0].user, .renewBeacon, "renewBeacon", data: RenewBeacon(generation: 1, tip: validators[0].tip).borsh)
        let undo = ProposeChange(change: .parameter(name: "gasPerStorageWrite", value: 1), from: Epoch(2)).borsh
        try done(owners[2], .proposeChange, "proposeChange", data: undo)
        try done(owners[2], .voteProposal, "voteProposal", data: Ballot(approves: true).borsh, post: "1")
        let report = try evidence(validators[3], chain).borsh
        #expect(report.count <= Parameters.longestDuty)
        try done(owners[0], .reportEquivocation, "reportEquivocation", data: report)
        let reference = MasternodeReference(consensusKey: validators[2].key).borsh
        try done(owners[2], .resumeMasternode, "resumeMasternode", data: reference)
        try done(owners[2], .unregisterMasternode, "unregisterMasternode", data: reference)
    }

    /// With as many masternodes and open proposals as there can be. What the longest data would cost more is all that is
    /// left of the gas.
    @Test func theDearestFits() throws {
        var parameters = Parameters()
        parameters.collateral = 5_000_000_000
        let owners = try (0..<16).map { try User("owner \($0)") }
        let validators = try (0..<ChainLimits.masternodes).map { try Validator("m\($0)") }
        var chain = try TestChain(
            owners, parameters: parameters,
            masternodes: validators.enumerated().map { ($1, owner: owners[$0 % owners.count]) })
        let unused = UInt64(Parameters.longestDuty) * parameters.gasPerDataByte

        func removal(_ place: Int) -> [UInt8] {
            ProposeChange(change: .removeMasternode(validators[place].key), from: Epoch(2)).borsh
        }
        let proposing = try gas("proposeChange", parameters)
        let most = ProposalRecord.mostOpenOfOne
        #expect(owners.count * most == ProposalRecord.mostOpen)
        // All but the last one's last.
        for turn in 0..<most {
            let proposers = owners.prefix(turn == most - 1 ? owners.count - 1 : owners.count)
            let proposals = try proposers.enumerated().map {
                try chain.transaction($1, .proposeChange, data: removal($0), gas: proposing)
            }
            for receipt in try chain.run(proposals).receipts { #expect(receipt.outcome == .succeeded) }
        }
        let last = try chain.send(owners[owners.count - 1], .proposeChange, data: removal(0), gas: proposing)
        #expect(last.outcome == .succeeded && last.gasUsed + unused + parameters.gasPerStorageAccess >= proposing)

        let leaving = try gas("unregisterMasternode", parameters)
        let reference = MasternodeReference(consensusKey: validators[1].key).borsh
        let left = try chain.send(owners[1], .unregisterMasternode, data: reference, gas: leaving)
        #expect(left.outcome == .succeeded && left.gasUsed + unused >= leaving)
    }

    @Test func whatTheLargestContractTakes() {
        #expect(HostGas.loading(codeBytes: Limits.contract.moduleBytes) == Parameters.largestContractGas)
    }
}
