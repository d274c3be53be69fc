import Foundation
import Training

extension Laboratory {
    /// The result of a run: the one that was kept, or a new one, which is then kept.
    func result<Result: Codable>(_ name: String, _ make: () throws -> Result) throws -> Result {
        if let bytes = try store.load(name), let result = try? JSONDecoder().decode(Result.self, from: Data(bytes)) {
            return result
        }
        let result = try make()
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        try store.save(name, Array(try encoder.encode(result)))
        return result
    }
}

/// One point of a curve: after an epoch or a round.
public struct TrainingPoint: Codable, Sendable, Equatable {
    public let epoch: Int
    /// On test samples, 0 to 1.
    public let accuracy: Double
    /// On test samples.
    public let loss: Double
    /// The mean loss of the epoch's steps.
    public let trainingLoss: Double
}

public struct ExperimentError: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

extension JobSeed {
    /// The seed of run `index` of a series.
    static func run(_ index: Int) -> JobSeed {
        var bytes = Array("edgeproof/paper-run/1".utf8)
        bytes += (0..<8).map { UInt8(truncatingIfNeeded: index >> (8 * $0)) }
        bytes += Array(repeating: 0, count: max(0, 32 - bytes.count))
        return JobSeed(Array(bytes.prefix(32))) ?? .zero
    }
}
