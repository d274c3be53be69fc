import Cryptography
import Foundation
import KeyFiles
import NodeHome
import Primitives
import ProgramSupport

/// A network, on loopback unless said otherwise: a folder with one genesis, a home for each masternode, and keys of
/// funded accounts.
///
/// ```
/// genesis.json   passphrase   keys/NAME.json   node0/ node1/ ...
/// ```
public struct DevnetPlan: Sendable {
    public let folder: URL
    public let masternodes: Int
    public let apiPorts: [Int]
    public let peerPorts: [Int]
    /// Address at which each masternode listens, for its API and for peers.
    public let hosts: [String]
    /// Where chaind lies, if not beside the running program.
    public let programs: URL?

    public static let defaultAccounts = ["alice", "bob"]
    /// Name of the key that gives money away, where the network was made with one.
    public static let faucet = "faucet"
    /// Smallest units that each account gets: a million coins of a million units.
    public static let accountBalance: UInt128 = 1_000_000_000_000

    /// - Parameters:
    ///   - apiPorts: one for each masternode, as `peerPorts`.
    ///   - hosts: an address for each masternode; loopback for all where none is given.
    public init(
        folder: URL, masternodes: Int, apiPorts: [Int], peerPorts: [Int], hosts: [String]? = nil, programs: URL? = nil
    ) {
        self.programs = programs
        self.hosts = hosts ?? Array(repeating: "127.0.0.1", count: masternodes)
        self.folder = folder
        self.masternodes = masternodes
        self.apiPorts = apiPorts
        self.peerPorts = peerPorts
    }

    public init(folder: URL, masternodes: Int, firstAPIPort: Int, firstPeerPort: Int) {
        self.init(
            folder: folder, masternodes: masternodes, apiPorts: (0..<masternodes).map { firstAPIPort + $0 },
            peerPorts: (0..<masternodes).map { firstPeerPort + $0 })
    }

    public var genesisFile: URL { folder.appending(path: "genesis.json") }
    public var passphraseFile: URL { folder.appending(path: "passphrase") }
    public var keysFolder: URL { folder.appending(path: "keys", directoryHint: .isDirectory) }
    public func home(_ index: Int) -> NodeHome { NodeHome(folder.appending(path: "node\(index)").path) }
    public func apiURL(_ index: Int) -> String { "http://\(hosts[index]):\(apiPorts[index])" }

    /// The environment in which the product's programs find the network's keys.
    public var environment: [String: String] {
        [KeyFiles.passphraseFileVariable: passphraseFile.path, "EDGEPROOF_KEYS": keysFolder.path]
    }

    /// Lines that set a shell up for the network, from any folder.
    public var exports: [String] {
        func quoted(_ text: String) -> String { "'" + text.replacingOccurrences(of: "'", with: "'\\''") + "'" }
        func absolute(_ url: URL) -> String { url.absoluteURL.standardizedFileURL.path }
        return [
            "export EDGEPROOF_NODE=" + quoted((0..<masternodes).map { apiURL($0) }.joined(separator: ",")),
            "export EDGEPROOF_KEYS=" + quoted(absolute(keysFolder)),
            "export \(KeyFiles.passphraseFileVariable)=" + quoted(absolute(passphraseFile)),
        ]
    }

    /// Whether every node's API answers.
    public func isAnswering() async -> Bool {
        for index in 0..<masternodes {
            guard await Probe.answers(host: hosts[index], port: apiPorts[index]) else { return false }
        }
        return true
    }

    /// Those of every chain, but that an owner need not wait a day to try an upgrade.
    public static var parameters: Parameters {
        var parameters = Parameters()
        parameters.serviceNoticeMs = 60_000
        return parameters
    }

    /// The right to change and run the network, which one process has at a time: taken before anything is written.
    public func lock() throws -> HomeLock { try HomeLock(folder) }

