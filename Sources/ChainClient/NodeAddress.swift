import APIModel
import Foundation

/// Where a node serves its API: `http://HOST:PORT`, https where a proxy adds TLS.
public struct NodeAddress: Hashable, Sendable, CustomStringConvertible {
    /// Without a slash at the end.
    public let url: String

    public static let standard = NodeAddress(checked: "http://127.0.0.1:\(APIModel.defaultPort)")

    private init(checked url: String) { self.url = url }

    /// Takes `http://HOST:PORT`, `HOST:PORT` and `HOST`; the port is 26600 where none is given.
    public init(_ text: String) throws(ClientError) {
        let full = text.contains("://") ? text : "http://" + text
        guard let parts = URLComponents(string: full), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme), let host = parts.host, !host.isEmpty,
            parts.path.isEmpty || parts.path == "/", parts.query == nil, parts.fragment == nil, parts.user == nil,
            (1...65_535).contains(parts.port ?? 1)
        else { throw .badNode(text) }
        let port = parts.port ?? (scheme == "https" ? 443 : APIModel.defaultPort)
        url = "\(scheme)://\(host):\(port)"
    }

    /// Addresses with commas between them.
    public static func list(_ text: String) throws(ClientError) -> [NodeAddress] {
        var found: [NodeAddress] = []
        for part in text.split(separator: ",") {
            let trimmed = part.trimmingCharacters(in: .whitespaces)
            if !trimmed.isEmpty { found.append(try NodeAddress(trimmed)) }
        }
        guard !found.isEmpty else { throw .badNode(text) }
        return found
    }

    public var description: String { url }
}
