import ArgumentParser
import Foundation
import ModelFiles
import Tensor
import Training

/// Training steps of one model on random data, timed one by one. `scripts/bench-tensor` runs it beside PyTorch.
@main struct TensorBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tensor",
        abstract: "Time forward, backward and step of a model; prints one JSON document.",
        discussion: "Example: tensor --model Models/lenet5.yaml --threads 2 --steps 100")

    @Option(help: "A model file.") var model: String
    @Option(help: "Samples in a step.") var batch = 64
    @Option(help: "Threads.") var threads = 1
    @Option(help: "Timed steps; a tenth as many, at least two, warm up before.") var steps = 20
    @Option(help: "Momentum; 0 is plain SGD.") var momentum: Float = 0
    @Option(help: "Instruction set: scalar, avx2 or avx512. The widest that the processor has if not given.")
    var set: String?

    struct Report: Encodable {
        let set: String
        /// Milliseconds of each step, and processor time of all threads together.
        let wall: [Double]
        let processor: [Double]
    }

    func validate() throws {
        guard batch >= 1, threads >= 1, steps >= 1 else { throw ValidationError("sizes must be at least 1") }
        guard set == nil || Self.sets[set ?? ""] != nil else { throw ValidationError("no set '\(set ?? "")'") }
    }

    private static let sets = ["scalar": InstructionSet.scalar, "avx2": .avx2, "avx512": .avx512]

    func run() throws {
        let spec = try ModelFile.read(String(contentsOfFile: model, encoding: .utf8))
        let chosen = Self.sets[set ?? ""] ?? .widest
        guard chosen.rawValue <= InstructionSet.widest.rawValue else {
            throw ValidationError("this processor has no \(chosen)")
        }
        let report = try InstructionSet.$current.withValue(chosen) { try measure(spec) }
        print(String(decoding: try JSONEncoder().encode(report), as: UTF8.self))
    }

    private func measure(_ spec: ModelSpec) throws -> Report {
        var network = try Network(spec, seed: .zero, hasMomentum: momentum > 0)
        let optimiser = try MomentumSGD(learningRate: 0.001, momentum: momentum)
        var stream = RandomStream(key: 1)
        let shape = [batch] + spec.input
        let input = try FloatTensor(
            shape: shape, elements: (0..<(try FloatTensor.count(of: shape))).map { _ in stream.nextUnit() * 2 - 1 })
        let labels = (0..<batch).map { UInt8($0 % spec.classes) }
        var (wall, processor): ([Double], [Double]) = ([], [])
        for step in -max(2, steps / 10)..<steps {
            let start = (ContinuousClock.now, Self.processorTime())
            _ = try network.train(input, labels: labels, optimiser: optimiser, threads: threads)
            let time = ContinuousClock.now - start.0
            guard step >= 0 else { continue }
            wall.append(Double(time.components.seconds) * 1e3 + Double(time.components.attoseconds) / 1e15)
            processor.append(Self.processorTime() - start.1)
        }
        return Report(set: "\(InstructionSet.current)", wall: wall, processor: processor)
    }

    private static func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) / 1e6
    }
}
