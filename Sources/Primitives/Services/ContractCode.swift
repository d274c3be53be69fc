import Cryptography
import Encoding

/// Whose code it is, and whether it may go.
public struct CodeRecord: BorshCodable, Hashable, Sendable {
    /// Who uploaded it, and gets the deposit back when it is removed.
    public let owner: Account
    /// Smallest units that the owner's account holds for it.
    public let deposit: UInt128
    /// Services whose contract it is: while there is one it stays.
    public var services: UInt64

    public init(owner: Account, deposit: UInt128, services: UInt64 = 0) {
        self.owner = owner
        self.deposit = deposit
        self.services = services
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(owner)
        encoder.integer(deposit)
        encoder.integer(services)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        owner = try decoder.value()
        deposit = try decoder.integer()
        services = try decoder.integer()
    }
}

/// `data` of a `removeContract` transaction.
public struct RemoveContract: BorshCodable, Hashable, Sendable {
    public let codeHash: Digest

    public init(codeHash: Digest) { self.codeHash = codeHash }

    public func encode(to encoder: inout BorshEncoder) { encoder.value(codeHash) }
    public init(from decoder: inout BorshDecoder) throws(BorshError) { codeHash = try decoder.value() }
}
