import Crypto
import Encoding
import Foundation

/// An X25519 public key that messages are sealed for.
public struct KEMPublicKey: Bytes32 {
    public let words: Words256
    public init(words: Words256) { self.words = words }
}

/// What HPKE's single-shot seal gives (RFC 9180, section 6.1).
public struct SealedMessage: Equatable, Sendable {
    /// The encapsulated key, 32 bytes for X25519.
    public let encapsulatedKey: [UInt8]
    /// The ciphertext with its 16-byte tag.
    public let ciphertext: [UInt8]

    public init(encapsulatedKey: [UInt8], ciphertext: [UInt8]) {
        self.encapsulatedKey = encapsulatedKey
        self.ciphertext = ciphertext
    }
}

/// HPKE in base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305.
private let suite = HPKE.Ciphersuite.Curve25519_SHA256_ChachaPoly

extension Curve25519.KeyAgreement.PublicKey {
    /// Whether the key is a point of small order: its shared secret with anybody is 0, so everybody could read what is
    /// sealed for it. RFC 9180 (section 7.1.4) has both sides refuse it; swift-crypto leaves that to its callers.
    fileprivate var isSmallOrder: Bool {
        let fixed = [UInt8](repeating: 8, count: 32)
        guard let any = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: fixed),
            let secret = try? any.sharedSecretFromKeyAgreement(with: self)
        else { return true }
        return secret.withUnsafeBytes { $0.allSatisfy { $0 == 0 } }
    }
}

extension KEMPublicKey {
    public func seal(_ plaintext: [UInt8], info: [UInt8], authenticating context: [UInt8]) throws(CryptographyError)
        -> SealedMessage
    {
        do {
            let key = try Curve25519.KeyAgreement.PublicKey(rawRepresentation: bytes)
            guard !key.isSmallOrder else { throw CryptographyError.cannotSeal }
            var sender = try HPKE.Sender(recipientKey: key, ciphersuite: suite, info: Data(info))
            let ciphertext = try sender.seal(plaintext, authenticating: context)
            return SealedMessage(encapsulatedKey: Array(sender.encapsulatedKey), ciphertext: Array(ciphertext))
        } catch {
            throw .cannotSeal
        }
    }
}

/// An X25519 private key that opens sealed messages.
public struct KEMPrivateKey: Sendable, CustomStringConvertible {
    private let key: Curve25519.KeyAgreement.PrivateKey
    public let publicKey: KEMPublicKey

    public static func generate() -> KEMPrivateKey { KEMPrivateKey(Curve25519.KeyAgreement.PrivateKey()) }

    /// Nil unless there are exactly 32 bytes.
    public init?(bytes: [UInt8]) {
        guard let key = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: bytes) else { return nil }
        self.init(key)
    }

    private init(_ key: Curve25519.KeyAgreement.PrivateKey) {
        self.key = key
        publicKey = KEMPublicKey(Array(key.publicKey.rawRepresentation)) ?? .zero
    }

    /// The 32 secret bytes, for the keystore alone.
    public var secretBytes: [UInt8] { Array(key.rawRepresentation) }

    public func open(_ message: SealedMessage, info: [UInt8], authenticating context: [UInt8])
        throws(CryptographyError) -> [UInt8]
    {
        do {
            let sender = try Curve25519.KeyAgreement.PublicKey(rawRepresentation: message.encapsulatedKey)
            guard !sender.isSmallOrder else { throw CryptographyError.cannotOpen }
            var recipient = try HPKE.Recipient(
                privateKey: key, ciphersuite: suite, info: Data(info),
                encapsulatedKey: Data(message.encapsulatedKey))
            return Array(try recipient.open(message.ciphertext, authenticating: context))
        } catch {
            throw .cannotOpen
        }
    }

    public var description: String { "KEM private key of \(publicKey)" }
}
