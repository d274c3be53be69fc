import ArgumentParser
import CommandSupport
import Cryptography
import Foundation
import NodeHome
import Primitives

struct Initialise: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make the keys and the configuration of a new node.",
        discussion: """
            Prints what 'chaind genesis' needs to know of a masternode. Keys and a configuration that are there stay as \
            they are, and what is printed is what they say; an option that contradicts them is refused. With --genesis, \
            the network's genesis.json, the description has the consensus key's consent too, and the owner can register \
            the masternode with 'chain-cli masternode register --member fog-7.json'.

            Example: chaind init --home ~/node --name fog-7 > fog-7.json
            """)

    @Option(help: "The folder to make.") var home: String
    @Option(help: "The node's name, for people. Default: node.") var name: String?
    @Option(help: "The account that holds the collateral (edge1...). Without it an owner key is made in the home.")
    var owner: String?
    @Option(help: "Where the API listens, 1 to 65535. Default: \(NodeConfiguration.defaultAPIPort).") var apiPort:
        PortNumber?
    @Option(help: "Where peers connect, 1 to 65535. Default: \(NodeConfiguration.defaultPeerPort).") var peerPort:
        PortNumber?
    @Option(help: "Address that peers connect to. Default: 127.0.0.1, which keeps the node to this machine.")
    var peerHost: String?
    @Option(
        help: "The genesis.json of a network that runs: it is copied into the home, and the description gets a consent."
    )
    var genesis: String?
    @Option(help: "HOST:PORT of a node of the network to find the others through; may be repeated.") var seed:
        [String] = []
    @Option(help: "HOST:PORT at which others reach this node, where that is not --peer-host and --peer-port.")
    var advertise: String?
    @Option(help: "A file of mode 0600 whose first line encrypts the keys.") var passphraseFile: String?

    func validate() throws {
        if let advertise, NodeConfiguration.Peer(seed: advertise) == nil {
            throw ValidationError("--advertise \(advertise): write HOST:PORT")
        }
        if let name, name.isEmpty || name.utf8.count > Masternode.longestName {
            throw ValidationError("--name takes 1 to \(Masternode.longestName) bytes")
        }
        _ = try seeds()
    }

    private func seeds() throws -> [NodeConfiguration.Peer] {
        try seed.map { text in
            guard let peer = NodeConfiguration.Peer(seed: text) else {
                throw ValidationError("--seed \(text): write HOST:PORT, an IPv6 address in brackets")
            }
            return peer
        }
    }

    func run() async throws {
        let home = NodeHome(home)
        // What is wrong with the arguments is said before anything is made.
        let network = try genesis.map { try Inputs.genesis($0) }
        let owner = try owner.map { try Inputs.account($0, "--owner") }
        let lock = try HomeLock(home.folder)
        defer { withExtendedLifetime(lock) {} }
        let configuration = try configuration(of: home)
        let passphrase = try Secrets.passphrase(home: home, file: passphraseFile, confirm: true)
        let member = try NodeKeys.create(in: home, name: configuration.name, passphrase: passphrase, owner: owner)
        if !FileManager.default.fileExists(atPath: home.configurationFile.path) { try home.write(configuration) }
        var document = MemberDocument(member)
        if let network {
            try home.write(network)
            let keys = try NodeKeys(opening: home, passphrase: passphrase)
            document = MemberDocument(
                try RegisterMasternode(member, signing: keys.consensus, genesis: network.hash), owner: member.owner)
        }
        print(String(decoding: try document.encoded(), as: UTF8.self))
    }

    /// The home's own, where it has one, else what the options say.
    private func configuration(of home: NodeHome) throws -> NodeConfiguration {
        let configuration = try chosen(home)
        guard configuration.api.port != configuration.peer.port else {
            throw UsageError(
                "--api-port and --peer-port are both \(configuration.api.port): each needs a port of its own")
        }
        return configuration
    }

    private func chosen(_ home: NodeHome) throws -> NodeConfiguration {
        var wanted = NodeConfiguration.loopback(name: name ?? "node")
        wanted.api.port = apiPort?.number ?? wanted.api.port
        wanted.peer.port = peerPort?.number ?? wanted.peer.port
        wanted.peer.host = peerHost ?? wanted.peer.host
        wanted.peers = try seeds()
        wanted.advertise = advertise
        guard FileManager.default.fileExists(atPath: home.configurationFile.path) else { return wanted }
        let found = try home.configuration()
        let contradicted: [(String, Bool)] = [
            ("--name", name.map { $0 != found.name } ?? false),
            ("--api-port", apiPort.map { $0.number != found.api.port } ?? false),
            ("--peer-port", peerPort.map { $0.number != found.peer.port } ?? false),
            ("--peer-host", peerHost.map { $0 != found.peer.host } ?? false),
            ("--seed", !seed.isEmpty && wanted.peers != found.peers),
            ("--advertise", advertise != nil && advertise != found.advertise),
        ]
        let options = contradicted.filter(\.1).map(\.0)
        guard options.isEmpty else {
            throw UsageError(
                "\(home.folder.path) is the home of '\(found.name)' already, and its config.json says something else than "
                    + "\(options.joined(separator: ", ")): change it there, or name another --home")
        }
        return found
    }
}
