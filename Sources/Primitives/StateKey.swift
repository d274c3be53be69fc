import Cryptography
import Encoding

/// Names a value of the state. The first byte is the namespace, so that no two modules share a key; the
/// authenticated map places a value by the SHA-256 of its key.
public struct StateKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let bytes: [UInt8]

    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// In one piece: an array would hash each byte by itself.
    public func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }

    public func _rawHashValue(seed: Int) -> Int { bytes.withUnsafeBytes { TableHash.of($0, seed: seed) } }

    private init(_ namespace: Unicode.Scalar, _ rest: [UInt8]) {
        bytes = [UInt8(truncatingIfNeeded: namespace.value)] + rest
    }

    /// The same without an array on the way: keys of accounts are made for each transaction several times.
    private init(_ namespace: Unicode.Scalar, name: some Bytes32) {
        var encoder = BorshEncoder(reserving: 33)
        encoder.integer(UInt8(truncatingIfNeeded: namespace.value))
        encoder.value(name)
        bytes = encoder.bytes
    }

    /// ``AccountRecord``.
    public static func account(_ account: Account) -> StateKey { StateKey("a", name: account) }
    /// ``ReputationRecord``.
    public static func reputation(_ account: Account, _ role: Role) -> StateKey {
        StateKey("r", account.bytes + [role.rawValue])
    }
    /// Service by name.
    public static func service(_ service: ServiceId) -> StateKey { StateKey("s", service.bytes) }
    /// Name of the service whose contract has this account.
    public static func contract(_ contract: Account) -> StateKey { StateKey("n", name: contract) }
    /// Code by SHA-256.
    public static func code(_ hash: Digest) -> StateKey { StateKey("w", name: hash) }
    /// ``CodeRecord`` by SHA-256.
    public static func codeRecord(_ hash: Digest) -> StateKey { StateKey("W", name: hash) }
    /// A contract's own storage.
    public static func storage(_ contract: Account, _ key: [UInt8]) -> StateKey {
        StateKey("c", contract.bytes + key)
    }
    /// A page of a contract's list of keys; the first one is number 0.
    public static func keyPage(_ contract: Account, _ number: UInt64) -> StateKey {
        StateKey("i", contract.bytes + number.borsh)
    }
    /// ``MembershipRecord``: there while the account is a member of the service.
    public static func membership(_ contract: Account, _ account: Account) -> StateKey {
        StateKey("j", contract.bytes + account.bytes)
    }
    /// ``PanelRecord`` of a service's contract.
    public static func panel(_ contract: Account) -> StateKey { StateKey("v", name: contract) }
    /// ``Dispute`` about an account's work in a service, while it is open.
    public static func dispute(_ contract: Account, _ accused: Account) -> StateKey {
        StateKey("d", contract.bytes + accused.bytes)
    }
    /// ``DisputeIndex`` of a service's contract.
    public static func disputes(_ contract: Account) -> StateKey { StateKey("D", name: contract) }
    /// ``Tombstone``.
    public static func tombstone(_ account: Account) -> StateKey { StateKey("x", name: account) }
    /// ``OwnerLock``.
    public static func ownerLock(_ owner: Account) -> StateKey { StateKey("l", name: owner) }
    /// ``SponsorUse`` of an account by a service's contract.
    public static func sponsorUse(_ contract: Account, _ account: Account) -> StateKey {
        StateKey("k", contract.bytes + account.bytes)
    }
    /// Hash-chain link that a masternode showed last.
    public static func beacon(_ key: PublicKey) -> StateKey { StateKey("b", name: key) }
    /// ``BeaconRenewal``: a masternode's newest hash chain after its first.
    public static func beaconRenewal(_ key: PublicKey) -> StateKey { StateKey("B", name: key) }
    /// ``MasternodeRecord`` by consensus key.
    public static func masternode(_ key: PublicKey) -> StateKey { StateKey("m", name: key) }
    /// ``EpochPlan``: of the current epoch, the next one, and those whose evidence still counts.
    public static func epoch(_ epoch: Epoch) -> StateKey { StateKey("e", epoch.borsh) }
    /// ``ProposalRecord`` by number.
    public static func proposal(_ number: UInt64) -> StateKey { StateKey("p", number.borsh) }
    /// Page of the schedule queue's heap.
    public static func scheduleSlot(_ index: UInt64) -> StateKey { StateKey("q", index.borsh) }
    /// The waiting calls of one contract.
    public static func serviceQueue(_ contract: Account) -> StateKey { StateKey("u", name: contract) }
    /// A waiting call of the schedule queue, by number.
    public static func scheduledCall(_ number: UInt64) -> StateKey { StateKey("t", number.borsh) }
    /// The chain's single values, by name.
    public static func chain(_ name: StaticString) -> StateKey { StateKey("g", Array(name.description.utf8)) }

    /// ``MasternodeIndex``.
    public static let masternodeIndex = chain("masternodes")
    /// ``EpochProgress``.
    public static let epochProgress = chain("epoch")
    /// ``Parameters`` as they are now; absent while they are the genesis' own.
    public static let parameters = chain("parameters")
    /// ``ProposalIndex``.
    public static let proposalIndex = chain("proposals")
    /// u128: half of what was slashed, which the next border pays out.
    public static let rewardPool = chain("rewardPool")

    /// Place in the authenticated map.
    public var path: Digest { Digest(sha256: bytes) }

    public var description: String { Hexadecimal.encode(bytes) }
    public static func < (lhs: StateKey, rhs: StateKey) -> Bool { lhs.bytes.lexicographicallyPrecedes(rhs.bytes) }
}
