import Cryptography
import Primitives

/// A masternode that is registered, or was slashed. `GET /v1/masternodes/{consensusKey}`
public struct MasternodeDocument: Codable, Equatable, Sendable {
    public struct Status: Codable, Equatable, Sendable {
        public enum Kind: String, Codable, CaseIterable, Sendable {
            case active
            /// Registered or resumed; takes part from a later epoch on.
            case waiting
            case suspended, leaving, removed, slashed
        }

        public var kind: Kind
        /// From which it takes part (active, waiting), else in which it came to this.
        @DecimalText public var epoch: UInt64
        /// Header time in milliseconds before which the collateral does not come back; of leaving and removed ones.
        public var unlocksAt: DecimalText<UInt64>?

        public init(_ status: MasternodeRecord.Status, now: Epoch) {
            switch status {
            case .active(let from): self.init(from > now ? .waiting : .active, from)
            case .suspended(let epoch): self.init(.suspended, epoch)
            case .leaving(let epoch, let time): self.init(.leaving, epoch, unlocksAt: time)
            case .removed(let epoch, let time): self.init(.removed, epoch, unlocksAt: time)
            case .slashed(let epoch): self.init(.slashed, epoch)
            }
        }

        private init(_ kind: Kind, _ epoch: Epoch, unlocksAt: Time? = nil) {
            self.kind = kind
            self.epoch = epoch.value
            self.unlocksAt = unlocksAt.map { DecimalText($0.value) }
        }
    }

    public var name: String
    @HexText public var consensusKey: PublicKey
    @AddressText public var owner: Account
    /// Smallest units locked on the account of the consensus key; 0 once slashed.
    @DecimalText public var collateral: UInt128
    public var status: Status
    /// Height of the block that registered it.
    @DecimalText public var registeredAt: UInt64
    /// The last epoch in which a vote or proposal of its stood in a block; the registration's while there was none.
    @DecimalText public var lastSeen: UInt64
    /// Whether one stood in a block of this epoch.
    public var seenThisEpoch: Bool
    /// Place in this epoch's set; absent for one that is not in it.
    public var index: Int?
    /// Place in the next epoch's set; absent for one that is not in it.
    public var nextIndex: Int?
    /// Whether the answering node has a live connection to it, or is it.
    public var connected: Bool
    /// Whether it is the answering node.
    public var isSelf: Bool
    /// Whether it leads the view that the answering node is in.
    public var isLeader: Bool

    public init(
        _ record: MasternodeRecord, epoch: Epoch, seenThisEpoch: Bool, index: UInt16?, nextIndex: UInt16?,
        connected: Bool, isSelf: Bool, isLeader: Bool
    ) {
        name = record.masternode.name
        consensusKey = record.consensusKey
        owner = record.owner
        collateral = record.collateral
        status = Status(record.status, now: epoch)
        registeredAt = record.registeredAt.value
        lastSeen = record.lastSeen.value
        self.seenThisEpoch = seenThisEpoch
        self.index = index.map { Int($0) }
        self.nextIndex = nextIndex.map { Int($0) }
        self.connected = connected
        self.isSelf = isSelf
        self.isLeader = isLeader
    }
}

/// `GET /v1/masternodes`
public struct MasternodesDocument: Codable, Equatable, Sendable {
    /// What joining, staying and leaving take.
    public struct Membership: Codable, Equatable, Sendable {
        /// Smallest units that a masternode locks.
        @DecimalText public var collateral: UInt64
        /// An epoch ends with the first block that is both so many blocks and so many milliseconds after its start.
        @DecimalText public var epochBlocks: UInt64
        @DecimalText public var epochMs: UInt64
        /// How long collateral stays locked after a masternode left, at least.
        @DecimalText public var unbondingMs: UInt64
        /// Epochs after its own in which evidence counts.
        @DecimalText public var evidenceEpochs: UInt64
        /// Smallest units that each epoch makes for those who took part in it.
        @DecimalText public var rewardPerEpoch: UInt64

        public init(_ parameters: Parameters) {
            collateral = parameters.collateral
            epochBlocks = parameters.epochBlocks
            epochMs = parameters.epochMs
            unbondingMs = parameters.unbondingMs
            evidenceEpochs = parameters.evidenceEpochs
            rewardPerEpoch = parameters.rewardPerEpoch
        }
    }

    @DecimalText public var epoch: UInt64
    /// Of the protocol that the epoch runs.
    public var protocolVersion: Int
    /// Height and header time of the block on which the epoch started.
    @DecimalText public var startHeight: UInt64
    @DecimalText public var startTime: UInt64
    @DecimalText public var view: UInt64
    /// Place of the leader of `view`.
    public var leader: Int
    /// Votes of this epoch's set that make a certificate, and that accept a proposal.
    public var quorum: Int
    public var membership: Membership
    /// Smallest units that wait to become rewards.
    @DecimalText public var rewardPool: UInt128
    /// First this epoch's set in its order, then the others in the order of their registration, then the slashed.
    public var masternodes: [MasternodeDocument]

    public init(
        progress: EpochProgress, view: View, leader: UInt16, quorum: Int, parameters: Parameters, rewardPool: UInt128,
        masternodes: [MasternodeDocument]
    ) {
        epoch = progress.epoch.value
        protocolVersion = Int(progress.protocolVersion)
        startHeight = progress.startHeight.value
        startTime = progress.startTime.value
        self.view = view.value
        self.leader = Int(leader)
        self.quorum = quorum
        membership = Membership(parameters)
        self.rewardPool = rewardPool
        self.masternodes = masternodes
    }

    /// This epoch's set.
    public var activeSet: [MasternodeDocument] { masternodes.filter { $0.index != nil } }
}