    /// Takes the network that the folder holds, with these ports, or makes one.
    ///
    /// - Parameters:
    ///   - accounts: names of the keys that the genesis funds.
    ///   - faucet: whether it funds one more, for `chain-cli faucet`.
    ///   - parameters: of a new genesis.
    ///   - allocations: other accounts that the genesis funds.
    ///   - founders: how many of the masternodes the genesis has; the others can register later. All where nil.
    /// - Throws: when the folder holds a network of another size.
    public func prepare(
        accounts: [String] = DevnetPlan.defaultAccounts, faucet: Bool = false,
        parameters: Parameters = DevnetPlan.parameters,
        chainName: String = "edgeproof-devnet", allocations extra: [Genesis.Allocation] = [],
        founders: Int? = nil, progress: (String) -> Void = { _ in }
    ) throws -> Genesis {
        let files = FileManager.default
        if files.fileExists(atPath: genesisFile.path) {
            let genesis: Genesis
            do {
                genesis = try GenesisDocument.decode(
                    Data(try InputFile.read(genesisFile.path, "genesis", limit: 64 << 20)))
            } catch {
                throw NodeHomeError.unusable(genesisFile.path, "\(error)")
            }
            guard genesis.masternodes.count == founders ?? masternodes else {
                throw DevnetError.otherSize(folder.path, found: genesis.masternodes.count, wanted: masternodes)
            }
            // A masternode that runs on its own keeps its configuration as it is.
            for index in 0..<masternodes { _ = try HomeLock(home(index).folder) }
            try writeConfigurations(try keys())
            return genesis
        }
        try files.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let passphrase = try makePassphrase()
        var allocations = extra
        let directory = KeyDirectory(path: keysFolder.path)
        for name in accounts + (faucet ? [Self.faucet] : []) {
            progress("key of account \(name)")
            let key = PrivateKey.generate()
            if try !directory.contains(name) {
                try directory.save(key, purpose: "account", passphrase: passphrase, as: name)
            }
            let keystore = try directory.load(name)
            guard let publicKey = PublicKey(hex: keystore.publicKey) else { continue }
            allocations.append(.init(account: Account(publicKey), balance: Self.accountBalance))
        }
        var members: [Masternode] = []
        for index in 0..<masternodes {
            progress("keys of masternode \(index)")
            let member = try NodeKeys.create(in: home(index), name: "node\(index)", passphrase: passphrase)
            members.append(member)
            allocations.append(.init(account: member.owner, balance: Self.accountBalance))
        }
        let now = UInt64(Date().timeIntervalSince1970 * 1_000)
        let genesis = try Genesis(
            chainName: chainName, time: Time(now), parameters: parameters,
            masternodes: MasternodeSet(Array(members.prefix(founders ?? masternodes))),
            allocations: allocations)
        for index in 0..<masternodes { try home(index).write(genesis) }
        try writeConfigurations(members.map(\.consensusKey))
        // Last: a folder with a genesis is a complete one.
        try GenesisDocument(genesis).encoded().write(to: genesisFile, options: .atomic)
        return genesis
    }

    /// The masternodes' consensus keys, by their public parts.
    private func keys() throws -> [PublicKey] {
        try (0..<masternodes).map { index in
            let keystore = try KeyDirectory(path: home(index).keysFolder.path).load(NodeKeyNames.consensus)
            guard let key = PublicKey(hex: keystore.publicKey) else {
                throw DevnetError.cannotRead(home(index).keysFolder.path)
            }
            return key
        }
    }

    private func writeConfigurations(_ keys: [PublicKey]) throws {
        for index in 0..<masternodes {
            let others = (0..<masternodes).filter { $0 != index }
            try home(index).write(
                NodeConfiguration(
                    name: "node\(index)", api: .init(host: hosts[index], port: apiPorts[index]),
                    peer: .init(host: hosts[index], port: peerPorts[index]),
                    peers: others.map {
                        .init(
                            name: "node\($0)", host: hosts[$0], port: peerPorts[$0],
                            consensusKey: keys[$0].hex)
                    }))
        }
    }

    private func makePassphrase() throws -> Passphrase {
        if !FileManager.default.fileExists(atPath: passphraseFile.path) {
            var generator = SystemRandomNumberGenerator()
            let secret = (0..<24).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let text = secret.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            guard
                FileManager.default.createFile(
                    atPath: passphraseFile.path, contents: Data((text + "\n").utf8),
                    attributes: [.posixPermissions: 0o600])
            else { throw DevnetError.cannotWrite(passphraseFile.path) }
        }
        return try Passphrase(file: passphraseFile.path)
    }

    /// What runs masternode `index`.
    public struct Command: Sendable {
        public let program: URL
        public let arguments: [String]
        public let environment: [String: String]
        public let logFile: URL
    }

    public func command(_ index: Int, arguments: [String] = []) throws -> Command {
        let home = home(index).folder
        return Command(
            program: try programs?.appending(path: "chaind") ?? Programs.url("chaind"),
            arguments: ["--home", home.path, "--masternode"] + arguments,
            environment: [KeyFiles.passphraseFileVariable: passphraseFile.path], logFile: home.appending(path: "log"))
    }

    /// Starts masternode `index` as a process of its own.
    public func start(_ index: Int, arguments: [String] = []) throws -> ChildProcess {
        let command = try command(index, arguments: arguments)
        return try ChildProcess(
            name: "node\(index)", program: command.program, arguments: command.arguments, logFile: command.logFile,
            environment: command.environment)
    }
}

public enum DevnetError: Error, CustomStringConvertible {
    case otherSize(String, found: Int, wanted: Int)
    case cannotWrite(String)
    case cannotRead(String)

    public var description: String {
        switch self {
        case .otherSize(let folder, let found, let wanted):
            "\(folder) holds a network of \(found) masternodes, not \(wanted): name that number, or another --home"
        case .cannotRead(let path): "\(path) holds no usable consensus key"
        case .cannotWrite(let path): "\(path) can't be written: check the folder's permissions and space"
        }
    }
}
