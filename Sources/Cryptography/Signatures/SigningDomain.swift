import Encoding

/// Names what a signature is about. No signature made under one domain is valid under another.
public struct SigningDomain: Hashable, Sendable, CustomStringConvertible {
    public let name: String

    public init(_ name: StaticString) { self.name = name.description }

    public static let transaction = SigningDomain("edgeproof/tx/1")
    public static let notarize = SigningDomain("edgeproof/notarize/1")
    public static let nullify = SigningDomain("edgeproof/nullify/1")
    public static let finalize = SigningDomain("edgeproof/finalize/1")
    public static let tlsEndorsement = SigningDomain("edgeproof/tls/1")
    public static let registerMasternode = SigningDomain("edgeproof/register-masternode/1")
    public static let envelope = SigningDomain("edgeproof/envelope-signature/1")

    public var description: String { name }

    /// The bytes that are signed: `domain || genesisHash || borsh(body)`.
    public func message(genesis: Digest, body: some BorshEncodable) -> [UInt8] {
        var encoder = BorshEncoder(reserving: 256)
        encoder.fixed(name.utf8)
        encoder.value(genesis)
        encoder.value(body)
        return encoder.bytes
    }
}
