import ArgumentParser
import Foundation
import ModelFiles
import Training

extension JobCommand {
    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check",
            abstract: "Say what a job will take, before any money is spent.",
            discussion: """
                Reads the specification, measures a step of its model on this machine, and prints for each role its \
                parameters, memory, bytes and time a round, and the privacy budget. Ends with 1 if a deadline can't be \
                met or the budget does not last. No node is asked.

                Example: chain-cli job check digits.yaml --threads 2
                """)

        @Argument(help: "The specification, a YAML file.") var spec: String
        @Option(help: "Samples of each worker; decides a fog round's steps and the privacy budget.") var samples =
            10_000
        @Option(help: "Threads of each worker.") var threads = 1
        @OptionGroup var global: GlobalOptions

        func validate() throws {
            guard (1...1 << 24).contains(samples) else { throw ValidationError("--samples takes 1 to 16,777,216") }
            guard (1...64).contains(threads) else { throw ValidationError("--threads takes 1 to 64") }
            try global.refuseNodes()
        }

        func run() async throws {
            let text = String(decoding: try Arguments.file(spec, limit: 65_536), as: UTF8.self)
            let file = try JobSpecFile(yaml: text) { try global.account($0) }
            let forecast = try await Progress.during("measuring a step of the model") {
                try JobForecast(file.spec, file.plan, samples: samples) { part, batch in
                    try ModelTiming.trainingStep(
                        file.plan.model, part: part, batch: batch, hasMomentum: file.plan.momentum > 0, threads: threads
                    )
                }
            }
            global.show(forecast, forecast.text)
            if !forecast.problems.isEmpty { throw UnworkableJob() }
        }
    }
}

/// The job as specified can't be done in its times or its budget; what is wrong was printed.
struct UnworkableJob: Error, CustomStringConvertible {
    let description = "the job cannot work as it is specified"
}
