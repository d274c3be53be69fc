import Crypto
import Encoding

/// An Ed25519 public key (RFC 8032), as bytes; whether they are a point shows when a signature is checked.
public struct PublicKey: Bytes32 {
    public let words: Words256
    public init(words: Words256) { self.words = words }

    /// Whether the signature is this key's over the body, under the domain, on the chain of this genesis.
    public func isValid(
        _ signature: Signature, over body: some BorshEncodable, domain: SigningDomain, genesis: Digest
    ) -> Bool {
        isValid(signature, message: domain.message(genesis: genesis, body: body))
    }

    /// Whether the signature is this key's over exactly these bytes, by ``Ed25519Rule``.
    public func isValid(_ signature: Signature, message: [UInt8]) -> Bool {
        SignatureClaim(key: self, signature: signature, message: message).isValid
    }

    /// Whether the key has at most eight multiples: anybody can sign for it. False for bytes that encode no point.
    public var isSmallOrder: Bool { Ed25519Rule.isSmallOrder(self) }
}

/// 64 bytes of an Ed25519 signature.
public struct Signature: BorshCodable, Hashable, Sendable, CustomStringConvertible {
    let r: Words256
    let s: Words256

    public static let byteCount = 64

    /// Nil unless there are exactly 64 bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount,
            let r = Words256(bytes[0..<32]), let s = Words256(bytes[32..<64])
        else { return nil }
        self.r = r
        self.s = s
    }

    public var bytes: [UInt8] { r.bytes + s.bytes }
    public var description: String { Hexadecimal.encode(bytes) }

    public func encode(to encoder: inout BorshEncoder) {
        r.encode(to: &encoder)
        s.encode(to: &encoder)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        // Asked for as a whole, so that an error names the whole.
        guard decoder.remaining >= Self.byteCount else {
            throw decoder.failure(.truncated(needed: Self.byteCount, available: decoder.remaining))
        }
        r = try Words256(from: &decoder)
        s = try Words256(from: &decoder)
    }
}

/// An Ed25519 private key. Its description shows the public half only.
public struct PrivateKey: Sendable, CustomStringConvertible {
    private let key: Curve25519.Signing.PrivateKey
    public let publicKey: PublicKey

    /// A fresh key from the system's randomness.
    public static func generate() -> PrivateKey { PrivateKey(Curve25519.Signing.PrivateKey()) }

    /// Nil unless the seed has exactly 32 bytes.
    public init?(seed: [UInt8]) {
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed) else { return nil }
        self.init(key)
    }

    private init(_ key: Curve25519.Signing.PrivateKey) {
        self.key = key
        publicKey = PublicKey(Array(key.publicKey.rawRepresentation)) ?? .zero
    }

    /// The 32 secret bytes, for the keystore alone.
    public var seed: [UInt8] { Array(key.rawRepresentation) }

    public func sign(_ body: some BorshEncodable, domain: SigningDomain, genesis: Digest) throws -> Signature {
        try sign(message: domain.message(genesis: genesis, body: body))
    }

    public func sign(message: [UInt8]) throws -> Signature {
        guard let signature = Signature(Array(try key.signature(for: message))) else {
            throw CryptographyError.signingFailed
        }
        return signature
    }

    public var description: String { "private key of \(publicKey)" }
}

public enum CryptographyError: Error, Equatable, CustomStringConvertible {
    case signingFailed
    case invalidKey
    case cannotSeal
    case cannotOpen

    public var description: String {
        switch self {
        case .signingFailed: "the key could not sign"
        case .invalidKey: "the bytes are not a valid key"
        case .cannotSeal: "the message could not be sealed for this key"
        case .cannotOpen: "the message does not open with this key and context"
        }
    }
}
