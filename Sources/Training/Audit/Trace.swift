public import Cryptography
import Primitives
import Synchronization
import Tensor

/// A step's intermediate values as a tree of digests (``Dispute``): step, then layer, then sample. Two honest machines
/// make the same tree, bit for bit, so two trees that differ can be compared from the top down to one computation.
///
/// A leaf is SHA-256 of "edgeproof/value/1" and the value's bytes: of one sample in one layer, of one parameter tensor,
/// of a batch's labels. Long lists are cut into parts of ``mostChildren``.
public struct TraceNode: Sendable, Equatable {
    /// One less than a list may have: the top list ends with the step's commitment.
    public static let mostChildren = Dispute.longestList - 1

    public let digest: Digest
    public let children: [TraceNode]

    public init(leaf digest: Digest) {
        self.digest = digest
        children = []
    }

    public init(value bytes: [UInt8]) { self.init(leaf: Digest(domain: "edgeproof/value/1", parts: bytes)) }

    /// An inner node.
    public init(_ children: [TraceNode]) {
        let children = Self.grouped(children)
        self.children = children
        digest = Dispute.node(children.map(\.digest))
    }

    /// The same in order, and few enough for one list.
    static func grouped(_ nodes: [TraceNode]) -> [TraceNode] {
        var nodes = nodes
        while nodes.count > mostChildren {
            nodes = stride(from: 0, to: nodes.count, by: mostChildren).map { start in
                let part = Array(nodes[start..<min(start + mostChildren, nodes.count)])
                return part.count == 1 ? part[0] : TraceNode(part)
            }
        }
        return nodes
    }

    /// A batch: a leaf for each sample.
    init(_ tensor: FloatTensor) { self.init(values: tensor.elements, each: tensor.stride) }

    init(values: [Float], each size: Int) {
        self.init(
            stride(from: 0, to: values.count, by: max(1, size)).map { start in
                TraceNode(value: Array(values[start..<min(start + max(1, size), values.count)]).littleEndianBytes)
            })
    }
}

/// The trace of a message: what led to it, and its commitment at the end.
public struct StepTrace: Sendable, Equatable {
    public let steps: [TraceNode]
    public let commitment: Digest

    public init(steps: [TraceNode], commitment: Digest) {
        self.steps = TraceNode.grouped(steps)
        self.commitment = commitment
    }

    /// The list of digests below the place that a path names; nil where there is nothing below.
    public func list(at path: [UInt16]) -> [Digest]? {
        guard let first = path.first else { return steps.map(\.digest) + [commitment] }
        guard steps.indices.contains(Int(first)) else { return nil }
        var node = steps[Int(first)]
        for place in path.dropFirst() {
            guard node.children.indices.contains(Int(place)) else { return nil }
            node = node.children[Int(place)]
        }
        return node.children.isEmpty ? nil : node.children.map(\.digest)
    }

    /// The same story with another end: what somebody says who has computed this and signed that.
    public func ending(with commitment: Digest) -> StepTrace { StepTrace(steps: steps, commitment: commitment) }
}

/// Takes down what a machine computes, for a ``StepTrace``.
public final class TraceRecorder: Sendable {
    private let state = Mutex<(done: [TraceNode], open: [TraceNode])>(([], []))

    public init() {}

    /// A new step begins.
    func begin() {
        state.withLock {
            if !$0.open.isEmpty { $0.done.append(TraceNode($0.open)) }
            $0.open = []
        }
    }

    func note(_ node: TraceNode) { state.withLock { $0.open.append(node) } }
    func note(_ tensor: FloatTensor) { note(TraceNode(tensor)) }
    func note(labels: [UInt8]) { note(TraceNode(value: labels)) }
    func note(_ values: Blocks, threads: Int) {
        // One that can't be made can't be made anywhere.
        guard
            let tensor = try? values.tensor(
                sample: [values.layout.channels * values.layout.height * values.layout.width], threads: threads)
        else { return }
        note(tensor)
    }
    /// All parameters after a step, a leaf for each tensor, and the velocities.
    func note(parametersOf network: Network) {
        var leaves: [TraceNode] = []
        for values in [network.parameters, network.velocities ?? []] where !values.isEmpty {
            var offset = 0
            for tensor in network.tensors {
                leaves.append(TraceNode(value: Array(values[offset..<offset + tensor.count]).littleEndianBytes))
                offset += tensor.count
            }
        }
        note(TraceNode(leaves))
    }

    /// The steps so far, the one under way included.
    public var steps: [TraceNode] { state.withLock { $0.open.isEmpty ? $0.done : $0.done + [TraceNode($0.open)] } }
}
