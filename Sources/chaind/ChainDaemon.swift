import ArgumentParser
import CommandSupport
import ProgramSupport

struct ChainDaemon: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chaind",
        abstract: "Runs a node of an Edgeproof chain.",
        discussion: """
            A masternode validates and proposes blocks; without --masternode the node follows the chain and serves its API.

            Examples:
              chaind devnet --masternodes 4 --home ~/devnet     a network to play with
              chaind init --home ~/node --name fog-7            keys and configuration of a new node
              chaind --home ~/node --masternode                 run it
            """,
        version: Product.version,
        subcommands: [Run.self, Initialise.self, MakeGenesis.self, Devnet.self, Verify.self, MakeChain.self],
        defaultSubcommand: Run.self)
}

@main
enum Program {
    static func main() async { await Commands.main(ChainDaemon.self, explain: Failure.ending) }
}
