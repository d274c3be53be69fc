import Cryptography
import Encoding
import NodeAPI
import Primitives

/// What the API reads of masternodes and governance.
extension NodeService {
    /// What the state says of the protocol and of who agrees on the blocks; nil where it can't be read.
    struct ChainFacts: Sendable {
        let protocolVersion: UInt16
        let upgrade: PlannedUpgrade?
        let set: MasternodeSet
        let parameters: Parameters
    }

    nonisolated func chainFacts() async -> ChainFacts? {
        try? await read { view in
            let place = try view.epochPlace(in: .zero)
            return ChainFacts(
                protocolVersion: place.progress.protocolVersion, upgrade: PlannedUpgrade(among: try view.openProposals()),
                set: place.plan.set, parameters: try view.parameters())
        }
    }

    public func masternodes() async throws -> MasternodesView {
        let (own, connected, current) = (machine.identity?.key, peerBook.masternodes, machine.view)
        return try await read { view in
            let place = try view.epochPlace(in: current)
            let records = try view.masternodeRecords(limit: MasternodesView.mostRecords)
            return MasternodesView(
                place: place, parameters: try view.parameters(), rewardPool: try view.rewardPool(),
                masternodes: place.ordered(records).map { record in
                    place.view(
                        of: record, connected: connected.contains(record.consensusKey), isSelf: record.consensusKey == own)
                })
        }
    }

    public func masternode(_ key: PublicKey) async throws -> MasternodeView? {
        let (isSelf, isConnected, current) = (key == machine.identity?.key, peerBook.isConnected(key), machine.view)
        return try await read { view in
            guard let record: MasternodeRecord = try view.decode(.masternode(key)) else { return nil }
            return try view.epochPlace(in: current).view(of: record, connected: isConnected, isSelf: isSelf)
        }
    }

    public nonisolated func proposals(before: UInt64?, limit: Int) async throws -> ProposalsPage {
        try await read { view in
            let place = try view.epochPlace(in: .zero)
            let index: ProposalIndex = try view.decode(.proposalIndex) ?? ProposalIndex()
            let (numbers, next) = ProposalsPage.numbers(before: before, end: index.next, limit: limit)
            return ProposalsPage(
                epoch: place.progress.epoch, quorum: place.plan.set.quorum,
                records: try numbers.compactMap { try view.decode(.proposal($0)) }, next: next)
        }
    }

    public nonisolated func proposal(_ number: UInt64) async throws -> ProposalRecord? {
        try await read { try $0.decode(.proposal(number)) }
    }

    public nonisolated func parameters() async throws -> ParametersView {
        try await read { view in
            let progress = try view.epochProgress()
            return ParametersView(
                epoch: progress.epoch, protocolVersion: progress.protocolVersion, parameters: try view.parameters())
        }
    }
}

/// The state always has these: where it does not, the store is damaged.
struct MissingState: Error, CustomStringConvertible {
    let description: String
}

extension ReadView {
    func epochProgress() throws -> EpochProgress {
        guard let progress: EpochProgress = try decode(.epochProgress) else {
            throw MissingState(description: "the state does not say in which epoch the chain is")
        }
        return progress
    }

    func epochPlace(in current: View) throws -> EpochPlace {
        let progress = try epochProgress()
        guard let plan: EpochPlan = try decode(.epoch(progress.epoch)) else {
            throw MissingState(description: "the state has no plan of epoch \(progress.epoch)")
        }
        return EpochPlace(
            progress: progress, plan: plan, next: try decode(.epoch(progress.epoch.next)), view: current)
    }

    func parameters() throws -> Parameters { try decode(.parameters) ?? genesis.parameters }

    func rewardPool() throws -> UInt128 { try decode(.rewardPool) ?? 0 }

    /// Those that are registered in the order of their registration, then those that were slashed.
    func masternodeRecords(limit: Int) throws -> [MasternodeRecord] {
        let index: MasternodeIndex = try decode(.masternodeIndex) ?? MasternodeIndex()
        var records: [MasternodeRecord] = []
        for key in index.keys.prefix(limit) {
            if let record: MasternodeRecord = try decode(.masternode(key)) { records.append(record) }
        }
        let known = Set(index.keys)
        for (_, value) in try scan(prefix: UInt8(ascii: "m"), after: nil, limit: limit) {
            let record = try MasternodeRecord(borsh: value)
            if !known.contains(record.consensusKey), records.count < limit { records.append(record) }
        }
        return records
    }

    func openProposals() throws -> [ProposalRecord] {
        let index: ProposalIndex? = try decode(.proposalIndex)
        return try (index?.open ?? []).compactMap { try decode(.proposal($0)) }
    }
}
