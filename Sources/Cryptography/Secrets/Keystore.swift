import Crypto
import CryptoExtras
import Encoding
import Foundation

/// One secret, encrypted with a passphrase: scrypt (RFC 7914) and AES-256-GCM. The JSON form is what key files hold.
///
/// The public half stands beside the secret in clear and is authenticated with it, so that a file names its owner
/// without being opened.
public struct Keystore: Codable, Equatable, Sendable {
    public let version: Int
    /// What the key is for: `account`, `consensus`, `tls`, `kem`, `beacon`.
    public let purpose: String
    /// Lower-case hexadecimal.
    public let publicKey: String
    public let scryptLogCost: Int
    public let salt: String
    public let nonce: String
    public let ciphertext: String

    /// 2^15 rounds with r = 8, p = 1 take about 0.1 s and 32 MiB.
    public static let standardLogCost = 15
    private static let allowedLogCosts = 10...20

    public enum Failure: Error, Equatable, CustomStringConvertible {
        case unsupportedVersion(Int)
        case damaged(String)
        case wrongPassphrase

        public var description: String {
            switch self {
            case .unsupportedVersion(let version): "the key file has version \(version); this program reads version 1"
            case .damaged(let field): "the key file is damaged: \(field)"
            case .wrongPassphrase: "the passphrase is wrong, or the key file was changed"
            }
        }
    }

    public init(
        sealing secret: [UInt8], publicKey: [UInt8], purpose: String, passphrase: String,
        logCost: Int = Keystore.standardLogCost
    ) throws {
        // What `open` would refuse is not written.
        guard Self.allowedLogCosts.contains(logCost) else { throw Failure.damaged("scryptLogCost") }
        var generator = SystemRandomNumberGenerator()
        let salt = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let key = try Self.deriveKey(passphrase, salt: salt, logCost: logCost)
        let nonce = AES.GCM.Nonce()
        let box = try AES.GCM.seal(
            secret, using: key, nonce: nonce, authenticating: Self.header(purpose: purpose, publicKey: publicKey))
        version = 1
        self.purpose = purpose
        self.publicKey = Hexadecimal.encode(publicKey)
        scryptLogCost = logCost
        self.salt = Hexadecimal.encode(salt)
        self.nonce = Hexadecimal.encode(Array(nonce))
        ciphertext = Hexadecimal.encode(Array(box.ciphertext) + Array(box.tag))
    }

    public func open(passphrase: String) throws -> [UInt8] {
        guard version == 1 else { throw Failure.unsupportedVersion(version) }
        guard Self.allowedLogCosts.contains(scryptLogCost) else { throw Failure.damaged("scryptLogCost") }
        guard let salt = Hexadecimal.decode(salt) else { throw Failure.damaged("salt") }
        guard let nonceBytes = Hexadecimal.decode(nonce), let nonce = try? AES.GCM.Nonce(data: nonceBytes) else {
            throw Failure.damaged("nonce")
        }
        guard let sealed = Hexadecimal.decode(ciphertext), sealed.count >= 16 else { throw Failure.damaged("ciphertext") }
        guard let owner = Hexadecimal.decode(publicKey) else { throw Failure.damaged("publicKey") }
        let key = try Self.deriveKey(passphrase, salt: salt, logCost: scryptLogCost)
        guard
            let box = try? AES.GCM.SealedBox(nonce: nonce, ciphertext: sealed.dropLast(16), tag: sealed.suffix(16)),
            let secret = try? AES.GCM.open(
                box, using: key, authenticating: Self.header(purpose: purpose, publicKey: owner))
        else { throw Failure.wrongPassphrase }
        return Array(secret)
    }

    private static func deriveKey(_ passphrase: String, salt: [UInt8], logCost: Int) throws -> SymmetricKey {
        try KDF.Scrypt.deriveKey(
            from: Data(passphrase.utf8), salt: salt, outputByteCount: 32, rounds: 1 << logCost, blockSize: 8,
            parallelism: 1)
    }

    private static func header(purpose: String, publicKey: [UInt8]) -> [UInt8] {
        Array("edgeproof/keystore/1:\(purpose):".utf8) + publicKey
    }
}
