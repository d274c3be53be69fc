import ArgumentParser
import ChainBench

/// Microseconds of processor time that each step takes for one transaction: plain records by many senders, in blocks that
/// are executed by the ledger and written to a synced store, as a node does it, with neither network nor consensus.
@main struct Pipeline: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pipeline", abstract: "Measures each step of a transaction's way through a node.",
        usage: "scripts/bench-pipeline --blocks 40")

    @Option(help: "Blocks.") var blocks = 30
    @Option(help: "Transactions in a block.") var transactions = 1_000
    @Option(help: "Accounts that send.") var senders = 256
    @Option(help: "Bytes of a transaction's data.") var data = 44

    func validate() throws {
        guard (1...10_000).contains(blocks), (1...10_000).contains(transactions), (1...100_000).contains(senders),
            (0...60_000).contains(data)
        else { throw ValidationError("--blocks, --transactions and --senders are at least 1") }
    }

    func run() throws {
        var steps = Steps()
        let chain = try PipelineChain(senders: senders)
        for _ in 0..<blocks { try chain.block(of: transactions, data: data, &steps) }
        print("\(blocks) blocks of \(transactions) transactions by \(senders) senders; us of processor time a transaction")
        print(steps.text(transactions: blocks * transactions))
    }
}
