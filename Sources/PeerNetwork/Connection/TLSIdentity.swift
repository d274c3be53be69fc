import Crypto
import Cryptography
import Foundation
import NIOCore
import NIOSSL

/// A process's TLS key, fresh at each start, with the self-signed certificate that carries it.
package struct TLSIdentity: Sendable {
    package let publicKey: PublicKey
    private let context: NIOSSLContext

    package static func generate() throws -> TLSIdentity {
        let key = Curve25519.Signing.PrivateKey()
        guard let publicKey = PublicKey(Array(key.publicKey.rawRepresentation)) else {
            throw CryptographyError.invalidKey
        }
        let certificate = try SelfSignedCertificate.der(of: key, name: "edgeproof peer")
        return TLSIdentity(
            publicKey: publicKey,
            context: try context(
                certificate: NIOSSLCertificate(bytes: certificate, format: .der),
                key: NIOSSLPrivateKey(bytes: pkcs8(key), format: .der)))
    }

    /// One configuration for both directions: TLS 1.3, Ed25519 alone, and a certificate from either side.
    private static func context(certificate: NIOSSLCertificate, key: NIOSSLPrivateKey) throws -> NIOSSLContext {
        // `noHostnameVerification`, since under `none` the verification callback is never called and no client
        // certificate is asked for. The callback replaces all of the chain checks.
        var configuration = TLSConfiguration.makeServerConfigurationWithMTLS(
            certificateChain: [.certificate(certificate)], privateKey: .privateKey(key), trustRoots: .certificates([]))
        configuration.minimumTLSVersion = .tlsv13
        configuration.maximumTLSVersion = .tlsv13
        configuration.certificateVerification = .noHostnameVerification
        // Ed25519 is not among the defaults for verifying.
        configuration.verifySignatureAlgorithms = [.ed25519]
        configuration.signingSignatureAlgorithms = [.ed25519]
        configuration.shutdownTimeout = .seconds(2)
        return try NIOSSLContext(configuration: configuration)
    }

    /// PKCS #8 of an Ed25519 key (RFC 8410, section 7).
    private static func pkcs8(_ key: Curve25519.Signing.PrivateKey) -> [UInt8] {
        [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20]
            + Array(key.rawRepresentation)
    }

    /// SubjectPublicKeyInfo of an Ed25519 key (RFC 8410, section 4) before its 32 bytes.
    private static let keyInfoPrefix: [UInt8] = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ]

    /// The TLS handler for one end of a connection; the peer's key is in the box once the handshake proved it.
    package func handler(dialling: Bool, peerKey: TLSKeyBox) throws -> any ChannelHandler & RemovableChannelHandler {
        let verify: NIOSSLCustomVerificationCallback = { chain, promise in
            guard chain.count == 1, let leaf = chain.first, let key = Self.ed25519Key(of: leaf) else {
                promise.succeed(.failed)
                return
            }
            // TLS itself checks that the peer holds this key (RFC 8446, section 4.4.3); whose it is, Hello says.
            peerKey.key = key
            promise.succeed(.certificateVerified)
        }
        if dialling {
            return try NIOSSLClientHandler(context: context, serverHostname: nil, customVerificationCallback: verify)
        }
        return NIOSSLServerHandler(context: context, customVerificationCallback: verify)
    }

    private static func ed25519Key(of certificate: NIOSSLCertificate) -> PublicKey? {
        guard let info = try? certificate.extractPublicKey().toSPKIBytes(), info.starts(with: keyInfoPrefix) else { return nil }
        return PublicKey(info.dropFirst(keyInfoPrefix.count))
    }
}

/// Takes the peer's TLS key from the handshake to the connection; both live on the connection's event loop.
package final class TLSKeyBox {
    package fileprivate(set) var key: PublicKey?
    /// - Parameter key: where no handshake proves one.
    package init(_ key: PublicKey? = nil) { self.key = key }
}
