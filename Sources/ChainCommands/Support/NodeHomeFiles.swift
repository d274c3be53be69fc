import Cryptography
import Foundation
import KeyFiles
import Primitives
import ProgramSupport

/// What a node's home says to its operator. The home stays as it is; the node may be running.
package struct NodeHomeFiles {
    package let folder: String

    package init(_ path: String) {
        folder = FilePath.expanded(path)
    }

    private func path(_ name: String) -> String { NSString(string: folder).appendingPathComponent(name) }

    private struct Configuration: Decodable { let name: String }

    /// The node's name in its configuration.
    package func name() throws -> String {
        let file = path("config.json")
        guard FileManager.default.fileExists(atPath: file) else {
            throw UsageError(
                "\(folder) is no home of a node: it has no config.json. Make one with 'chaind init --home \(folder)'")
        }
        let data = Data(try Arguments.file(file, limit: 1_000_000))
        do { return try JSONDecoder().decode(Configuration.self, from: data).name } catch {
            throw UsageError("\(file) names no node: its field 'name' is missing or no text")
        }
    }

    private var keys: KeyDirectory { KeyDirectory(path: path("keys")) }

    /// The home's own passphrase file where there is one, else what the environment or the terminal says.
    private func passphrase() throws -> Passphrase {
        let own = path("passphrase")
        return try Passphrase.find(file: FileManager.default.fileExists(atPath: own) ? own : nil, for: keys.path)
    }

    private func open(_ name: String, _ passphrase: Passphrase) throws -> PrivateKey {
        guard try keys.contains(name) else {
            throw UsageError("\(folder) has no \(name) key: 'chaind init --home \(folder)' makes what is missing")
        }
        return try keys.open(name, purpose: name, passphrase: passphrase)
    }

    /// The hot key that signs votes.
    package func consensusKey() throws -> PrivateKey { try open(NodeKeyNames.consensus, try passphrase()) }

    /// Signs for this owner. Takes a second: the tip of the hash chain is computed.
    package func registration(name: String?, owner: Account, genesis: Digest) throws -> RegisterMasternode {
        let passphrase = try passphrase()
        let name = try name ?? self.name()
        let consensus = try open(NodeKeyNames.consensus, passphrase)
        let beacon = BeaconChain(of: try open(NodeKeyNames.beacon, passphrase))
        return try RegisterMasternode(
            Masternode(name: name, consensusKey: consensus.publicKey, owner: owner, beaconTip: beacon.tip),
            signing: consensus, genesis: genesis)
    }
}
