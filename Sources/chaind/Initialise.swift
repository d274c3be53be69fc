import ArgumentParser
import Cryptography
import Foundation
import NodeHome
import Primitives

struct Initialise: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make the keys and the configuration of a new node.",
        discussion: """
            Prints what 'chaind genesis' needs to know of a masternode. Keys that are there stay as they are. With \
            --genesis, the network's genesis.json, the description has the consensus key's consent too, and the owner \
            can register the masternode with 'chain-cli masternode register --member fog-7.json'.

            Example: chaind init --home ~/node --name fog-7 > fog-7.json
            """)

    @Option(help: "The folder to make.") var home: String
    @Option(help: "The node's name, for people.") var name: String = "node"
    @Option(help: "The account that holds the collateral (edge1...). Without it an owner key is made in the home.")
    var owner: String?
    @Option(help: "Where the API listens.") var apiPort: Int = NodeConfiguration.defaultAPIPort
    @Option(help: "Where peers connect.") var peerPort: Int = NodeConfiguration.defaultPeerPort
    @Option(help: "Address that peers connect to; 127.0.0.1 keeps the node to this machine.")
    var peerHost: String = "127.0.0.1"
    @Option(help: "The genesis.json of a network that runs: it is copied into the home, and the description gets a consent.")
    var genesis: String?
    @Option(help: "HOST:PORT of a node of the network to find the others through; may be repeated.") var seed: [String] = []
    @Option(help: "HOST:PORT at which others reach this node, where that is not --peer-host and --peer-port.")
    var advertise: String?
    @Option(help: "A file of mode 0600 whose first line encrypts the keys.") var passphraseFile: String?

    func validate() throws {
        if let advertise, NodeConfiguration.Peer(seed: advertise) == nil {
            throw ValidationError("--advertise \(advertise): write HOST:PORT")
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
        try await Failure.reported {
            let home = NodeHome(home)
            let passphrase = try Secrets.passphrase(home: home, file: passphraseFile, confirm: true)
            let network = try genesis.map {
                try GenesisDocument.decode(try Data(contentsOf: URL(filePath: $0)))
            }
            let member = try NodeKeys.create(
                in: home, name: name, passphrase: passphrase, owner: try owner.map { try Account(address: $0) })
            if !FileManager.default.fileExists(atPath: home.configurationFile.path) {
                var configuration = NodeConfiguration.loopback(name: name)
                configuration.api.port = apiPort
                configuration.peer = .init(host: peerHost, port: peerPort)
                configuration.peers = try seeds()
                configuration.advertise = advertise
                try home.write(configuration)
            }
            var document = MemberDocument(member)
            if let network {
                try home.write(network)
                let keys = try NodeKeys(opening: home, passphrase: passphrase)
                document = MemberDocument(
                    try RegisterMasternode(member, signing: keys.consensus, genesis: network.hash), owner: member.owner)
            }
            print(String(decoding: try document.encoded(), as: UTF8.self))
        }
    }
}
