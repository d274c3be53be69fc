import ArgumentParser
import CommandSupport
import Foundation
import NodeHome
import NodeHost
import Primitives

/// For scripts/bench-join.
struct MakeChain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "make-chain", abstract: "Make a home with a long chain, to measure with.", shouldDisplay: false)

    @Option(help: "The folder to make.") var home: String
    @Option(help: "How many blocks.") var blocks: UInt64
    @Option(help: "Accounts that send.") var accounts: Int = 300
    @Option(help: "Transactions in a block.") var transactions: Int = 3
    @Option(help: "Where the API listens.") var apiPort: Int = NodeConfiguration.defaultAPIPort
    @Option(help: "Where peers connect.") var peerPort: Int = NodeConfiguration.defaultPeerPort

    func validate() throws {
        guard blocks > 0, accounts > 0, transactions >= 0 else { throw ValidationError("make at least one block") }
    }

    func run() async throws {
        let home = NodeHome(home)
        var configuration = NodeConfiguration.loopback(name: "generated")
        configuration.api.port = apiPort
        configuration.peer.port = peerPort
        try home.write(configuration)
        var plan = ChainGenerator.Plan(blocks: blocks)
        plan.accounts = accounts
        plan.transactionsPerBlock = transactions
        var generator = try ChainGenerator(plan, now: Time(UInt64(Date().timeIntervalSince1970 * 1_000)))
        let head = try generator.run(home: home) { height in
            Progress.show("block \(height) of \(blocks)", isLast: false)
        }
        Progress.show("block \(head.height) of \(blocks)", isLast: true)
        print("\(head.height):\(head.digest)")
    }
}
