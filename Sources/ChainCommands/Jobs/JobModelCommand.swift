import APIModel
import ArgumentParser
import ChainClient
import Cryptography
import Foundation
import JobProtocol
import Primitives
import Training

extension JobCommand {
    struct Model: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say which model a job has made and where it is, and whether a file is that model.",
            discussion: """
                The chain holds the digest of every accepted model, never the model: that is with the cloud, which wrote \
                it to its --model file, and with the workers while they run. With a file: which round's model it is; \
                ends with 1 where it is none that the chain names.

                Examples: chain-cli job model digits
                          chain-cli job model digits digits.safetensors
                """)

        @Argument(help: "Name of the job.") var job: String
        @Argument(help: "A safetensors file, as 'chain-worker run --model' writes it.") var file: String?
        @OptionGroup var global: GlobalOptions

        struct Document: Encodable {
            /// Absent before the first accepted round.
            let checkpoint: String?
            let round: UInt32?
            let best: Best?
            let clouds: [Cloud]
            let file: File?
        }

        struct Best: Encodable {
            let round: UInt32
            @HexText var checkpoint: Digest
            @DecimalText var metricMicro: UInt64
        }

        struct Cloud: Encodable {
            @AddressText var account: Account
            let standing: String
            let endpoint: String
        }

        struct File: Encodable {
            @HexText var checkpoint: Digest
            let isLast: Bool
            /// The round whose accepted model it is, of those that the contract still keeps.
            let round: UInt32?
        }

        func run() async throws {
            let name = try Arguments.service(job)
            let known: SavedModel? = try file.map { path in
                let bytes = try InputFileReader.model(path)
                do { return try SavedModel(file: bytes) } catch {
                    throw UsageError("\(path) is no model as 'chain-worker run --model' writes it: \(error)")
                }
            }
            let client = try global.client()
            let (_, status) = try await Jobs.running(name, client)
            let rounds = try await client.jobHistory(name).filter { $0.outcome == .accepted }
            let clouds = try await client.jobParticipants(name).filter { $0.role == .cloud }
            let last = status.checkpoint == .zero ? nil : status.checkpoint
            let best = rounds.max { ($0.metricMicro, $0.round) < ($1.metricMicro, $1.round) }
            let found = known.map { model in
                File(
                    checkpoint: model.digest, isLast: model.digest == last,
                    round: rounds.last { $0.checkpoint == model.digest }?.round)
            }
            let document = Document(
                checkpoint: last?.hex, round: rounds.last { $0.checkpoint == last }?.round,
                best: best.map { Best(round: $0.round, checkpoint: $0.checkpoint, metricMicro: $0.metricMicro) },
                clouds: clouds.map {
                    Cloud(account: $0.account, standing: $0.standing.description, endpoint: $0.endpoint)
                },
                file: found)
            global.show(document, text(document))
            if let found, !found.isLast, found.round == nil {
                throw Refused(
                    "other_model",
                    "\(file ?? "") holds the model \(found.checkpoint), which is not the accepted one of the job '\(job)', nor that of one of its last \(JobHistory.limit) rounds"
                )
            }
        }

        private func text(_ document: Document) -> String {
            guard let last = document.checkpoint else {
                return "no model yet: it appears with the first accepted round"
            }
            var pairs: [(String, String?)] = [
                ("accepted model", last), ("of round", document.round.map { "\($0)" }),
                (
                    "best",
                    document.best.map {
                        $0.checkpoint.hex == last
                            ? "the same, \(Format.percent(micro: $0.metricMicro))"
                            : "\($0.checkpoint) of round \($0.round), \(Format.percent(micro: $0.metricMicro))"
                    }
                ),
            ]
            for cloud in document.clouds {
                pairs.append(
                    ("with", "the cloud \(cloud.account) (\(cloud.standing)), in the file that its --model named"))
            }
            if let file = document.file {
                pairs.append(
                    (
                        "the file",
                        file.isLast
                            ? "is the accepted model"
                            : file.round.map { "is the model of round \($0), not the last accepted one" }
                                ?? "is another model: \(file.checkpoint)"
                    ))
            }
            return facts(pairs)
                + (document.file == nil
                    ? "\n\ntest it with: chain-worker evaluate --job \(job) --model FILE --data DIR" : "")
        }
    }
}

/// Files of models are larger than anything else that commands read.
private enum InputFileReader {
    static func model(_ path: String) throws -> [UInt8] { try Arguments.file(path, limit: 1 << 30) }
}
