import Cryptography
import Encoding

/// What the state holds of a masternode, by its consensus key.
public struct MasternodeRecord: BorshCodable, Hashable, Sendable {
    public static let currentVersion: UInt8 = 1

    public enum Status: BorshCodable, Hashable, Sendable {
        /// Takes part from this epoch on.
        case active(from: Epoch)
        /// Nothing was seen of it for a whole epoch; `resumeMasternode` brings it back.
        case suspended(in: Epoch)
        /// Its owner unregistered it: the collateral comes back at the first border after `unlocksAt`, and not before
        /// evidence against it has lost its force.
        case leaving(in: Epoch, unlocksAt: Time)
        /// The masternodes voted it out; the collateral comes back as above.
        case removed(in: Epoch, unlocksAt: Time)
        /// It contradicted itself: its collateral is gone and its key never comes back.
        case slashed(in: Epoch)

        public func encode(to encoder: inout BorshEncoder) {
            switch self {
            case .active(let epoch):
                encoder.integer(UInt8(0))
                encoder.value(epoch)
            case .suspended(let epoch):
                encoder.integer(UInt8(1))
                encoder.value(epoch)
            case .leaving(let epoch, let time):
                encoder.integer(UInt8(2))
                encoder.value(epoch)
                encoder.value(time)
            case .removed(let epoch, let time):
                encoder.integer(UInt8(3))
                encoder.value(epoch)
                encoder.value(time)
            case .slashed(let epoch):
                encoder.integer(UInt8(4))
                encoder.value(epoch)
            }
        }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            let tag: UInt8 = try decoder.integer()
            switch tag {
            case 0: self = .active(from: try decoder.value())
            case 1: self = .suspended(in: try decoder.value())
            case 2: self = .leaving(in: try decoder.value(), unlocksAt: try decoder.value())
            case 3: self = .removed(in: try decoder.value(), unlocksAt: try decoder.value())
            case 4: self = .slashed(in: try decoder.value())
            default: throw decoder.failure(.unknownTag(tag))
            }
        }
    }

    public let masternode: Masternode
    /// Locked on the account of the consensus key; 0 once slashed.
    public var collateral: UInt128
    public var status: Status
    public let registeredAt: Height
    /// The last epoch in which a vote or proposal of its stood in a block; the registration's while there was none.
    public var lastSeen: Epoch

    public var consensusKey: PublicKey { masternode.consensusKey }
    public var owner: Account { masternode.owner }

    public init(
        masternode: Masternode, collateral: UInt128, status: Status, registeredAt: Height, lastSeen: Epoch
    ) {
        self.masternode = masternode
        self.collateral = collateral
        self.status = status
        self.registeredAt = registeredAt
        self.lastSeen = lastSeen
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(Self.currentVersion)
        encoder.value(masternode)
        encoder.integer(collateral)
        encoder.value(status)
        encoder.value(registeredAt)
        encoder.value(lastSeen)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let version: UInt8 = try decoder.integer()
        guard version == Self.currentVersion else { throw decoder.failure(.unknownTag(version)) }
        masternode = try decoder.value()
        collateral = try decoder.integer()
        status = try decoder.value()
        registeredAt = try decoder.value()
        lastSeen = try decoder.value()
    }
}

/// The keys of all registered masternodes but the slashed, in the order of their registration, which is the order of
/// every set that is made of them.
public struct MasternodeIndex: BorshCodable, Hashable, Sendable {
    public var keys: [PublicKey]

    public init(_ keys: [PublicKey] = []) { self.keys = keys }

    public func encode(to encoder: inout BorshEncoder) { encoder.array(keys) }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        keys = try decoder.array(limit: ChainLimits.masternodes, smallestElement: 32)
    }
}
