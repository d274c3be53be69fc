import ArgumentParser
import Foundation
import KeyFiles
import Logging
import NodeHome
import PeerNetwork
import ProgramSupport

/// # ByzantineNode
///
/// A masternode that lies, for end-to-end tests; no part of the product. It is started with the home of a real
/// masternode (keys, genesis, configuration) in the place of `chaind`, connects as that masternode, and contradicts
/// itself in every view: see ``Liar``. It serves no API, keeps no chain and never stops lying.
@main
struct ByzantineNode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Play a masternode that sends conflicting votes. For tests only: on a real chain this loses collateral.")

    @Option(help: "The home of the masternode to play.") var home: String

    func run() async throws {
        let home = NodeHome(home)
        let logger = Logger(label: "byzantine") { StreamLogHandler.standardError(label: $0) }
        let passphrase = try Passphrase.find(for: home.keysFolder.path)
        try await ProgramSupport.untilStopped {
            let genesis = try home.genesis()
            let key = try NodeKeys(opening: home, passphrase: passphrase).consensus
            guard let index = genesis.masternodes.index(of: key.publicKey) else {
                throw ValidationError("the genesis has no masternode with this home's consensus key")
            }
            let network = try PeerNetwork(configuration: try home.peers(genesis, key), logger: logger)
            let liar = Liar(key: key, index: index, genesis: genesis.hash)
            do {
                try await network.start()
                logger.info("lying as masternode \(index)")
                await LyingNode(liar: liar, network: network, members: genesis.masternodes, logger: logger).run()
                await network.shutdown()
            } catch {
                await network.shutdown()
                throw error
            }
        }
    }
}
