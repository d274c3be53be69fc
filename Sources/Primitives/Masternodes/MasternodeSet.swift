import Cryptography
import Encoding

/// A masternode as the active set knows it.
public struct Masternode: BorshCodable, Hashable, Sendable {
    public static let longestName = 32

    /// For people; not unique.
    public let name: String
    /// The hot key that signs votes and endorses TLS keys.
    public let consensusKey: PublicKey
    /// The cold key's account, which holds the collateral.
    public let owner: Account
    /// Tip of the hash chain whose preimages the masternode shows in its blocks.
    public let beaconTip: Digest

    public init(name: String, consensusKey: PublicKey, owner: Account, beaconTip: Digest) {
        self.name = name.truncated(utf8: Self.longestName)
        self.consensusKey = consensusKey
        self.owner = owner
        self.beaconTip = beaconTip
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.string(name)
        encoder.value(consensusKey)
        encoder.value(owner)
        encoder.value(beaconTip)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        name = try decoder.string(limit: Self.longestName)
        consensusKey = try decoder.value()
        owner = try decoder.value()
        beaconTip = try decoder.value()
    }
}

/// The masternodes that agree on the blocks of an epoch, in their order.
public struct MasternodeSet: BorshCodable, Hashable, Sendable {
    public let members: [Masternode]

    /// Throws when there is none, there are too many, or two share a consensus key.
    public init(_ members: [Masternode]) throws(MasternodeSetError) {
        guard !members.isEmpty else { throw .empty }
        guard members.count <= ChainLimits.masternodes else { throw .tooMany(members.count) }
        var seen: Set<PublicKey> = []
        for member in members where !seen.insert(member.consensusKey).inserted {
            throw .duplicateKey(member.consensusKey)
        }
        self.members = members
    }

    public var count: Int { members.count }
    /// Byzantine members that the set tolerates: floor((n - 1) / 3).
    public var faultTolerance: Int { (members.count - 1) / 3 }
    /// n - f. (2f + 1 would be unsafe at n = 5.)
    public var quorum: Int { members.count - faultTolerance }
    public var hash: Digest { Digest(domain: "edgeproof/masternode-set/1", parts: borsh) }

    public func member(_ index: UInt16) -> Masternode? {
        members.indices.contains(Int(index)) ? members[Int(index)] : nil
    }

    public func index(of key: PublicKey) -> UInt16? {
        members.firstIndex { $0.consensusKey == key }.map { UInt16($0) }
    }

    public func encode(to encoder: inout BorshEncoder) { encoder.array(members) }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let members: [Masternode] = try decoder.array(limit: ChainLimits.masternodes, smallestElement: 100)
        do { try self.init(members) } catch { throw decoder.failure(.notCanonical(error.description)) }
    }
}

public enum MasternodeSetError: Error, Equatable, CustomStringConvertible {
    case empty
    case tooMany(Int)
    case duplicateKey(PublicKey)

    public var description: String {
        switch self {
        case .empty: "a masternode set needs at least one member"
        case .tooMany(let count): "\(count) masternodes are more than \(ChainLimits.masternodes)"
        case .duplicateKey(let key): "two masternodes share the consensus key \(key)"
        }
    }
}

/// Who leads each view: a permutation of the set that the epoch's seed draws, repeated.
public struct LeaderSchedule: Hashable, Sendable {
    private let order: [UInt16]

    public init(count: Int, seed: Digest) {
        var order = (0..<UInt16(clamping: max(1, count))).map { $0 }
        var block = seed
        // Fisher and Yates, each choice from a fresh hash; the bias of a 64-bit remainder is below 2^-54.
        for last in stride(from: order.count - 1, to: 0, by: -1) {
            block = Digest(domain: "edgeproof/leader-order/1", parts: block.bytes)
            let draw = block.bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            order.swapAt(last, Int(draw % UInt64(last + 1)))
        }
        self.order = order
    }

    public func leader(of view: View) -> UInt16 { order[Int(view.value % UInt64(order.count))] }
}
