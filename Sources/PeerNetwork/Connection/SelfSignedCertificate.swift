import Crypto

/// A certificate that a key has signed for itself, without extensions (RFC 5280; RFC 8410 for Ed25519): what TLS asks for
/// where it is settled elsewhere whose key it is.
package enum SelfSignedCertificate {
    /// id-Ed25519 as an AlgorithmIdentifier.
    private static let algorithm = sequence([0x06, 0x03, 0x2b, 0x65, 0x70])

    /// DER of the certificate.
    /// - Parameter name: the common name of issuer and subject, 1 to 64 bytes.
    package static func der(of key: Curve25519.Signing.PrivateKey, name: String) throws -> [UInt8] {
        var serial = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        // Positive, and in its shortest form.
        serial[0] = serial[0] & 0x7f | 0x40
        let person = sequence(element(0x31, sequence([0x06, 0x03, 0x55, 0x04, 0x03] + element(0x0c, Array(name.utf8)))))
        // Nobody reads the dates: a key is good as long as the process that made it, by its endorsement.
        let validity = sequence(
            element(0x17, Array("250101000000Z".utf8)) + element(0x18, Array("99991231235959Z".utf8)))
        let keyInfo = sequence(algorithm + element(0x03, [0] + Array(key.publicKey.rawRepresentation)))
        let version = element(0xa0, [0x02, 0x01, 0x02])
        let signed = sequence(version + element(0x02, serial) + algorithm + person + validity + person + keyInfo)
        return sequence(signed + algorithm + element(0x03, [0] + Array(try key.signature(for: signed))))
    }

    private static func sequence(_ content: [UInt8]) -> [UInt8] { element(0x30, content) }

    private static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        switch content.count {
        case ..<0x80: [tag, UInt8(content.count)] + content
        case ..<0x100: [tag, 0x81, UInt8(content.count)] + content
        default: [tag, 0x82, UInt8(truncatingIfNeeded: content.count >> 8), UInt8(truncatingIfNeeded: content.count)] + content
        }
    }
}
