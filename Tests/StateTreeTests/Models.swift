import TestSupport
import Cryptography
import StateTree

/// Stored nodes in memory.
struct MemoryTree: NodeReader, Equatable {
    var nodes: [NodeKey: [UInt8]] = [:]
    private(set) var pairs: [Digest: Digest] = [:]

    func node(_ key: NodeKey) -> [UInt8]? { nodes[key] }

    @discardableResult
    mutating func update(_ changes: [(path: Digest, valueHash: Digest?)]) throws -> TreeUpdate {
        let update = try StateTree.update(reader: self, changes: changes)
        for (key, bytes) in update.puts { nodes[key] = bytes }
        for key in update.removals { nodes[key] = nil }
        for change in changes { pairs[change.path] = change.valueHash }
        return update
    }
}

/// The definition of the tree, word for word and slow.
func modelRoot(_ pairs: [(path: Digest, valueHash: Digest)], depth: Int = 0) -> Digest {
    guard let first = pairs.first else { return Digest(domain: "edgeproof/state-empty/1") }
    if pairs.count == 1 {
        return Digest(domain: "edgeproof/state-leaf/1", parts: first.path.bytes, first.valueHash.bytes)
    }
    let left = modelRoot(pairs.filter { !$0.path.bit(depth) }, depth: depth + 1)
    let right = modelRoot(pairs.filter { $0.path.bit(depth) }, depth: depth + 1)
    return Digest(domain: "edgeproof/state-inner/1", parts: left.bytes, right.bytes)
}

extension MemoryTree {
    var modelRoot: Digest { StateTreeTests.modelRoot(pairs.map { ($0.key, $0.value) }) }
}

extension Digest {
    func flipped(_ bit: Int) -> Digest {
        var changed = bytes
        changed[bit / 8] ^= 0x80 >> UInt8(bit % 8)
        return Digest(changed) ?? .zero
    }
}

extension SeededGenerator {
    mutating func digest() -> Digest { Digest(bytes(32)) ?? .zero }

    /// A path that is new, or one of the known with one bit changed (so that long prefixes are shared), or a known one.
    mutating func path(near known: [Digest]) -> Digest {
        guard !known.isEmpty else { return digest() }
        let base = known[below(known.count)]
        switch below(4) {
        case 0: return digest()
        case 1: return base.flipped(below(256))
        default: return base
        }
    }

    mutating func shuffled<Element>(_ elements: [Element]) -> [Element] {
        var result = elements
        for last in stride(from: result.count - 1, to: 0, by: -1) { result.swapAt(last, below(last + 1)) }
        return result
    }
}
