import Cryptography
import Encoding
import Foundation
import Primitives

/// `config.json` of a node's home: where it listens and whom it dials. What must agree between nodes is in the
/// genesis, never here.
public struct NodeConfiguration: Codable, Equatable, Sendable {
    public struct Endpoint: Codable, Equatable, Sendable {
        public var host: String
        public var port: Int

        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    public struct Peer: Codable, Equatable, Sendable {
        /// For people.
        public var name: String
        public var host: String
        public var port: Int
        /// Hexadecimal consensus key that the peer must prove; without one whoever is there may answer.
        public var consensusKey: String?

        public init(name: String, host: String, port: Int, consensusKey: String?) {
            self.name = name
            self.host = host
            self.port = port
            self.consensusKey = consensusKey
        }

        /// A seed at `HOST:PORT`, whoever answers there; nil when the text has another form.
        public init?(seed text: String) {
            guard let address = PeerAddress(text) else { return nil }
            self.init(name: text, host: address.host, port: address.port, consensusKey: nil)
        }
    }

    public var name: String
    /// REST, events, metrics and explorer. Loopback unless the operator says otherwise.
    public var api: Endpoint
    /// Other nodes.
    public var peer: Endpoint
    /// `HOST:PORT` at which others reach `peer`, where it is another one: behind a NAT, or when the node listens at all
    /// of its addresses.
    public var advertise: String?
    /// Seeds: where the node starts to look for others. It finds the rest by itself.
    public var peers: [Peer]
    /// Blocks from one state that is kept for nodes which join to the next; 0 keeps none. Also how far behind a new
    /// node must be to join by one. Absent: ``SnapshotLimits/interval``.
    public var snapshotBlocks: UInt64?

    public init(
        name: String, api: Endpoint, peer: Endpoint, peers: [Peer], advertise: String? = nil,
        snapshotBlocks: UInt64? = nil
    ) {
        self.snapshotBlocks = snapshotBlocks
        self.name = name
        self.api = api
        self.peer = peer
        self.peers = peers
        self.advertise = advertise
    }

    /// What `config.json` may hold. A mistyped field must not silently become a default.
    package static let form: JSONForm = {
        let endpoint = JSONForm.object([.required("host", .text), .required("port", .port)])
        return .object([
            .required("name", .text), .required("api", endpoint), .required("peer", endpoint),
            .required(
                "peers",
                .list(
                    .object([
                        .required("name", .text), .required("host", .text), .required("port", .port),
                        .optional("consensusKey", .text),
                    ]))),
            .optional("advertise", .text), .optional("snapshotBlocks", .whole(0...UInt64.max)),
        ])
    }()

    public static let defaultAPIPort = DefaultPort.api
    public static let defaultPeerPort = DefaultPort.peers

    public static func loopback(name: String) -> NodeConfiguration {
        NodeConfiguration(
            name: name, api: Endpoint(host: "127.0.0.1", port: defaultAPIPort),
            peer: Endpoint(host: "127.0.0.1", port: defaultPeerPort), peers: [])
    }
}
