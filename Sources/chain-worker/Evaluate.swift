import ArgumentParser
import Foundation
import Training
import WorkerRuntime

struct Evaluate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Test a model that a job has made on images that nobody trained on.",
        discussion: "Example: chain-worker evaluate --model digits.model --data ~/mnist")

    @Option(help: "The file that the cloud wrote.") var model: String
    @Option(help: "Folder with MNIST; its test part is used.") var data: String
    @Option(help: "Use the first images only.") var samples: Int?
    @Flag(help: "Print one JSON document.") var json = false

    private struct Report: Encodable {
        let accuracy: Double
        let loss: Double
        let samples: Int
        let checkpoint: String
    }

    func run() async throws {
        do {
            let checkpoint = try Checkpoint(borsh: Array(try Data(contentsOf: URL(filePath: model))))
            let images = try ImageFiles.load(data, part: .test, limit: samples)
            let result = try checkpoint.evaluate(on: images)
            let report = Report(
                accuracy: result.accuracy, loss: result.meanLoss, samples: result.samples,
                checkpoint: checkpoint.digest.hex)
            if json {
                let encoder = JSONEncoder()
                encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
                print(String(decoding: try encoder.encode(report), as: UTF8.self))
            } else {
                print(String(format: "accuracy %.2f%%  loss %.4f  on %d images", result.accuracy * 100, result.meanLoss, result.samples))
                print("checkpoint \(report.checkpoint)")
            }
        } catch {
            FileHandle.standardError.write(Data("error: \(error)\n".utf8))
            throw ExitCode.failure
        }
    }
}
