import Cryptography
import Primitives

/// A version of the protocol that the masternodes accepted, and the epoch from whose start on it runs.
public struct PlannedUpgrade: Equatable, Sendable {
    public var protocolVersion: UInt16
    public var from: Epoch

    public init(protocolVersion: UInt16, from: Epoch) {
        self.protocolVersion = protocolVersion
        self.from = from
    }

    /// The one that comes first.
    public init?(among proposals: [ProposalRecord]) {
        var first: PlannedUpgrade?
        for proposal in proposals where proposal.outcome == .accepted {
            guard case .upgrade(let version) = proposal.change else { continue }
            if let known = first, known.from <= proposal.from { continue }
            first = PlannedUpgrade(protocolVersion: version, from: proposal.from)
        }
        guard let first else { return nil }
        self = first
    }
}

/// Where the chain stands: its epoch, who agrees on the blocks of this and of the next one, who leads.
public struct EpochPlace: Sendable {
    public var progress: EpochProgress
    public var plan: EpochPlan
    /// Of the epoch after.
    public var next: EpochPlan?
    /// The view that the node is in.
    public var view: View
    /// Place in the set of the leader of `view`.
    public let leader: UInt16

    private let places: [PublicKey: UInt16]
    private let nextPlaces: [PublicKey: UInt16]

    public init(progress: EpochProgress, plan: EpochPlan, next: EpochPlan?, view: View) {
        self.progress = progress
        self.plan = plan
        self.next = next
        self.view = view
        leader = plan.leaders.leader(of: view)
        places = Self.places(plan.set)
        nextPlaces = next.map { Self.places($0.set) } ?? [:]
    }

    private static func places(_ set: MasternodeSet) -> [PublicKey: UInt16] {
        Dictionary(
            set.members.enumerated().map { ($0.element.consensusKey, UInt16(clamping: $0.offset)) },
            uniquingKeysWith: { first, _ in first })
    }

    /// What is to be said of one masternode.
    public func view(of record: MasternodeRecord, connected: Bool, isSelf: Bool) -> MasternodeView {
        let index = places[record.consensusKey]
        return MasternodeView(
            record: record, epoch: progress.epoch, index: index, nextIndex: nextPlaces[record.consensusKey],
            seenThisEpoch: index.map { progress.hasSeen($0) } ?? false, connected: connected || isSelf, isSelf: isSelf,
            isLeader: index == leader)
    }

    /// The records of this epoch's set in its order, then the others in the order given.
    public func ordered(_ records: [MasternodeRecord]) -> [MasternodeRecord] {
        var members: [(place: UInt16, record: MasternodeRecord)] = []
        var others: [MasternodeRecord] = []
        for record in records {
            if let place = places[record.consensusKey] {
                members.append((place, record))
            } else {
                others.append(record)
            }
        }
        return members.sorted { $0.place < $1.place }.map(\.record) + others
    }
}

public struct MasternodeView: Sendable {
    public var record: MasternodeRecord
    /// The epoch now.
    public var epoch: Epoch
    /// Place in this epoch's set, and in the next one's.
    public var index: UInt16?
    public var nextIndex: UInt16?
    /// Whether a vote or proposal of its stood in a block of this epoch.
    public var seenThisEpoch: Bool
    /// Whether this node has a live connection to it; true for itself.
    public var connected: Bool
    public var isSelf: Bool
    public var isLeader: Bool
}

public struct MasternodesView: Sendable {
    /// Records that one answer holds at most: everybody who is registered, and a good many who were slashed.
    public static let mostRecords = 4 * ChainLimits.masternodes

    public var place: EpochPlace
    public var parameters: Parameters
    public var rewardPool: UInt128
    public var masternodes: [MasternodeView]

    public init(place: EpochPlace, parameters: Parameters, rewardPool: UInt128, masternodes: [MasternodeView]) {
        self.place = place
        self.parameters = parameters
        self.rewardPool = rewardPool
        self.masternodes = masternodes
    }
}

public struct ProposalsPage: Sendable {
    public var epoch: Epoch
    /// Approvals by this epoch's set that accept a proposal.
    public var quorum: Int
    /// Newest first.
    public var records: [ProposalRecord]
    /// `before` of the next page; nil on the last.
    public var next: UInt64?

    public init(epoch: Epoch, quorum: Int, records: [ProposalRecord], next: UInt64?) {
        self.epoch = epoch
        self.quorum = quorum
        self.records = records
        self.next = next
    }

    /// The numbers of a page, newest first, and `before` of the page after it.
    /// - Parameter end: the number of the next proposal.
    public static func numbers(before: UInt64?, end: UInt64, limit: Int) -> (numbers: [UInt64], next: UInt64?) {
        let top = min(before ?? end, end)
        let bottom = max(1, top - min(top, UInt64(clamping: limit)))
        guard top > bottom else { return ([], nil) }
        return ((bottom..<top).reversed(), bottom > 1 ? bottom : nil)
    }
}

public struct ParametersView: Sendable {
    public var epoch: Epoch
    public var protocolVersion: UInt16
    public var parameters: Parameters

    public init(epoch: Epoch, protocolVersion: UInt16, parameters: Parameters) {
        self.epoch = epoch
        self.protocolVersion = protocolVersion
        self.parameters = parameters
    }
}
