import APIModel
import ArgumentParser
import ChainClient
import Primitives

struct BlockCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "block", abstract: "Show a finalised block.",
        discussion: "Examples: chain-cli block latest; chain-cli block 42 --receipts")

    @Argument(help: ArgumentHelp("Height, or 'latest'.", valueName: "height"))
    var height: String = "latest"

    @Flag(help: "Show what became of its transactions and of the calls that were due at its end.")
    var receipts = false

    @OptionGroup var global: GlobalOptions

    struct Document: Encodable {
        let block: BlockDocument
        let receipts: [ReceiptDocument]
    }

    func run() async throws {
        var wanted: Height?
        if height != "latest" {
            guard let value = UInt64(height) else { throw UsageError("'\(height)' is neither a height nor 'latest'") }
            wanted = Height(value)
        }
        let client = try global.client()
        guard let block = try await client.block(at: wanted) else {
            throw Refused(
                "unknown_block",
                wanted == .zero
                    ? "height 0 is the genesis, which has no block" : "the node has no finalised block \(height) yet")
        }
        guard receipts else { return global.show(block, text(block, outcomes: [:])) }
        let found = try await client.receipts(at: Height(block.height))?.receipts ?? []
        var outcomes: [TransactionId: String] = [:]
        for receipt in found {
            if let id = receipt.transaction?.wrappedValue { outcomes[id] = Format.outcome(receipt.outcome) }
        }
        var scheduled = Table([.left("scheduled call of"), .right("gas"), .right("events"), .left("outcome")])
        for receipt in found {
            guard let call = receipt.scheduled else { continue }
            scheduled.add(
                call.contract.description, Format.number(receipt.gasUsed), "\(receipt.events.count)",
                Format.outcome(receipt.outcome))
        }
        global.show(
            Document(block: block, receipts: found),
            text(block, outcomes: outcomes) + "\n\n" + scheduled.text(none: "no scheduled calls"))
    }

    private func text(_ block: BlockDocument, outcomes: [TransactionId: String]) -> String {
        var table = Table([
            .left("transaction"), .left("sender"), .right("seq"), .left("action"), .left("service"), .left("post"),
            .left(outcomes.isEmpty ? "" : "outcome"),
        ])
        for transaction in block.transactions {
            table.add(
                transaction.id.hex, transaction.sender.short, "\(transaction.sequence)", transaction.action,
                Format.label(transaction.serviceId), Format.label(transaction.postId), outcomes[transaction.id] ?? "")
        }
        let header = facts([
            ("height", Format.number(block.height)), ("digest", block.digest.hex), ("parent", block.parent.hex),
            ("time", Format.time(block.time)),
            ("proposer", "masternode \(block.proposer), epoch \(block.epoch), view \(block.view)"),
            (
                "finalised by",
                block.finalizedBy.map { "masternodes " + $0.map(String.init).joined(separator: ", ") }
                    ?? "a later block"
            ),
            ("state root before", block.stateRoot.hex), ("size", Format.number(block.bytes) + " bytes"),
        ])
        return header + "\n\n" + table.text(none: "no transactions")
    }
}
