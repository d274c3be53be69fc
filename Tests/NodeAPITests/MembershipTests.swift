import APIModel
import ChainClient
import Cryptography
import NodeAPI
import Primitives
import Testing

/// Masternodes, proposals and parameters, through the live server and the typed client.
@Suite(.timeLimit(.minutes(20))) struct MembershipTests {
    @Test func listsEverybodyWhoIsOrWasAMasternode() async throws {
        let node = try FakeNode()
        try await serving(node) { live in
            let set = try await live.client().masternodes()
            #expect(set.epoch == 3 && set.startHeight == 192 && set.protocolVersion == 1 && set.view == 9)
            #expect(set.quorum == 3 && set.rewardPool == 77)
            #expect(set.membership.collateral == 100_000_000_000 && set.membership.epochBlocks == 64)
            #expect(
                set.masternodes.map(\.name) == [
                    "node-0", "node-1", "node-2", "node-3", "extra-110", "extra-111", "extra-112", "extra-113",
                    "extra-114",
                ])
            #expect(set.masternodes.map(\.index) == [0, 1, 2, 3, nil, nil, nil, nil, nil])
            #expect(set.masternodes.map(\.nextIndex) == [0, nil, 1, 2, 3, nil, nil, nil, nil])
            #expect(set.masternodes.map(\.seenThisEpoch) == [true, true, true] + Array(repeating: false, count: 6))
            #expect(set.masternodes.map(\.connected) == [true, true, true] + Array(repeating: false, count: 6))
            #expect(set.masternodes.map(\.isSelf) == [true] + Array(repeating: false, count: 8))
            let leader = LeaderSchedule(count: 4, seed: FakeNode.seed).leader(of: View(9))
            #expect(set.leader == Int(leader))
            #expect(set.masternodes.filter(\.isLeader).map(\.index) == [Int(leader)])
            #expect(set.activeSet.count == 4)

            let kinds = set.masternodes.dropFirst(3).map(\.status.kind)
            #expect(kinds == [.active, .waiting, .suspended, .leaving, .removed, .slashed])
            #expect(set.masternodes.dropFirst(3).map(\.status.epoch) == [0, 4, 2, 1, 2, 1])
            #expect(set.masternodes[6].status.unlocksAt?.wrappedValue == 1_750_086_400_000)
            #expect(set.masternodes[5].status.unlocksAt == nil && set.masternodes[8].collateral == 0)
        }
    }

    @Test func showsOneMasternode() async throws {
        let node = try FakeNode()
        try await serving(node) { live in
            let client = try live.client()
            let all = try await client.masternodes().masternodes
            for member in all { #expect(try await client.masternode(member.consensusKey) == member) }
            #expect(try await client.masternode(FakeNode.key(77).publicKey) == nil)
            let answer = try await live.request("/v1/masternodes/abc")
            #expect(answer.status == 400)
            #expect(try answer.error().reason.contains("64 hexadecimal digits"))
        }
    }

    @Test func pagesProposalsNewestFirst() async throws {
        let node = try FakeNode()
        try await serving(node) { live in
            let client = try live.client()
            #expect(try await client.proposals().proposals.isEmpty)
            #expect(try await client.status().upgrade == nil)
            node.addProposals()
            let all = try await client.proposals()
            #expect(all.epoch == 3 && all.quorum == 3)
            #expect(all.proposals.map(\.number) == [3, 2, 1])
            #expect(all.proposals.map(\.outcome) == [.open, .accepted, .applied])
            #expect(all.proposals.map(\.change.kind) == [.removeMasternode, .upgrade, .parameter])
            #expect(
                all.proposals[2].change.parameter == "heartbeatMs"
                    && all.proposals[2].change.value?.wrappedValue == 20_000)
            #expect(all.proposals[0].approvals.count == 1 && all.proposals[0].rejections.count == 1)
            for proposal in all.proposals { #expect(try await client.proposal(proposal.number) == proposal) }
            #expect(try await client.proposal(4) == nil)

            let page = try await live.request("/v1/proposals?limit=2")
            #expect(page.text.contains("\"next\":\"2\""))
            let last = try await live.request("/v1/proposals?limit=2&before=2")
            #expect(!last.text.contains("\"next\""))
            #expect(try await live.request("/v1/proposals?before=x").status == 400)
            #expect(try await live.request("/v1/proposals/x").status == 400)

            let status = try await client.status()
            #expect(status.protocolVersion == 1)
            #expect(status.upgrade == StatusDocument.Upgrade(protocolVersion: 2, epoch: Epoch(9)))
        }
    }

    /// Every number is on exactly one page, whatever the size of the pages.
    @Test(arguments: [1, 2, 3, 7, 100])
    func pagesHoldEveryNumberOnce(limit: Int) {
        for end: UInt64 in [1, 2, 3, 4, 8, 15] {
            var seen: [UInt64] = []
            var before: UInt64?
            repeat {
                let page = ProposalsPage.numbers(before: before, end: end, limit: limit)
                seen += page.numbers
                before = page.next
            } while before != nil
            #expect(seen == Array((1..<end).reversed()))
        }
        #expect(ProposalsPage.numbers(before: 0, end: 5, limit: limit).numbers.isEmpty)
        #expect(ProposalsPage.numbers(before: .max, end: 2, limit: limit).numbers == [1])
    }

    @Test func theFirstAcceptedUpgradeIsTheOneAhead() {
        func upgrade(_ version: UInt16, _ epoch: UInt64, _ outcome: ProposalRecord.Outcome) -> ProposalRecord {
            ProposalRecord(
                number: epoch, proposer: .zero, change: .upgrade(protocolVersion: version), from: Epoch(epoch),
                proposedIn: .zero, outcome: outcome)
        }
        let proposals = [upgrade(4, 30, .accepted), upgrade(3, 20, .accepted), upgrade(2, 10, .open)]
        #expect(PlannedUpgrade(among: proposals) == PlannedUpgrade(protocolVersion: 3, from: Epoch(20)))
        #expect(PlannedUpgrade(among: [upgrade(2, 10, .open), upgrade(2, 5, .applied)]) == nil)
    }

    @Test func parametersAreThoseOfNow() async throws {
        let node = try FakeNode()
        node.addProposals()
        try await serving(node) { live in
            let found = try await live.client().parameters()
            #expect(found.parameters.map(\.name) == Parameters.names)
            let heartbeat = try #require(found.parameters.first { $0.name == "heartbeatMs" })
            #expect(heartbeat.value == 20_000 && heartbeat.genesisValue == 15_000 && heartbeat.isChangeable)
            #expect(
                found.parameters.filter { !$0.isChangeable }.map(\.name)
                    == ["depositPerKey", "depositPerByte", "decayPeriodMs"])
            #expect(found.values() == node.state.withLock { $0.parameters })
        }
    }

    @Test func accountsShowWhatIsLocked() async throws {
        let node = try FakeNode()
        let key = FakeNode.key(100).publicKey
        node.state.withLock { $0.accounts[Account(key)] = AccountRecord(balance: 5, locked: 100_000_000_000) }
        try await serving(node) { live in
            let account = try #require(try await live.client().account(Account(key)))
            #expect(account.balance == 5 && account.locked == 100_000_000_000)
        }
    }

    /// What the client sends for a membership or governance action is what the chain decodes.
    @Test func requestsCarryWhatTheChainReads() throws {
        let key = FakeNode.key(100)
        let genesis = Digest(sha256: [1])
        let owner = Account(FakeNode.alice.publicKey)
        let member = Masternode(
            name: "fog-7", consensusKey: key.publicKey, owner: owner, beaconTip: Digest(sha256: [2]))
        let registration = try RegisterMasternode(member, signing: key, genesis: genesis)
        let register = TransactionRequest.register(registration, collateral: 100)
        #expect(register.service == .chain && register.action == .registerMasternode && register.value == 100)
        #expect(try RegisterMasternode(borsh: register.data) == registration)
        let leave = TransactionRequest.unregisterMasternode(key.publicKey)
        #expect(leave.action == .unregisterMasternode)
        #expect(try MasternodeReference(borsh: leave.data).consensusKey == key.publicKey)
        #expect(TransactionRequest.resumeMasternode(key.publicKey).action == .resumeMasternode)
        let propose = TransactionRequest.propose(.upgrade(protocolVersion: 2), from: Epoch(9))
        #expect(propose.service == .chain && propose.action == .proposeChange)
        #expect(
            try ProposeChange(borsh: propose.data)
                == ProposeChange(change: .upgrade(protocolVersion: 2), from: Epoch(9)))
        let vote = TransactionRequest.vote(on: 12, approves: true)
        #expect(vote.service == .chain && vote.action == .voteProposal && vote.post == PostId("12"))
        #expect(try Ballot(borsh: vote.data).approves)
    }
}
