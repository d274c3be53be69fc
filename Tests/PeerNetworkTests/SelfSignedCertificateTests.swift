import Crypto
import NIOSSL
import PeerNetwork
import Testing

@Suite(.timeLimit(.minutes(20))) struct SelfSignedCertificateTests {
    /// Another implementation reads it (BoringSSL), and finds the key; the key has signed what stands in it. Lengths of
    /// one and of two bytes occur.
    @Test(arguments: [1, 64]) func isReadByOthers(length: Int) throws {
        let key = Curve25519.Signing.PrivateKey()
        let der = try SelfSignedCertificate.der(of: key, name: String(repeating: "n", count: length))
        let certificate = try NIOSSLCertificate(bytes: der, format: .der)
        #expect(try certificate.toDERBytes() == der)
        #expect(try certificate.extractPublicKey().toSPKIBytes().suffix(32) == Array(key.publicKey.rawRepresentation))
        // The outermost sequence, then the signed one, whose length has one byte more from 128 and from 256 bytes on.
        func header(_ bytes: ArraySlice<UInt8>) throws -> (size: Int, length: Int) {
            let first = try #require(bytes.dropFirst().first)
            guard first >= 0x80 else { return (2, Int(first)) }
            let digits = bytes.dropFirst(2).prefix(Int(first & 0x7f))
            return (2 + digits.count, digits.reduce(0) { $0 << 8 | Int($1) })
        }
        let outer = try header(der[...])
        #expect(outer.size + outer.length == der.count)
        let inner = try header(der.dropFirst(outer.size))
        let signed = der.dropFirst(outer.size).prefix(inner.size + inner.length)
        #expect(key.publicKey.isValidSignature(der.suffix(64), for: signed))
    }
}
