import ArgumentParser
import CommandSupport
import ProgramSupport

struct ChainWorker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chain-worker",
        abstract: "Works for a training job that an Edgeproof chain schedules.",
        discussion: """
            Example: chain-worker run --job digits --role edge --data ~/mnist --shard 0/2 --key edge-1
            """,
        version: Product.version,
        subcommands: [Run.self, Evaluate.self])
}

@main
enum Program {
    static func main() async { await Commands.main(ChainWorker.self) }
}
