import Foundation
import Testing
import Training

/// MNIST is not part of the repository: `MNIST_DIR`, or a data folder beside it.
private func mnistFile(_ name: String) -> [UInt8]? {
    let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    let folder = ProcessInfo.processInfo.environment["MNIST_DIR"].map { URL(filePath: $0) }
        ?? package.appending(path: "../shared/data/mnist").standardizedFileURL
    for suffix in ["", ".gz"] {
        if let data = try? Data(contentsOf: folder.appending(path: name + suffix)) { return Array(data) }
    }
    return nil
}

private func mnist(_ part: String) throws -> Dataset? {
    guard let images = mnistFile("\(part)-images-idx3-ubyte"), let labels = mnistFile("\(part)-labels-idx1-ubyte")
    else { return nil }
    return try Dataset(idxImages: images, idxLabels: labels)
}

@Suite(.enabled(if: mnistFile("t10k-labels-idx1-ubyte") != nil, "MNIST is not at hand"), .timeLimit(.minutes(20)))
struct MNISTTests {
    /// Two edges, 64 samples a step in all, 10,240 in the whole.
    @Test func splitTrainingLearnsDigits() throws {
        let training = try #require(try mnist("train"))
        let held = try #require(try mnist("t10k"))
        #expect(training.count == 60_000)
        let shards = [try training.shard(0, of: 2), try training.shard(1, of: 2)]
        var split = SplitDriver(checkpoint: try .initial(seed: testSeed), shards: shards)
        for round in 0..<8 as Range<UInt32> {
            _ = try split.run(testPlan(round: round, steps: 20, batchSize: 32))
        }
        let evaluation = try split.checkpoint.evaluate(on: held)
        #expect(evaluation.accuracy >= 0.9, "\(evaluation)")
    }
}
