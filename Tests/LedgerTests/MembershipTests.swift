import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

/// Masternodes register, leave, fall silent, come back and contradict themselves.
@Suite(.timeLimit(.minutes(20))) struct MembershipTests {
    private let owner: User, alice: User
    private let validators: [Validator]
    private var chain: TestChain

    private static var parameters: Parameters {
        var parameters = Parameters()
        parameters.epochBlocks = 20
        parameters.epochMs = 10_000
        parameters.collateral = 5_000_000_000
        parameters.unbondingMs = 50_000
        parameters.evidenceEpochs = 2
        parameters.rewardPerEpoch = 0
        return parameters
    }

    init() throws {
        owner = try User("owner")
        alice = try User("alice")
        let validators = try (0..<7).map { try Validator("m\($0)") }
        self.validators = validators
        chain = try Self.chain(validators.prefix(5), owner, alice)
    }

    private static func chain(
        _ validators: ArraySlice<Validator>, _ owner: User, _ alice: User, parameters: Parameters = parameters
    ) throws -> TestChain {
        try TestChain([owner, alice], parameters: parameters, masternodes: validators.map { ($0, owner: owner) })
    }

    private func registration(of validator: Validator, owner: User) throws -> RegisterMasternode {
        try RegisterMasternode(
            Masternode(name: "new", consensusKey: validator.key, owner: owner.account, beaconTip: validator.tip),
            signing: validator.user.key, genesis: chain.ledger.genesisHash)
    }

    private func record(_ validator: Validator) throws -> MasternodeRecord? {
        try chain.state.values[.masternode(validator.key)].map { try MasternodeRecord(borsh: $0) }
    }

    private func isMember(_ validator: Validator, _ set: MasternodeSet) -> Bool { set.index(of: validator.key) != nil }

    /// Two notarize votes of one view.
    private func evidence(_ validator: Validator, epoch: Epoch, view: UInt64 = 3, wrongKey: Bool = false) throws -> Evidence {
        let set = try EpochPlan(borsh: try #require(chain.state.values[.epoch(epoch)])).set
        let place = try #require(set.index(of: validator.key))
        let votes = try [1, 2].map { number -> Vote<Proposal> in
            let subject = Proposal(
                epoch: epoch, view: View(view), parentView: .zero, parentDigest: .zero, digest: Digest(sha256: [UInt8(number)]))
            let key = wrongKey && number == 2 ? alice.key : validator.user.key
            return Vote(
                subject: subject, signer: place,
                signature: try key.sign(subject, domain: .notarize, genesis: chain.ledger.genesisHash))
        }
        return try #require(Evidence(votes[0], votes[1]))
    }

    // MARK: Joining

    @Test mutating func aMasternodeRegistersAndTakesPartFromTheEpochAfterTheNext() throws {
        let new = validators[5]
        chain.validators[new.key] = new
        let before = try chain.balance(owner.account)
        let receipt = try chain.send(owner, .registerMasternode, data: registration(of: new, owner: owner).borsh, value: 5_000_000_000)
        #expect(receipt.outcome == .succeeded)
        #expect(try chain.balance(owner.account) == before - 5_000_000_000)
        let account = try chain.record(Account(new.key))
        #expect(account.locked == 5_000_000_000 && account.balance == 0)
        // The collateral earns the hot key its credits.
        let view = try chain.ledger.account(Account(new.key), at: chain.time, state: chain.state)
        // Money that arrives brings no credits: they grow.
        #expect(view?.credits == 0 && (view?.capacity ?? 0) > 0)
        #expect(try record(new)?.status == .active(from: Epoch(2)))
        try chain.advance(to: 1)
        #expect(try !isMember(new, chain.context.set) && isMember(new, chain.context.nextPlan.set))
        try chain.advance(to: 2)
        #expect(try isMember(new, chain.context.set) && chain.context.set.count == 6)
        try chain.advance(to: 3)
        #expect(try chain.isConserved() && chain.historiesAreComplete())
    }

    /// Leaders are drawn from the randomness two epochs before: a tip that held sooner could be chosen to suit its turns.
    @Test mutating func aRenewalHoldsFromTheEpochAfterTheNext() throws {
        let one = validators[0]
        let tip = Digest(sha256: [7])
        let receipt = try chain.send(one.user, .renewBeacon, data: RenewBeacon(generation: 1, tip: tip).borsh)
        #expect(receipt.outcome == .succeeded)
        func renewal() throws -> BeaconRenewal? {
            try chain.state.values[.beaconRenewal(one.key)].map { try BeaconRenewal(borsh: $0) }
        }
        #expect(try renewal()?.from == Epoch(2) && renewal()?.isInForce == false)
        try chain.advance(to: 1)
        #expect(try renewal()?.isInForce == false && chain.state.values[.beacon(one.key)] != tip.bytes)
        try chain.advance(to: 2)
        #expect(try renewal()?.isInForce == true && chain.state.values[.beacon(one.key)] == tip.bytes)
    }

    @Test mutating func whatMakesNoRegistration() throws {
        let new = validators[5]
        let good = try registration(of: new, owner: owner)
        func fails(_ data: RegisterMasternode, _ value: UInt128, by user: User, _ what: String) throws {
            let failure = try chain.send(user, .registerMasternode, data: data.borsh, value: value).outcome.failure
            #expect(failure?.contains(what) == true, "\(failure ?? "no failure"), expected \(what)")
            #expect(try record(new) == nil)
        }
        try fails(good, 4_999, by: owner, "the collateral of a masternode is 5000000000")
        // Somebody else can't take the key: the consent names its owner.
        try fails(good, 5_000_000_000, by: alice, "the consent is not")
        // For a point of small order anybody makes a consent that is genuine by ZIP 215.
        let neutral = [1] + [UInt8](repeating: 0, count: 31)
        let nobodys = RegisterMasternode(
            name: good.name, consensusKey: try #require(PublicKey(neutral)), beaconTip: good.beaconTip,
            consent: try #require(Signature(neutral + [UInt8](repeating: 0, count: 32))))
        try fails(nobodys, 5_000_000_000, by: owner, "small order")
        let poor = try User("poor")
        try chain.send(alice, .transfer, data: Transfer(recipient: poor.account).borsh, value: 900_000_000)
        try chain.run(after: 600_000)
        try fails(registration(of: new, owner: poor), 5_000_000_000, by: poor, "too small")
        let known = try registration(of: validators[0], owner: owner)
        let again = try chain.send(owner, .registerMasternode, data: known.borsh, value: 5_000_000_000)
        #expect(again.outcome.failure?.contains("registered already") == true)
        let own = try RegisterMasternode(
            Masternode(name: "x", consensusKey: alice.key.publicKey, owner: alice.account, beaconTip: .zero),
            signing: alice.key, genesis: chain.ledger.genesisHash)
        #expect(
            try chain.send(alice, .registerMasternode, data: own.borsh, value: 5_000_000_000).outcome.failure?.contains(
                "must differ") == true)
        #expect(try chain.isConserved())
    }

    /// Whoever registers and never starts waits outside, but for so many as the set can do without.
    @Test mutating func silentJoinersDoNotStopTheChain() throws {
        let ghosts = try (0..<5).map { try Validator("ghost \($0)") }
        for ghost in ghosts {
            chain.validators[ghost.key] = ghost
            chain.silent.insert(ghost.key)
            let data = try registration(of: ghost, owner: owner).borsh
            #expect(try chain.send(owner, .registerMasternode, data: data, value: 5_000_000_000).outcome == .succeeded)
        }
        for epoch in 2...7 as ClosedRange<UInt64> {
            try chain.advance(to: epoch)
            let set = try chain.context.set
            let absent = set.members.count { chain.silent.contains($0.consensusKey) }
            #expect(absent <= set.faultTolerance && set.count - absent == 5, "epoch \(epoch)")
        }
    }

    // MARK: Leaving

    @Test mutating func aLeavingMasternodeGetsItsCollateralBackWhenEvidenceHasNoMoreForce() throws {
        let leaver = validators[4]
        let data = MasternodeReference(consensusKey: leaver.key).borsh
        #expect(try chain.send(alice, .unregisterMasternode, data: data).outcome.failure?.contains("owner") == true)
        #expect(try chain.send(owner, .unregisterMasternode, data: data).outcome == .succeeded)
        #expect(try chain.send(owner, .unregisterMasternode, data: data).outcome.failure?.contains("leaving already") == true)
        let before = try chain.balance(owner.account)
        try chain.advance(to: 1)
        #expect(try isMember(leaver, chain.context.set))
        try chain.advance(to: 2)
        #expect(try !isMember(leaver, chain.context.set))
        // Last votes in epoch 1; evidence of these counts for two epochs more.
        try chain.advance(to: 4)
        #expect(try record(leaver) != nil && chain.record(Account(leaver.key)).locked == 5_000_000_000)
        try chain.advance(to: 8)
        #expect(try record(leaver) == nil && chain.record(Account(leaver.key)).locked == 0)
        #expect(try chain.balance(owner.account) == before + 5_000_000_000)
        #expect(try chain.isConserved())
        // Nothing stays of it but its account.
        #expect(chain.state.values[.beacon(leaver.key)] == nil && chain.state.values[.beaconRenewal(leaver.key)] == nil)
        // It may come back with another hash chain.
        let again = try registration(of: leaver, owner: owner)
        #expect(try chain.send(owner, .registerMasternode, data: again.borsh, value: 5_000_000_000).outcome == .succeeded)
    }

    @Test mutating func theLastOneStays() throws {
        chain = try Self.chain(validators.prefix(2), owner, alice)
        let references = validators.prefix(2).map { MasternodeReference(consensusKey: $0.key).borsh }
        #expect(try chain.send(owner, .unregisterMasternode, data: references[0]).outcome == .succeeded)
        let last = try chain.send(owner, .unregisterMasternode, data: references[1])
        #expect(last.outcome.failure?.contains("only active masternode") == true)
        try chain.advance(to: 3)
        #expect(try chain.context.set.count == 1)
    }

    // MARK: Silence

    @Test mutating func silenceSuspendsAndOneTransactionBringsBack() throws {
        let silent = validators[2]
        chain.silent = [silent.key]
        try chain.advance(to: 1)
        #expect(try record(silent)?.status == .suspended(in: .zero))
        try chain.advance(to: 2)
        #expect(try !isMember(silent, chain.context.set) && chain.context.set.count == 4)
        // Of four nobody more is suspended, however silent.
        chain.silent = [silent.key, validators[0].key]
        try chain.advance(to: 5)
        #expect(try isMember(validators[0], chain.context.set))
        #expect(try record(validators[0])?.lastSeen == Epoch(1))

        chain.silent = []
        let data = MasternodeReference(consensusKey: silent.key).borsh
        #expect(try chain.send(alice, .resumeMasternode, data: data).outcome.failure?.contains("owner") == true)
        #expect(try chain.send(owner, .resumeMasternode, data: data).outcome == .succeeded)
        #expect(try chain.send(owner, .resumeMasternode, data: data).outcome.failure?.contains("said already") == true)
        // One that was silent for long, but not suspended since too few are left, says that it is back in the same way.
        let other = MasternodeReference(consensusKey: validators[0].key).borsh
        #expect(try chain.send(owner, .resumeMasternode, data: other).outcome == .succeeded)
        #expect(try record(validators[0])?.status == .active(from: Epoch(7)))
        // Not both at once: of those of whom nothing was seen yet, the set takes no more than it can do without.
        try chain.advance(to: 7)
        #expect(try chain.context.set.count == 4)
        try chain.advance(to: 9)
        #expect(try isMember(silent, chain.context.set) && chain.context.set.count == 5)
        #expect(try chain.isConserved())
    }

    @Test mutating func whoeverIsSeenOnceIsNotSilent() throws {
        let rare = validators[1]
        chain.silent = [rare.key]
        for _ in 0..<12 { try chain.run() }
        chain.silent = []
        for _ in 0..<2 { try chain.run() }
        chain.silent = [rare.key]
        try chain.advance(to: 1)
        #expect(try record(rare)?.status == .active(from: .zero))
    }

    // MARK: Equivocation

    @Test mutating func evidenceSlashesAndRemoves() throws {
        let offender = validators[3]
        let supply = try chain.number(.supply)
        // The hot key of another masternode reports: its collateral gives it the credits.
        let reporter = validators[0].user
        let data = try evidence(offender, epoch: .zero).borsh
        #expect(try chain.send(reporter, .reportEquivocation, data: data).outcome == .succeeded)
        #expect(try record(offender)?.status == .slashed(in: .zero))
        #expect(try chain.record(Account(offender.key)).locked == 0)
        #expect(try chain.number(.supply) == supply - 2_500_000_000 && chain.number(.rewardPool) == 2_500_000_000)
        #expect(try chain.isConserved())
        let again = try chain.send(reporter, .reportEquivocation, data: data)
        #expect(again.outcome.failure?.contains("slashed already") == true)
        // Both the key and its owner have it in their histories.
        for account in [Account(offender.key), owner.account] {
            let findings = (chain.history[account] ?? []).compactMap { entry -> Finding? in
                if case .finding(let finding) = entry.content { finding } else { nil }
            }
            #expect(findings.map(\.kind) == [.equivocation])
        }
        try chain.advance(to: 1)
        // Half was burned, half is paid to those who took part (the owner of all, here), what can't be divided waits.
        #expect(try chain.number(.rewardPool) == 2_500_000_000 % 4)
        try chain.advance(to: 2)
        #expect(try !isMember(offender, chain.context.set))
        let back = try registration(of: offender, owner: owner)
        let refused = try chain.send(owner, .registerMasternode, data: back.borsh, value: 5_000_000_000)
        #expect(refused.outcome.failure?.contains("can't come back") == true)
        #expect(try chain.isConserved() && chain.historiesAreComplete())
    }

    /// The place before all others is for a masternode's report with the gas that one takes, and for nothing else.
    @Test func aReportIsKnownAtAdmission() throws {
        let data = try evidence(validators[3], epoch: .zero).borsh
        let enough = chain.ledger.genesis.parameters.gasToReport(dataBytes: data.count)
        func isEvidence(_ user: User, gas: UInt64) throws -> Bool? {
            let signed = try chain.transaction(user, .reportEquivocation, data: data, gas: gas)
            guard case .admitted(let facts) = try chain.ledger.admit(signed, state: chain.state, time: chain.time) else { return nil }
            return facts.isEvidence
        }
        #expect(try isEvidence(validators[0].user, gas: enough) == true)
        #expect(try isEvidence(validators[0].user, gas: enough + 1) == false)
        #expect(try isEvidence(alice, gas: enough) == false)
    }

    @Test mutating func whatProvesNothing() throws {
        let offender = validators[3]
        let forged = try evidence(offender, epoch: .zero, wrongKey: true).borsh
        #expect(try chain.send(alice, .reportEquivocation, data: forged).outcome.failure?.contains("wrong signature") == true)
        let old = try evidence(offender, epoch: .zero).borsh
        try chain.advance(to: 3)
        #expect(try chain.send(alice, .reportEquivocation, data: old).outcome.failure?.contains("counts no more") == true)
        #expect(try record(offender)?.status == .active(from: .zero))
        // Of the last epochs it still counts, by the place in that epoch's set.
        let recent = try evidence(offender, epoch: Epoch(1)).borsh
        #expect(try chain.send(alice, .reportEquivocation, data: recent).outcome == .succeeded)
    }

    @Test mutating func evidenceReachesOneWhoIsLeaving() throws {
        let leaver = validators[4]
        let data = MasternodeReference(consensusKey: leaver.key).borsh
        #expect(try chain.send(owner, .unregisterMasternode, data: data).outcome == .succeeded)
        try chain.advance(to: 3)
        let evidence = try evidence(leaver, epoch: Epoch(1)).borsh
        #expect(try chain.send(alice, .reportEquivocation, data: evidence).outcome == .succeeded)
        #expect(try record(leaver)?.status == .slashed(in: Epoch(3)))
    }

    // MARK: Rewards

    @Test mutating func rewardsGoToThoseWhoTookPart() throws {
        var parameters = Self.parameters
        parameters.rewardPerEpoch = 1_003
        let owners = try (0..<5).map { try User("owner \($0)") }
        chain = try TestChain(
            [owner, alice], parameters: parameters, masternodes: zip(validators, owners).map { ($0, owner: $1) })
        chain.silent = [validators[2].key]
        let supply = try chain.number(.supply)
        try chain.advance(to: 1)
        #expect(try chain.number(.supply) == supply + 1_003)
        for (place, user) in owners.enumerated() {
            #expect(try chain.balance(user.account) == (place == 2 ? 0 : 250))
        }
        // Three are left over; with them the next epoch's four can share.
        try chain.advance(to: 2)
        #expect(try chain.number(.rewardPool) == (3 + 1_003) % 4)
        #expect(try chain.isConserved())
    }

    // MARK: Borders

    @Test mutating func bordersComeByBlocksAndTime() throws {
        // Twenty quick blocks are no epoch, ten seconds of few blocks neither.
        for _ in 0..<25 { try chain.run(after: 1) }
        #expect(try chain.context.epoch == .zero)
        try chain.run(after: 10_000)
        #expect(try chain.context.epoch == Epoch(1))
        for _ in 0..<19 { try chain.run(after: 10_000) }
        #expect(try chain.context.epoch == Epoch(1))
        let border = try chain.run(after: 1)
        #expect(try chain.context.epoch == Epoch(2) && chain.context.startHeight == chain.parent.height)
        #expect(border.receipts.last?.origin == .border(Epoch(2)))
        // The next block is of the new epoch, on a Finalization, in view 1.
        let block = chain.block([])
        #expect(block.header.epoch == Epoch(2) && block.header.view == View(1))
        guard case .finalization = block.parentCertificate else { throw BlockIsInvalid() }
        #expect(try chain.check(block) != .invalid(.reveal))
    }

    @Test mutating func theFirstBlockAfterABorderNeedsItsFinalization() throws {
        try chain.advance(to: 1)
        let good = chain.block([])
        guard case .finalization(let proof) = chain.certificate, case .valid = try chain.check(good) else {
            throw BlockIsInvalid()
        }
        // A later view's Finalization of the same border block serves as well: it may have been proposed again.
        let before = try EpochPlan(borsh: try #require(chain.state.values[.epoch(.zero)]))
        let later = Finalize(epoch: .zero, view: proof.view.advanced(by: 5), digest: proof.subject.digest)
        let set = try #require(Finalization(subject: later, votes: try votes(later, before.set)))
        chain.certificate = .finalization(set)
        guard case .valid = try chain.check(chain.block([])) else { throw BlockIsInvalid() }
        for wrong in [
            Finalize(epoch: Epoch(1), view: proof.view, digest: proof.subject.digest),
            Finalize(epoch: .zero, view: View(proof.view.value - 1), digest: proof.subject.digest),
            Finalize(epoch: .zero, view: proof.view, digest: Digest(sha256: [9])),
        ] {
            chain.certificate = .finalization(try #require(Finalization(subject: wrong, votes: try votes(wrong, before.set))))
            #expect(try chain.check(chain.block([])) == .invalid(.parentCertificate("it is about another block")))
        }
        let proposal = Proposal(
            epoch: .zero, view: proof.view, parentView: .zero, parentDigest: .zero, digest: proof.subject.digest)
        chain.certificate = .notarization(
            try #require(Notarization(subject: proposal, votes: try votes(proposal, before.set))))
        #expect(try chain.check(chain.block([])) == .invalid(.parentCertificate("it is about another block")))
    }

    private func votes<Subject: VoteSubject>(_ subject: Subject, _ set: MasternodeSet) throws -> [Vote<Subject>] {
        try set.members.enumerated().compactMap { place, member in
            guard let validator = validators.first(where: { $0.key == member.consensusKey }) else { return nil }
            return Vote(
                subject: subject, signer: UInt16(place),
                signature: try validator.user.key.sign(subject, domain: Subject.domain, genesis: chain.ledger.genesisHash))
        }
    }

    /// The plans of old epochs go; those whose evidence counts stay.
    @Test mutating func theStateForgetsOldSets() throws {
        try chain.advance(to: 9)
        let kept = (0...12 as ClosedRange<UInt64>).filter { chain.state.values[.epoch(Epoch($0))] != nil }
        #expect(kept.contains(7) && kept.contains(8) && kept.contains(9) && kept.contains(10) && !kept.contains(3))
        #expect(kept.count <= 6)
    }

    @Test mutating func leadersComeFromTheRandomnessTwoEpochsBefore() throws {
        try chain.advance(to: 1)
        let drawn = chain.parent.randomness
        #expect(try chain.context.plan.seed == chain.ledger.genesis.initialRandomness)
        try chain.advance(to: 2)
        #expect(try chain.context.plan.seed == drawn)
    }
}
