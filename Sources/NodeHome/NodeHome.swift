import Cryptography
import Encoding
import Foundation
import Primitives
import ProgramSupport

/// # NodeHome
///
/// A node's folder: what lies where, its configuration and its keys. Nothing else knows a name in it.
///
/// ```
/// config.json    where it listens, whom it dials
/// genesis.json   the chain
/// keys/          consensus, beacon and owner keys, encrypted, mode 0600
/// passphrase     optional, mode 0600: opens the keys where no environment variable does
/// db/            finalised blocks, state, indices (LevelDB)
/// peers.json     addresses of masternodes that the node found; may be deleted
/// db.joining/    a state that is being fetched; it becomes db/ when it is complete
/// db.rewriting/  db/ while it is written anew, since a file of it is damaged; then db.rewritten/, and db.damaged/ the old one
/// lock           held by the one process that may write here
/// journal        votes and bodies that are not final yet
/// ```
public struct NodeHome: Sendable {
    public let folder: URL

    public init(_ path: String) { folder = URL(filePath: FilePath.expanded(path), directoryHint: .isDirectory) }

    public var configurationFile: URL { folder.appending(path: "config.json") }
    public var genesisFile: URL { folder.appending(path: "genesis.json") }
    public var keysFolder: URL { folder.appending(path: "keys", directoryHint: .isDirectory) }
    public var passphraseFile: URL { folder.appending(path: "passphrase") }
    public var databaseFolder: URL { folder.appending(path: "db", directoryHint: .isDirectory) }
    public var peersFile: URL { folder.appending(path: "peers.json") }
    public var journalFile: URL { folder.appending(path: "journal") }

    public func configuration() throws(NodeHomeError) -> NodeConfiguration {
        let data = try read(configurationFile, hint: "make the home with 'chaind init --home \(folder.path)'")
        do { try NodeConfiguration.form.check(json: data) } catch {
            throw .unusable(configurationFile.path, "\(error)")
        }
        let configuration: NodeConfiguration
        do { configuration = try JSONDecoder().decode(NodeConfiguration.self, from: data) } catch {
            throw .unusable(configurationFile.path, "a value in it has another form than it must have")
        }
        for peer in configuration.peers {
            guard let key = peer.consensusKey, PublicKey(hex: key) == nil else { continue }
            throw .unusable(
                configurationFile.path,
                "the consensusKey of '\(peer.name)' is '\(key.prefix(80))', not 64 hexadecimal digits")
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
        do { return Data(try InputFile.read(file.path, limit: 64 << 20)) } catch {
            throw .unusable(file.path, error.description)
        }
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
    /// A program works in this home.
    case inUse(String, process: Int32?)

    public var description: String {
        switch self {
        case .missing(let path, let hint): "\(path) is missing: \(hint)"
        case .unusable(let path, let reason): "\(path) is not usable: \(reason)"
        case .inUse(let path, let process):
            "\(path) is in use" + (process.map { " by process \($0)" } ?? "")
                + ": stop that program first, or name another --home. Nothing was changed"
        }
    }
}
