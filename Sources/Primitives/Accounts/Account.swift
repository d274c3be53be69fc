import Cryptography
import Encoding

/// 32 bytes that name an account for ever: an Ed25519 public key, or for a contract the hash of (creator, sequence).
public struct Account: Bytes32 {
    public let words: Words256
    public init(words: Words256) { self.words = words }

    public static let prefix = "edge"
    /// Characters of an address: prefix, '1', 52 for the bytes and 6 for the checksum.
    static let addressLength = prefix.utf8.count + 59

    public init(_ key: PublicKey) { self.init(words: key.words) }

    /// The account of the contract that `creator` registered with the transaction of this sequence.
    public static func contract(creator: Account, sequence: UInt64) -> Account {
        Account(words: Digest(domain: "edgeproof/contract-account/1", parts: creator.bytes, sequence.borsh).words)
    }

    /// Parses `edge1...`.
    public init(address: String) throws(AccountError) {
        let bytes: [UInt8]
        do { bytes = try Bech32m.decode(prefix: Self.prefix, address) } catch .checksum where address.utf8.count != Self.addressLength {
            // Cut short, or pasted with something behind it: no single character is mistyped.
            throw .malformed(address, .length(address.utf8.count))
        } catch {
            throw .malformed(address, error)
        }
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
        case .malformed(let text, .length(let count)):
            "'\(text)' is not an account: it has \(count) characters, and every address has \(Account.addressLength)"
        case .malformed(let text, let reason): "'\(text)' is not an account: it \(reason)"
        }
    }
}
