import ArgumentParser
import ChainClient
import Cryptography
import Foundation
import Primitives
import ProgramSupport
import Training
import WorkerRuntime

struct Evaluate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Test a model that a job has made on images that nobody trained on.",
        discussion: """
            With --job the file is compared with the model that the chain names: ends with 1 if it is another.

            Example: chain-worker evaluate --model digits.safetensors --data ~/mnist --job digits
            """)

    @Option(help: "The file that the cloud wrote.") var model: String
    @Option(help: "Folder with images of the model's kind.") var data: String
    @Option(help: "train or test; the test part where it is absent.") var part: ImageFiles.Part?
    @Option(help: "Use the first images only.") var samples: Int?
    @Option(help: "The job that has made it, to be asked for the digest of its accepted model.") var job: String?
    @Option(help: "URL of a node's API; may be repeated, for when one is down.") var node: [String] = []
    @Flag(help: "Print one JSON document.") var json = false

    func validate() throws {
        if let job, ServiceId(job) == nil || job.isEmpty { throw ValidationError("--job takes 1 to 32 bytes") }
        if let samples, samples < 1 { throw ValidationError("--samples takes a number from 1 on") }
        if job == nil, !node.isEmpty { throw ValidationError("--node is asked for the job's model: give --job, too") }
    }

    private struct Report: Encodable {
        let accuracy: Double
        let loss: Double
        let samples: Int
        let checkpoint: String
        /// Of the job's accepted model, where a job was named.
        var chainCheckpoint: String?
        var isChainCheckpoint: Bool?
    }

    /// The job's plan, which says how images become numbers, and its accepted model.
    private func onTheChain() async throws -> (plan: TrainingPlan?, checkpoint: Digest?) {
        guard let job, let service = ServiceId(job) else { return (nil, nil) }
        let client = ChainClient(nodes: try Nodes.find(node))
        do {
            let status = try await client.jobStatus(service)
            try await client.shutdown()
            return (try TrainingPlan(checking: status.spec.plan), status.checkpoint)
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    func run() async throws {
        do {
            let checkpoint = try ModelFile.read(URL(filePath: FilePath.expanded(model)))
            let source = ImageSource(folder: FilePath.expanded(data), part: part ?? .test, limit: samples)
            let (plan, expected) = try await onTheChain()
            let result = try checkpoint.evaluate(on: source, plan: plan)
            var report = Report(
                accuracy: result.accuracy, loss: result.meanLoss, samples: result.samples,
                checkpoint: checkpoint.digest.hex)
            if let expected {
                report.chainCheckpoint = expected.hex
                report.isChainCheckpoint = expected == checkpoint.digest
            }
            if json {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
                print(String(decoding: try encoder.encode(report), as: UTF8.self))
            } else {
                print(
                    String(
                        format: "accuracy %.2f%%  loss %.4f  on %d images", result.accuracy * 100, result.meanLoss,
                        result.samples))
                print("checkpoint \(report.checkpoint)")
                if report.isChainCheckpoint == true { print("it is the accepted model of the job '\(job ?? "")'") }
            }
            if report.isChainCheckpoint == false {
                throw WorkerError.otherModel(job ?? "", report.chainCheckpoint ?? "")
            }
        } catch {
            throw Failure.told(error)
        }
    }
}
