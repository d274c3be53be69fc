import ArgumentParser
import Cryptography
import Foundation
import Node
import Primitives

struct Initialise: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make the keys and the configuration of a new node.",
        discussion: """
            Prints what 'chaind genesis' needs to know of a masternode. Keys that are there stay as they are.

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
    @Option(help: "HOST:PORT of a node of the network to find the others through; may be repeated.") var seed: [String] = []
    @Option(help: "HOST:PORT at which others reach this node, where that is not --peer-host and --peer-port.")
    var advertise: String?
    @Option(help: "A genesis.json to copy into the home.") var genesis: String?
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
            if let genesis {
                try home.write(try GenesisDocument.decode(try Data(contentsOf: URL(filePath: genesis))))
            }
            try MemberDocument(member).print()
        }
    }
}

/// What a masternode's operator hands to whoever makes the genesis.
struct MemberDocument: Codable {
    let name: String
    let consensusKey: String
    let owner: String
    let beaconTip: String

    init(_ member: Masternode) {
        name = member.name
        consensusKey = member.consensusKey.hex
        owner = member.owner.description
        beaconTip = member.beaconTip.hex
    }

    func masternode() throws -> Masternode {
        guard let key = PublicKey(hex: consensusKey) else {
            throw GenesisError.invalid("consensusKey '\(consensusKey)' is not 64 hexadecimal digits")
        }
        guard let tip = Digest(hex: beaconTip) else {
            throw GenesisError.invalid("beaconTip '\(beaconTip)' is not 64 hexadecimal digits")
        }
        return Masternode(name: name, consensusKey: key, owner: try Account(address: owner), beaconTip: tip)
    }

    func print() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        Swift.print(String(decoding: try encoder.encode(self), as: UTF8.self))
    }
}
