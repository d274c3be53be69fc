import Cryptography
import Primitives

/// What a proposal would change.
public struct ChangeDocument: Codable, Equatable, Sendable, CustomStringConvertible {
    public enum Kind: String, Codable, CaseIterable, Sendable { case parameter, removeMasternode, upgrade }

    public var kind: Kind
    /// Name and new value of a parameter.
    public var parameter: String?
    public var value: DecimalText<UInt64>?
    /// Consensus key of the masternode that is to leave.
    public var consensusKey: HexText<PublicKey>?
    public var protocolVersion: Int?
    /// The same for people.
    public var description: String

    public init(_ change: Change) {
        description = change.description
        switch change {
        case .parameter(let name, let newValue):
            kind = .parameter
            parameter = name
            value = DecimalText(newValue)
        case .removeMasternode(let key):
            kind = .removeMasternode
            consensusKey = HexText(key)
        case .upgrade(let version):
            kind = .upgrade
            protocolVersion = Int(version)
        }
    }
}

/// `GET /v1/proposals/{number}`
public struct ProposalDocument: Codable, Equatable, Sendable {
    public enum Outcome: String, Codable, CaseIterable, Sendable {
        case open
        /// Waits for its epoch.
        case accepted
        case rejected, expired, applied

        public init(_ outcome: ProposalRecord.Outcome) {
            switch outcome {
            case .open: self = .open
            case .accepted: self = .accepted
            case .rejected: self = .rejected
            case .expired: self = .expired
            case .applied: self = .applied
            }
        }
    }

    @DecimalText public var number: UInt64
    @AddressText public var proposer: Account
    public var change: ChangeDocument
    /// The epoch from whose start on it holds.
    @DecimalText public var from: UInt64
    @DecimalText public var proposedIn: UInt64
    /// Consensus keys of the masternodes that voted, in the order of their votes.
    public var approvals: [HexText<PublicKey>]
    public var rejections: [HexText<PublicKey>]
    public var outcome: Outcome

    public init(_ record: ProposalRecord) {
        number = record.number
        proposer = record.proposer
        change = ChangeDocument(record.change)
        from = record.from.value
        proposedIn = record.proposedIn.value
        approvals = record.approvals.map { HexText($0) }
        rejections = record.rejections.map { HexText($0) }
        outcome = Outcome(record.outcome)
    }
}

/// `GET /v1/proposals`
public struct ProposalsDocument: Codable, Equatable, Sendable {
    /// The epoch now, and the approvals by its set that accept a proposal.
    @DecimalText public var epoch: UInt64
    public var quorum: Int
    /// Newest first.
    public var proposals: [ProposalDocument]
    /// `before` of the next page; absent on the last.
    public var next: DecimalText<UInt64>?

    public init(epoch: Epoch, quorum: Int, proposals: [ProposalRecord], next: UInt64?) {
        self.epoch = epoch.value
        self.quorum = quorum
        self.proposals = proposals.map { ProposalDocument($0) }
        self.next = next.map { DecimalText($0) }
    }
}

/// `GET /v1/parameters`
public struct ParametersDocument: Codable, Equatable, Sendable {
    public struct Entry: Codable, Equatable, Sendable {
        public var name: String
        @DecimalText public var value: UInt64
        /// What the genesis says.
        @DecimalText public var genesisValue: UInt64
        /// Whether the masternodes can change it.
        public var isChangeable: Bool
    }

    @DecimalText public var epoch: UInt64
    /// Of the protocol that the epoch runs.
    public var protocolVersion: Int
    public var parameters: [Entry]

    public init(epoch: Epoch, protocolVersion: UInt16, parameters: Parameters, genesis: Parameters) {
        self.epoch = epoch.value
        self.protocolVersion = Int(protocolVersion)
        self.parameters = Parameters.names.map { name in
            Entry(
                name: name, value: parameters.value(of: name) ?? 0, genesisValue: genesis.value(of: name) ?? 0,
                isChangeable: Parameters.changeable.contains(name))
        }
    }

    /// Nil when the node has other parameters than this program knows.
    public func values() -> Parameters? {
        Parameters(values: Dictionary(parameters.map { ($0.name, $0.value) }) { first, _ in first })
    }
}
