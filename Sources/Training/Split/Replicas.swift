public import Tensor

/// The baselines of paper A: replicas of the whole model that exchange parameters through a server.
public struct Replicas: Sendable {
    public enum Mode: String, Sendable, CaseIterable {
        /// Each step, the server takes the mean of all gradients.
        case synchronous
        /// The server takes each gradient as it comes; the others computed theirs on older weights. Replicas take turns,
        /// so a gradient is as many steps old as there are other replicas.
        case asynchronous
    }

    public let mode: Mode
    public private(set) var server: Network
    private var copies: [Network]
    private let optimiser: MomentumSGD
    private let threads: Int

    public init(
        mode: Mode, count: Int, network: Network, optimiser: MomentumSGD, threads: Int = 1
    ) {
        self.mode = mode
        server = network
        copies = Array(repeating: network, count: max(count, 1))
        self.optimiser = optimiser
        self.threads = threads
    }

    /// A batch for each replica. Gives the mean loss.
    public mutating func step(_ batches: [(inputs: FloatTensor, labels: [UInt8])]) throws(TrainingError) -> Double {
        guard batches.count == copies.count else { throw .unexpectedEvent("a batch for each replica") }
        var gradients: [[Float]] = []
        var loss = 0.0
        for (index, batch) in batches.enumerated() {
            let (copy, threads) = (copies[index], threads)
            let (gradient, own) = try computing { () throws(TensorError) in
                let pass = try copy.forward(batch.inputs, threads: threads)
                let loss = try SoftmaxCrossEntropy.evaluate(logits: pass.output, labels: batch.labels)
                return (
                    try copy.gradient(pass, outputGradient: loss.gradient, threads: threads).parameters, loss.meanLoss
                )
            }
            loss += own / Double(batches.count)
            switch mode {
            case .synchronous: gradients.append(gradient)
            case .asynchronous:
                do { try server.apply(gradient: gradient, optimiser: optimiser) } catch { throw .tensor(error) }
                copies[index] = server
            }
        }
        if mode == .synchronous {
            do { try server.apply(gradient: RobustMean.mean(gradients), optimiser: optimiser) } catch { throw .tensor(error) }
            for index in copies.indices { copies[index] = server }
        }
        guard loss.isFinite, server.isFinite else { throw .diverged(step: 0) }
        return loss
    }

    /// Bytes that one replica sends and gets in a step: the gradient, and the new weights.
    public var bytesEachStep: Int { 2 * (5 + 4 * server.parameterCount) }
}
