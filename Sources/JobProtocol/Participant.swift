#if !hasFeature(Embedded)
import Cryptography
import Encoding
import Primitives
#endif

/// Who takes part, and how to reach it: what the job contract keeps at storage key ``family``, then the slot (u8). It
/// stands here and not with the contract because workers read it with proofs from the state.
public final class Participant: JobStoredValue {
    /// Of the storage keys.
    public static var family: StaticString { "participant/" }

    public var account: Account
    public var role: Role
    /// Among those of its role; its own while the job's state says that it has a place.
    public var place: UInt16 = 0
    public var samples: UInt32
    public var appliedAt: UInt64
    public var bond: UInt128
    public var parent: Account
    public var kemPublicKey: KEMPublicKey
    /// host:port
    public var endpoint: JobText
    /// The key before this one: what was sealed for it while it changed can still be complained of.
    public var previousKey: KEMPublicKey

    public init(_ application: JobApplication, account: Account, bond: UInt128, at now: UInt64) {
        self.account = account
        role = application.role
        samples = application.samples
        parent = application.parent
        self.bond = bond
        appliedAt = now
        kemPublicKey = .zero
        previousKey = .zero
        endpoint = jobNoText
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(account)
        encoder.value(role)
        encoder.integer(place)
        encoder.integer(samples)
        encoder.integer(appliedAt)
        encoder.integer(bond)
        encoder.value(parent)
        encoder.value(kemPublicKey)
        encoder.string(endpoint)
        encoder.value(previousKey)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        account = try decoder.value()
        role = try decoder.value()
        place = try decoder.integer()
        samples = try decoder.integer()
        appliedAt = try decoder.integer()
        bond = try decoder.integer()
        parent = try decoder.value()
        kemPublicKey = try decoder.value()
        endpoint = try decoder.string(limit: JobIdentity.longestEndpoint)
        previousKey = try decoder.value()
    }
}
