import Cryptography
import Encoding

/// 32 bytes that name an account for ever: an Ed25519 public key, or for a contract the hash of (creator, sequence).
public struct Account: Bytes32 {
    public let words: Words256
    public init(words: Words256) { self.words = words }

    public static let prefix = "edge"

    public init(_ key: PublicKey) { self.init(words: key.words) }

    /// The account of the contract that `creator` registered with the transaction of this sequence.
    public static func contract(creator: Account, sequence: UInt64) -> Account {
        Account(words: Digest(domain: "edgeproof/contract-account/1", parts: creator.bytes, sequence.borsh).words)
    }

    /// Parses `edge1...`.
    public init(address: String) throws(AccountError) {
        let bytes: [UInt8]
        do { bytes = try Bech32m.decode(prefix: Self.prefix, address) } catch { throw .malformed(address, error) }
        guard let account = Account(bytes) else { throw .malformed(address, .padding) }
        self = account
    }

    /// The key that this account's transactions are signed with, if the account is that of a key.
    public var publicKey: PublicKey { PublicKey(words: words) }

    /// Bech32m.
    public var description: String { Bech32m.encode(prefix: Self.prefix, bytes: bytes) }

    /// The first characters of the address, for tables.
    public var short: String { String(description.prefix(12)) }
}

public enum AccountError: Error, Equatable, CustomStringConvertible {
    case malformed(String, Bech32m.Failure)

    public var description: String {
        switch self {
        case .malformed(let text, let reason): "'\(text)' is not an account: it \(reason)"
        }
    }
}
