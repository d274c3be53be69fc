import Cryptography
import Foundation
import PeerNetwork
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
    /// node must be to join by one. Absent: ``NodeLimits/snapshotBlocks``.
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

    public static let defaultAPIPort = 26_600
    public static let defaultPeerPort = 26_500

    public static func loopback(name: String) -> NodeConfiguration {
        NodeConfiguration(
            name: name, api: Endpoint(host: "127.0.0.1", port: defaultAPIPort),
            peer: Endpoint(host: "127.0.0.1", port: defaultPeerPort), peers: [])
    }
}

/// The folder that a node lives in.
///
/// ```
/// config.json    where it listens, whom it dials
/// genesis.json   the chain
/// keys/          consensus, beacon and owner keys, encrypted, mode 0600
/// passphrase     optional, mode 0600: opens the keys where no environment variable does
/// db/            finalised blocks, state, indices (LevelDB)
/// peers.json     addresses of masternodes that the node found; may be deleted
/// db.joining/    a state that is being fetched; it becomes db/ when it is complete
/// journal        votes and bodies that are not final yet
/// ```
public struct NodeHome: Sendable {
    public let folder: URL

    public init(_ path: String) { folder = URL(filePath: path, directoryHint: .isDirectory) }

    public var configurationFile: URL { folder.appending(path: "config.json") }
    public var genesisFile: URL { folder.appending(path: "genesis.json") }
    public var keysFolder: URL { folder.appending(path: "keys", directoryHint: .isDirectory) }
    public var passphraseFile: URL { folder.appending(path: "passphrase") }
    public var databaseFolder: URL { folder.appending(path: "db", directoryHint: .isDirectory) }
    public var peersFile: URL { folder.appending(path: "peers.json") }
    public var journalFile: URL { folder.appending(path: "journal") }

    public func configuration() throws(NodeHomeError) -> NodeConfiguration {
        let data = try read(configurationFile, hint: "make the home with 'chaind init --home \(folder.path)'")
        let configuration: NodeConfiguration
        do { configuration = try JSONDecoder().decode(NodeConfiguration.self, from: data) } catch {
            throw .unusable(configurationFile.path, "\(error)")
        }
        if let advertise = configuration.advertise, PeerAddress(advertise) == nil {
            throw .unusable(configurationFile.path, "its 'advertise' is '\(advertise)', not HOST:PORT")
        }
        return configuration
    }

    public func genesis() throws(NodeHomeError) -> Genesis {
        let data = try read(genesisFile, hint: "copy the network's genesis.json there")
        do { return try GenesisDocument.decode(data) } catch {
            throw .unusable(genesisFile.path, "\(error)")
        }
    }

    private func read(_ file: URL, hint: String) throws(NodeHomeError) -> Data {
        guard FileManager.default.fileExists(atPath: file.path) else { throw .missing(file.path, hint: hint) }
        do { return try Data(contentsOf: file) } catch { throw .unusable(file.path, "\(error)") }
    }

    public func write(_ configuration: NodeConfiguration) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try encoder.encode(configuration).write(to: configurationFile, options: .atomic)
    }

    public func write(_ genesis: Genesis) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try GenesisDocument(genesis).encoded().write(to: genesisFile, options: .atomic)
    }
}

public enum NodeHomeError: Error, Equatable, CustomStringConvertible {
    case missing(String, hint: String)
    case unusable(String, String)

    public var description: String {
        switch self {
        case .missing(let path, let hint): "\(path) is missing: \(hint)"
        case .unusable(let path, let reason): "\(path) is not usable: \(reason)"
        }
    }
}
