import Cryptography
import NodeAPI
import Primitives

/// The masternodes and proposals of the fake: epoch 3 of a chain whose genesis has four masternodes, and to which a
/// masternode of every status was added.
extension FakeNode {
    static let protocolVersion: UInt16 = 1
    static let epoch = Epoch(3)
    static let seed = Digest(sha256: [3])

    static func masternode(_ number: UInt8, name: String? = nil) -> Masternode {
        Masternode(
            name: name ?? "extra-\(number)", consensusKey: key(number).publicKey, owner: Account(key(60).publicKey),
            beaconTip: Digest(sha256: [number]))
    }

    static func records(_ genesis: Genesis) -> [MasternodeRecord] {
        let collateral = UInt128(genesis.parameters.collateral)
        let members = genesis.masternodes.members.map {
            MasternodeRecord(
                masternode: $0, collateral: collateral, status: .active(from: .zero), registeredAt: .zero,
                lastSeen: Epoch(2))
        }
        let later: [(UInt8, MasternodeRecord.Status)] = [
            (110, .active(from: Epoch(4))), (111, .suspended(in: Epoch(2))),
            (112, .leaving(in: Epoch(1), unlocksAt: Time(1_750_086_400_000))),
            (113, .removed(in: Epoch(2), unlocksAt: Time(1_750_086_400_001))), (114, .slashed(in: Epoch(1))),
        ]
        return members
            + later.map { number, status in
                MasternodeRecord(
                    masternode: masternode(number), collateral: status == .slashed(in: Epoch(1)) ? 0 : collateral,
                    status: status, registeredAt: Height(UInt64(number)), lastSeen: Epoch(1))
            }
    }

    /// Proposals 1 to 3: applied, accepted for epoch 9, open.
    func addProposals() {
        let members = genesis.masternodes.members
        let owner = members[0].owner
        let keys = members.map(\.consensusKey)
        let changes: [(Change, UInt64, ProposalRecord.Outcome)] = [
            (.parameter(name: "heartbeatMs", value: 20_000), 2, .applied), (.upgrade(protocolVersion: 2), 9, .accepted),
            (.removeMasternode(keys[3]), 6, .open),
        ]
        state.withLock { state in
            state.parameters = genesis.parameters
            state.parameters?.heartbeatMs = 20_000
            state.proposals = changes.enumerated().map { index, entry in
                ProposalRecord(
                    number: UInt64(index) + 1, proposer: owner, change: entry.0, from: Epoch(entry.1),
                    proposedIn: Epoch(1), approvals: Array(keys.prefix(entry.2 == .open ? 1 : 3)),
                    rejections: entry.2 == .open ? [keys[3]] : [], outcome: entry.2)
            }
        }
    }

    private func place() throws -> EpochPlace {
        var progress = EpochProgress(
            epoch: Self.epoch, startHeight: Height(192), startTime: Self.start.advanced(by: 1_800_000),
            protocolVersion: Self.protocolVersion)
        for member: UInt16 in 0..<3 { progress.see(member) }
        let members = genesis.masternodes.members
        return EpochPlace(
            progress: progress, plan: EpochPlan(epoch: Self.epoch, seed: Self.seed, set: genesis.masternodes),
            next: EpochPlan(
                epoch: Self.epoch.next, seed: Self.seed,
                // The second of the genesis is not in the next set any more, so those behind it move up.
                set: try MasternodeSet([members[0], members[2], members[3], Self.masternode(110)])),
            view: View(9))
    }

    private func view(of record: MasternodeRecord, in place: EpochPlace) -> MasternodeView {
        let members = genesis.masternodes.members
        return place.view(
            of: record, connected: [members[1], members[2]].map(\.consensusKey).contains(record.consensusKey),
            isSelf: record.consensusKey == members[0].consensusKey)
    }

    func masternodes() async throws -> MasternodesView {
        let place = try place()
        // The order in which a state may give them: that of the set comes from the plan.
        let records = state.withLock { Array($0.records.prefix(4).reversed() + $0.records.dropFirst(4)) }
        return MasternodesView(
            place: place, parameters: genesis.parameters, rewardPool: 77,
            masternodes: place.ordered(records).map { view(of: $0, in: place) })
    }

    func masternode(_ key: PublicKey) async throws -> MasternodeView? {
        let place = try place()
        return state.withLock { $0.records }.first { $0.consensusKey == key }.map { view(of: $0, in: place) }
    }

    func proposals(before: UInt64?, limit: Int) async throws -> ProposalsPage {
        let proposals = state.withLock { $0.proposals }
        let (numbers, next) = ProposalsPage.numbers(before: before, end: UInt64(proposals.count) + 1, limit: limit)
        return ProposalsPage(
            epoch: Self.epoch, quorum: genesis.masternodes.quorum,
            records: numbers.compactMap { number in proposals.first { $0.number == number } }, next: next)
    }

    func proposal(_ number: UInt64) async throws -> ProposalRecord? {
        state.withLock { $0.proposals.first { $0.number == number } }
    }

    func parameters() async throws -> ParametersView {
        ParametersView(
            epoch: Self.epoch, protocolVersion: Self.protocolVersion,
            parameters: state.withLock { $0.parameters } ?? genesis.parameters)
    }
}
