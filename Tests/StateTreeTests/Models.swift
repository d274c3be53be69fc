import TestSupport
import Cryptography
import StateTree

/// Stored pages in memory.
struct MemoryTree: PageReader, Equatable {
    var pages: [NodeKey: [UInt8]] = [:]
    private(set) var pairs: [Digest: Digest] = [:]

    func page(_ key: NodeKey) -> [UInt8]? { pages[key] }

    @discardableResult
    mutating func update(_ changes: [(path: Digest, valueHash: Digest?)]) throws -> TreeUpdate {
        let update = try StateTree.update(reader: self, changes: changes)
        for (key, bytes) in update.puts { pages[key] = bytes }
        for key in update.removals { pages[key] = nil }
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

/// Levels of a page.
private let levels = 3

/// The pages of the tree, from its definition and the form of a page alone.
///
/// - Parameters:
///   - top: depth at which the page begins that the subtree stands in.
///   - pages: takes the pages that begin in the subtree.
/// - Returns: how the page says what stands at the prefix.
private func modelSlot(
    _ pairs: [(path: Digest, valueHash: Digest)], depth: Int, top: Int, _ pages: inout [NodeKey: [UInt8]]
) -> [UInt8] {
    guard let first = pairs.first else { return [0] }
    if pairs.count == 1 { return [1] + first.path.bytes + first.valueHash.bytes }
    if depth == top + levels {
        if let key = position(first.path, depth) { pages[key] = modelSlot(pairs, depth: depth, top: depth, &pages) }
        return [3] + modelRoot(pairs, depth: depth).bytes
    }
    return [2] + modelSlot(pairs.filter { !$0.path.bit(depth) }, depth: depth + 1, top: top, &pages)
        + modelSlot(pairs.filter { $0.path.bit(depth) }, depth: depth + 1, top: top, &pages)
}

/// The first bits of a path as a position: a one behind them, and zeros to the end of the byte.
func position(_ path: Digest, _ depth: Int) -> NodeKey? {
    var bits = (0..<depth).map { path.bit($0) } + [true]
    while bits.count % 8 != 0 { bits.append(false) }
    return NodeKey(
        bytes: stride(from: 0, to: bits.count, by: 8).map { start in
            bits[start..<start + 8].reduce(0) { $0 << 1 | ($1 ? 1 : 0) }
        })
}

/// The hashes beside a path, from the deepest to the topmost, by the definition.
func modelSiblings(_ pairs: [(path: Digest, valueHash: Digest)], _ path: Digest, depth: Int = 0) -> [Digest] {
    guard pairs.count > 1 else { return [] }
    let beside = pairs.filter { $0.path.bit(depth) != path.bit(depth) }
    let along = pairs.filter { $0.path.bit(depth) == path.bit(depth) }
    return modelSiblings(along, path, depth: depth + 1) + [modelRoot(beside, depth: depth + 1)]
}

extension MemoryTree {
    private var all: [(path: Digest, valueHash: Digest)] { pairs.map { ($0.key, $0.value) } }

    var modelRoot: Digest { StateTreeTests.modelRoot(all) }

    var modelPages: [NodeKey: [UInt8]] {
        var pages: [NodeKey: [UInt8]] = [:]
        let topmost = modelSlot(all, depth: 0, top: 0, &pages)
        if !pairs.isEmpty { pages[.root] = topmost }
        return pages
    }

    func modelSiblings(_ path: Digest) -> [Digest] { StateTreeTests.modelSiblings(all, path) }
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
