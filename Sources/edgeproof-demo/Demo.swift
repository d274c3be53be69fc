import ArgumentParser
import CommandSupport
import Foundation
import ProgramSupport

@main
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edgeproof-demo",
        abstract: "Runs the main job end to end: four masternodes, one cloud, two edges, real digits.",
        discussion: """
            Everything runs on loopback and in --home. 'scripts/demo' prepares what it needs and calls it.

            Example: edgeproof-demo --home .demo --data ~/mnist --contract Contracts/.build/job.wasm
            """,
        version: Product.version)

    @Option(help: "The folder for homes, keys, audits and the report.") var home: String
    @Option(help: "Folder with MNIST, as IDX files or CSV.") var data: String
    @Option(help: "The job contract, built by Contracts/build.") var contract: String
    @Option(help: "Rounds of the job.") var rounds: UInt32 = 30
    @Option(help: "Steps in a round; each edge gives 32 images to a step.") var steps: UInt32 = 16

    func validate() throws {
        // By the job's own bounds; a network would be up before the job is refused.
        guard (1...1_000_000).contains(rounds) else { throw ValidationError("--rounds takes 1 to 1000000") }
        guard steps > 0 else { throw ValidationError("--steps takes a number from 1 on") }
    }

    func run() async throws {
        let run = DemoRun(
            home: URL(filePath: FilePath.expanded(home), directoryHint: .isDirectory), data: FilePath.expanded(data),
            contract: FilePath.expanded(contract), rounds: rounds,
            steps: steps)
        let isDone: Bool
        do { isDone = try await ProgramSupport.untilStopped { try await run.perform() } } catch {
            Console.fail(Ending.text(error))
            throw ExitCode.failure
        }
        if !isDone {
            Console.fail("interrupted; everything that was started is stopped")
            throw ExitCode(130)
        }
    }
}
