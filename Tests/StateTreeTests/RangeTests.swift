import Cryptography
import StateTree
import TestSupport
import Testing

/// A map is given out range by range; whoever puts the ranges together has the map, or notices.
@Suite(.timeLimit(.minutes(20))) struct RangeTests {
    private typealias Pairs = [(path: Digest, valueHash: Digest)]

    /// Paths that are spread, and some that share long prefixes.
    private func tree(seed: UInt64, pairs count: Int) throws -> MemoryTree {
        var random = SeededGenerator(seed: seed)
        var tree = MemoryTree()
        var paths: Set<Digest> = []
        while paths.count < count { paths.insert(random.path(near: paths.sorted())) }
        try tree.update(paths.sorted().map { ($0, random.digest()) })
        return tree
    }

    private func pairs(of tree: MemoryTree, in range: PathRange) -> Pairs {
        tree.pairs.filter { range.contains($0.key) }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Cuts the map into ranges of random size that follow one another.
    private func ranges(_ random: inout SeededGenerator) -> [PathRange] {
        var ranges: [PathRange] = []
        var cursor: Digest? = .zero
        while let start = cursor {
            let smallest = PathRange.smallestDepth(startingAt: start)
            let depth = min(256, max(smallest, random.below(10)))
            guard let range = PathRange(start: start, depth: depth) else { return [] }
            ranges.append(range)
            cursor = range.next
        }
        return ranges
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>) func everyMapComesBackThroughItsRanges(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed &* 7919)
        let tree = try tree(seed: seed, pairs: [0, 1, 2, 3, 20, 150][random.below(6)])
        let root = try StateTree.root(reader: tree)
        var found: Pairs = []
        for range in ranges(&random) {
            let pairs = pairs(of: tree, in: range)
            let proof = try StateTree.prove(reader: tree, range: range)
            #expect(try RangeProof(borsh: proof.borsh) == proof)
            #expect(proof.verify(root: root, range: range, pairs: pairs), "seed \(seed), range \(range)")
            found += pairs
        }
        #expect(found.map(\.path) == tree.pairs.keys.sorted(), "seed \(seed)")
        #expect(try StateTree.root(of: found) == root)
    }

    @Test(arguments: 1...40 as ClosedRange<UInt64>) func whateverIsChangedIsRefused(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed &* 104_729)
        let tree = try tree(seed: seed, pairs: [1, 2, 3, 12, 60][random.below(5)])
        let root = try StateTree.root(reader: tree)
        for range in ranges(&random) {
            let honest = pairs(of: tree, in: range)
            let proof = try StateTree.prove(reader: tree, range: range)
            func refused(_ what: String, _ pairs: Pairs, _ proof: RangeProof, _ range: PathRange) {
                #expect(!proof.verify(root: root, range: range, pairs: pairs), "seed \(seed), \(range): \(what)")
            }
            for index in honest.indices {
                var pairs = honest
                pairs.remove(at: index)
                refused("dropped", pairs, proof, range)
                pairs = honest
                pairs[index].valueHash = pairs[index].valueHash.flipped(random.below(256))
                refused("changed", pairs, proof, range)
                pairs = honest
                pairs[index].path = pairs[index].path.flipped(random.below(256))
                refused("moved", pairs, proof, range)
                refused("doubled", Array(honest[...index]) + Array(honest[index...]), proof, range)
                if index > 0 {
                    pairs = honest
                    pairs.swapAt(index - 1, index)
                    refused("reordered", pairs, proof, range)
                }
            }
            let added = random.digest()
            refused("added", (honest + [(added, .zero)]).sorted { $0.path < $1.path }, proof, range)
            for index in proof.siblings.indices {
                var siblings = proof.siblings
                siblings[index] = siblings[index].flipped(random.below(256))
                refused("sibling changed", honest, forged(proof.neighbour, siblings), range)
                siblings = proof.siblings
                siblings.remove(at: index)
                refused("sibling dropped", honest, forged(proof.neighbour, siblings), range)
            }
            refused("sibling added", honest, forged(proof.neighbour, [StateTree.emptyRoot] + proof.siblings), range)
            // The leaf beside an empty range must be the one that is there, outside of it.
            let other = RangeProof.Neighbour(path: random.digest(), valueHash: .zero)
            refused("neighbour", honest, forged(other, proof.siblings), range)
            // Nor may a leaf of the range pass for the one beside an empty range.
            if honest.count == 1, let only = honest.first {
                let inside = RangeProof.Neighbour(path: only.path, valueHash: only.valueHash)
                refused("withheld", [], forged(inside, proof.siblings), range)
            }
            if proof.neighbour != nil { refused("no neighbour", honest, forged(nil, proof.siblings), range) }
            #expect(!proof.verify(root: root.flipped(3), range: range, pairs: honest), "seed \(seed)")
        }
    }

    private func forged(_ neighbour: RangeProof.Neighbour?, _ siblings: [Digest]) -> RangeProof {
        RangeProof(neighbour: neighbour, siblings: siblings)
    }

    @Test func rangesFollowOneAnother() throws {
        #expect(PathRange.all.next == nil && PathRange.all.depth == 0)
        let last = try #require(PathRange(start: Digest([UInt8](repeating: 0xff, count: 32)) ?? .zero, depth: 256))
        #expect(last.next == nil)
        let half = try #require(PathRange(start: .zero, depth: 1))
        #expect(half.next == Digest.zero.flipped(0))
        #expect(PathRange(start: Digest.zero.flipped(5), depth: 5) == nil)
        #expect(PathRange(start: Digest.zero.flipped(5), depth: 6)?.next == Digest.zero.flipped(4))
        #expect(PathRange(start: .zero, depth: 257) == nil && PathRange(start: .zero, depth: -1) == nil)
        for depth in [0, 1, 8, 200] {
            let range = try #require(PathRange(start: .zero, depth: depth))
            let proof = try StateTree.prove(reader: EmptyTree(), range: range)
            #expect(proof.siblings.isEmpty && proof.verify(root: StateTree.emptyRoot, range: range, pairs: []))
        }
    }
}
