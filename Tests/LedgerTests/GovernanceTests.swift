import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

/// Masternodes change parameters, remove one of them, and move to another version of the protocol.
@Suite(.timeLimit(.minutes(20))) struct GovernanceTests {
    private let owners: [User]
    private let validators: [Validator]
    private let alice: User
    private var chain: TestChain

    init() throws {
        alice = try User("alice")
        let owners = try (0..<4).map { try User("owner \($0)") }
        let validators = try (0..<4).map { try Validator("m\($0)") }
        (self.owners, self.validators) = (owners, validators)
        var parameters = Parameters()
        parameters.epochBlocks = 12
        parameters.epochMs = 5_000
        parameters.collateral = 5_000_000_000
        chain = try TestChain(
            [alice] + owners, parameters: parameters, masternodes: zip(validators, owners).map { ($0, owner: $1) })
    }

    private mutating func propose(_ change: Change, from epoch: UInt64 = 2, by user: User) throws -> Outcome {
        try chain.send(user, .proposeChange, data: ProposeChange(change: change, from: Epoch(epoch)).borsh).outcome
    }

    private mutating func vote(_ number: UInt64, _ approves: Bool, by user: User) throws -> Outcome {
        try chain.send(user, .voteProposal, data: Ballot(approves: approves).borsh, post: String(number)).outcome
    }

    private func proposal(_ number: UInt64) throws -> ProposalRecord? {
        try chain.state.values[.proposal(number)].map { try ProposalRecord(borsh: $0) }
    }

    @Test mutating func aQuorumChangesAParameterFromItsEpochOn() throws {
        #expect(try propose(.parameter(name: "heartbeatMs", value: 4_321), by: owners[0]) == .succeeded)
        // An owner, hot keys: each masternode has one vote, whoever casts it.
        #expect(try vote(1, true, by: owners[0]) == .succeeded)
        #expect(try vote(1, true, by: validators[1].user) == .succeeded)
        #expect(try vote(1, true, by: owners[1]).failure?.contains("has voted") == true)
        #expect(try vote(1, true, by: alice).failure?.contains("neither owner nor") == true)
        #expect(try proposal(1)?.outcome == .open)
        #expect(try vote(1, true, by: owners[3]) == .succeeded)
        #expect(try proposal(1)?.outcome == .accepted)
        #expect(try vote(1, false, by: owners[2]).failure?.contains("accepted") == true)
        try chain.advance(to: 1)
        #expect(try chain.context.parameters.heartbeatMs == 15_000)
        try chain.advance(to: 2)
        #expect(try chain.context.parameters.heartbeatMs == 4_321)
        #expect(try chain.ledger.parameters(chain.state).heartbeatMs == 4_321)
        #expect(try proposal(1)?.outcome == .applied)
    }

    @Test mutating func theBlockLimitOfTheNewParametersHolds() throws {
        #expect(try propose(.parameter(name: "transactionGas", value: 10_000_000), by: owners[0]) == .succeeded)
        for user in owners.prefix(3) { #expect(try vote(1, true, by: user) == .succeeded) }
        let costly = try chain.transaction(alice, service: "s", .applicationTask, gas: 11_000_000, validFor: 500_000)
        try chain.advance(to: 2)
        #expect(
            try chain.ledger.admit(costly, state: chain.state, time: chain.time)
                == .refused(.gasLimitTooHigh(11_000_000, limit: 10_000_000)))
        guard case .invalid(.transaction(0, .gasLimitTooHigh)) = try chain.check(chain.block([costly])) else {
            Issue.record("the new limit does not hold in blocks")
            return
        }
    }

    @Test mutating func tooManyAgainstRejectAndUndecidedExpires() throws {
        #expect(try propose(.parameter(name: "heartbeatMs", value: 4_321), by: owners[0]) == .succeeded)
        #expect(try propose(.parameter(name: "heartbeatMs", value: 5_432), by: owners[0]) == .succeeded)
        #expect(try vote(1, false, by: owners[0]) == .succeeded)
        #expect(try vote(1, false, by: owners[1]) == .succeeded)
        #expect(try proposal(1)?.outcome == .rejected)
        #expect(try vote(2, true, by: owners[0]) == .succeeded)
        #expect(try vote(2, true, by: owners[1]) == .succeeded)
        try chain.advance(to: 2)
        #expect(try proposal(2)?.outcome == .expired)
        #expect(try chain.context.parameters.heartbeatMs == 15_000)
    }

    @Test mutating func whatCanNotBeProposed() throws {
        func refused(_ change: Change, from epoch: UInt64 = 2, by user: User? = nil, _ what: String) throws {
            let failure = try propose(change, from: epoch, by: user ?? owners[0]).failure
            #expect(failure?.contains(what) == true, "\(failure ?? "no failure"), expected \(what)")
        }
        try refused(.parameter(name: "heartbeat", value: 1), "no parameter 'heartbeat'")
        try refused(.parameter(name: "heartbeatMs", value: 0), "not in 1...2^50")
        try refused(.parameter(name: "blockBytes", value: 1 << 40), "over 2^32")
        try refused(.parameter(name: "decayPeriodMs", value: 5), "fixed by the genesis")
        try refused(.parameter(name: "heartbeatMs", value: 5), from: 1, "from epoch 2")
        try refused(.parameter(name: "heartbeatMs", value: 5), by: alice, "neither owner nor")
        try refused(.removeMasternode(alice.key.publicKey), "is registered")
        try refused(.upgrade(protocolVersion: 1), "runs protocol version 1: only")
        try refused(.upgrade(protocolVersion: 3), "only the next one")
        try refused(.parameter(name: "clockAheadMs", value: 1 << 40), "could stop the chain")
        try refused(.parameter(name: "transactionGas", value: 30_000), "could stop the chain")
        // Within its own bounds, and too little for a proposal that would undo it.
        try refused(.parameter(name: "transactionGas", value: 1_000_000), "proposeChange among 512 masternodes")
        #expect(try vote(7, true, by: owners[0]).failure?.contains("no proposal '7'") == true)
        // What is no ballot does not even get into the pool.
        let bad = try chain.transaction(owners[0], .voteProposal, data: [2], post: "1")
        guard case .refused(.malformedData) = try chain.ledger.admit(bad, state: chain.state, time: chain.time) else {
            Issue.record("a ballot of 2 was admitted")
            return
        }
        let post = try chain.transaction(owners[0], .voteProposal, data: [1], post: "01")
        guard case .refused(.malformedData) = try chain.ledger.admit(post, state: chain.state, time: chain.time) else {
            Issue.record("a proposal '01' was admitted")
            return
        }
    }

    /// The collateral of those who are there is what it was when they joined: a higher one for others does not pay for
    /// their transactions.
    @Test mutating func masternodesCanAffordWhatHolds() throws {
        #expect(try propose(.parameter(name: "collateral", value: 1 << 50), by: owners[0]) == .succeeded)
        for user in owners.prefix(3) { #expect(try vote(1, true, by: user) == .succeeded) }
        try chain.advance(to: 2)
        #expect(try chain.context.parameters.collateral == 1 << 50)
        let dear = try propose(.parameter(name: "balancePerCredit", value: 800), from: 4, by: owners[0]).failure
        #expect(dear?.contains("5000000000 is what a masternode has locked") == true, "\(dear ?? "taken")")
        #expect(try propose(.parameter(name: "balancePerCredit", value: 12), from: 4, by: owners[0]) == .succeeded)
    }

    @Test mutating func aMasternodeIsVotedOut() throws {
        #expect(try propose(.removeMasternode(validators[3].key), by: owners[0]) == .succeeded)
        for user in owners.prefix(3) { #expect(try vote(1, true, by: user) == .succeeded) }
        try chain.advance(to: 4)
        #expect(try chain.context.set.count == 3 && chain.context.set.index(of: validators[3].key) == nil)
        #expect(try chain.record(Account(validators[3].key)).locked == 5_000_000_000)
        #expect(try chain.isConserved())
    }

    @Test mutating func theProtocolVersionChangesAtItsBorder() throws {
        #expect(try propose(.upgrade(protocolVersion: 2), from: 3, by: owners[0]) == .succeeded)
        for user in owners.prefix(3) { #expect(try vote(1, true, by: user) == .succeeded) }
        try chain.advance(to: 2)
        #expect(try chain.context.protocolVersion == 1)
        try chain.advance(to: 3)
        #expect(try chain.context.protocolVersion == 2)
    }

    /// The queue of proposals is bounded, and what is decided makes room.
    @Test mutating func openProposalsAreBounded() throws {
        let change = Change.parameter(name: "heartbeatMs", value: 9_999)
        for _ in 0..<ProposalRecord.mostOpenOfOne {
            #expect(try propose(change, from: 90, by: owners[0]) == .succeeded)
        }
        // One account does not fill the places of all.
        let full = try propose(change, from: 90, by: owners[0])
        #expect(full.failure?.contains("4 proposals of this account are open") == true)
        #expect(try propose(change, from: 90, by: owners[1]) == .succeeded)
        for user in owners.prefix(2) { #expect(try vote(2, false, by: user) == .succeeded) }
        #expect(try propose(change, from: 90, by: owners[0]) == .succeeded)
    }

    /// Who accepted a change may be gone when it is due: then those who are there did not accept it.
    @Test mutating func acceptanceIsCountedAgainWhenItIsDue() throws {
        #expect(try propose(.parameter(name: "heartbeatMs", value: 9_999), from: 5, by: owners[0]) == .succeeded)
        for user in owners.prefix(3) { #expect(try vote(1, true, by: user) == .succeeded) }
        for place in 0..<2 {
            let leaving = MasternodeReference(consensusKey: validators[place].key).borsh
            #expect(try chain.send(owners[place], .unregisterMasternode, data: leaving).outcome == .succeeded)
        }
        try chain.advance(to: 5)
        #expect(try chain.context.set.count == 2 && proposal(1)?.outcome == .expired)
        #expect(try chain.context.parameters.heartbeatMs == 15_000)
    }

    /// A border tells no more than a receipt can hold.
    @Test mutating func aBorderWithMuchToTellStaysReadable() throws {
        let change = Change.parameter(name: "heartbeatMs", value: 9_999)
        for user in owners + validators.map(\.user) {
            for _ in 0..<ProposalRecord.mostOpenOfOne { #expect(try propose(change, from: 9, by: user) == .succeeded) }
        }
        while try chain.context.epoch < Epoch(9) {
            let receipts = try chain.run().receipts
            for receipt in receipts { #expect(try Receipt(borsh: receipt.borsh) == receipt) }
        }
        #expect(try ProposalIndex(borsh: try #require(chain.state.values[.proposalIndex])).open.isEmpty)    }
}
