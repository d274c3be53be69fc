import Crypto
import CryptoExtras
import Encoding
import Foundation

extension KEMPrivateKey {
    /// 32 bytes that only the owners of the two keys can compute: HKDF-SHA256 over the X25519 secret, with `info` saying
    /// what for. Nil for a public key of small order, whose secret everybody knows.
    public func agreement(with other: KEMPublicKey, info: [UInt8]) -> SecretSeed? {
        guard let mine = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: secretBytes),
            let theirs = try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: other.bytes),
            let secret = try? mine.sharedSecretFromKeyAgreement(with: theirs),
            !secret.withUnsafeBytes({ $0.allSatisfy { $0 == 0 } })
        else { return nil }
        let key = secret.hkdfDerivedSymmetricKey(
            using: SHA256.self, salt: Data("edgeproof/agreement/1".utf8), sharedInfo: Data(info), outputByteCount: 32)
        return SecretSeed(key.withUnsafeBytes { Array($0) })
    }
}

/// 32 secret bytes from which random numbers come that others must not foresee. Never printed.
public struct SecretSeed: Sendable, CustomStringConvertible {
    public let bytes: [UInt8]

    /// Nil unless there are exactly 32 bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.bytes = bytes
    }

    public static func generate() -> SecretSeed {
        var generator = SystemRandomNumberGenerator()
        return SecretSeed(filling: { UInt8.random(in: 0...255, using: &generator) })
    }

    private init(filling next: () -> UInt8) {
        bytes = (0..<32).map { _ in next() }
    }

    /// A seed for one purpose: HKDF-SHA256 with the purpose as info.
    public func derived(for purpose: String, _ parts: [UInt8] = []) -> SecretSeed {
        let key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: bytes), info: Data(Array(purpose.utf8) + parts), outputByteCount: 32)
        let derived = key.withUnsafeBytes { Array($0) }
        var index = 0
        return SecretSeed(filling: {
            defer { index += 1 }
            return derived[index]
        })
    }

    public var description: String { "secret seed" }
}

/// AES-256 in counter mode over zeros: as many pseudo-random words as wanted, the same for the same seed.
public struct SecretStream: Sendable {
    private static let chunk = 1 << 16
    private let key: SymmetricKey
    private var block: UInt64 = 0
    private var words: [UInt32] = []
    private var used = 0

    public init(_ seed: SecretSeed) {
        key = SymmetricKey(data: seed.bytes)
    }

    public mutating func nextWord() -> UInt32 {
        if used == words.count { refill() }
        defer { used += 1 }
        return words[used]
    }

    private mutating func refill() {
        var nonce = BorshEncoder()
        nonce.integer(block)
        nonce.integer(UInt32(0))
        block += 1
        // Each chunk has a nonce of its own, so that counters never meet.
        guard let nonce = try? AES._CTR.Nonce(nonceBytes: nonce.bytes),
            let bytes = try? AES._CTR.encrypt(Data(count: Self.chunk), using: key, nonce: nonce)
        else { fatalError("AES with a key and a nonce of the right length cannot fail") }
        words = bytes.withUnsafeBytes { raw in
            (0..<Self.chunk / 4).map { UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)) }
        }
        used = 0
    }
}
