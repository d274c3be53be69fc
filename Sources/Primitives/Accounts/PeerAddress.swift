import Cryptography

/// Where a peer listens, and whom to expect there.
public struct PeerAddress: Hashable, Sendable, CustomStringConvertible {
    public let host: String
    public let port: Int
    /// Whoever else answers at the address is refused; nil takes anybody who is admitted.
    public let consensusKey: PublicKey?

    public init(host: String, port: Int, consensusKey: PublicKey? = nil) {
        self.host = host
        self.port = port
        self.consensusKey = consensusKey
    }

    /// Parses `HOST:PORT`; a host with colons stands in brackets. Nil when it has another form.
    public init?(_ text: String, consensusKey: PublicKey? = nil) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self.init(host: String(host), port: Int(port), consensusKey: consensusKey)
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
