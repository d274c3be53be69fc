import Cryptography
import Encoding
import StateTree
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(20))) struct UpdateTests {
    @Test func goldenRoots() throws {
        #expect(
            StateTree.emptyRoot.hex == Digest(sha256: Array("edgeproof/state-empty/1".utf8)).hex)
        #expect(try StateTree.root(reader: EmptyTree()) == StateTree.emptyRoot)
        #expect(StateTree.valueHash([1]) == Digest(sha256: Array("edgeproof/state-value/1".utf8) + [1]))
        var tree = MemoryTree()
        let pairs = (0..<3).map { (Digest(sha256: [$0]), StateTree.valueHash([$0])) }
        let update = try tree.update(pairs.map { ($0.0, $0.1) })
        // SHA-256 of [0], [1], [2] start with bits 0, 0, 1: 6e..., 4b..., db...
        let leaves = pairs.map { Digest(domain: "edgeproof/state-leaf/1", parts: $0.0.bytes, $0.1.bytes) }
        func inner(_ a: Digest, _ b: Digest) -> Digest {
            Digest(domain: "edgeproof/state-inner/1", parts: a.bytes, b.bytes)
        }
        // 6e = 0110, 4b = 0100: they share 01 and part at the third bit.
        let empty = StateTree.emptyRoot
        #expect(update.root == inner(inner(empty, inner(leaves[1], leaves[0])), leaves[2]))
        // All of it in the topmost page: after an inner node what is to its left, and then what is to its right.
        func leaf(_ index: Int) -> [UInt8] { [1] + pairs[index].0.bytes + pairs[index].1.bytes }
        #expect(update.puts.map(\.0) == [.root])
        #expect(update.puts.first?.1 == [2, 2, 0, 2] + leaf(1) + leaf(0) + leaf(2))
    }

    /// Batches in any order leave the pages and the root of a rebuild from scratch, and of the definition, and nothing else.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func randomHistoriesEqualARebuild(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var tree = MemoryTree()
        for round in 0..<60 {
            let known = tree.pairs.keys.sorted()
            var changes: [Digest: Digest?] = [:]
            for _ in 0..<generator.below(12) {
                let deletes = generator.below(round % 10 < 6 ? 4 : 2) == 0
                changes.updateValue(deletes ? nil : generator.digest(), forKey: generator.path(near: known))
            }
            if round % 20 == 19 { for path in known { changes.updateValue(nil, forKey: path) } }
            let batch = generator.shuffled(changes.keys.sorted()).map { (path: $0, valueHash: changes[$0] ?? nil) }
            let before = tree
            let update = try tree.update(batch)
            let context: Comment = "seed \(seed), round \(round)"
            #expect(update.root == tree.modelRoot, context)
            #expect(tree.pages == tree.modelPages, context)
            #expect(update.added == Set(tree.pairs.keys).subtracting(before.pairs.keys).sorted(), context)
            for path in known.prefix(5) + changes.keys.sorted().prefix(5) {
                let (valueHash, proof) = try StateTree.prove(reader: tree, path: path)
                #expect(valueHash == tree.pairs[path] && proof.siblings == tree.modelSiblings(path), context)
                #expect(proof.verify(root: update.root, path: path, valueHash: valueHash), context)
            }
            #expect(try StateTree.root(reader: tree) == update.root, context)

            var rebuilt = MemoryTree()
            try rebuilt.update(generator.shuffled(tree.pairs.keys.sorted()).map { ($0, tree.pairs[$0]) })
            #expect(rebuilt == tree, context)
            #expect(try StateTree.root(of: tree.pairs.map { ($0.key, $0.value) }) == update.root, context)

            // Sorted, disjoint, and only what changed.
            let puts = update.puts.map(\.0)
            #expect(puts == puts.sorted() && update.removals == update.removals.sorted(), context)
            #expect(Set(puts).isDisjoint(with: update.removals), context)
            #expect(update.puts.allSatisfy { before.pages[$0.0] != $0.1 }, context)
            #expect(update.removals.allSatisfy { before.pages[$0] != nil }, context)
        }
    }

    /// Counts what a batch reads.
    private final class CountingReader: PageReader {
        let tree: MemoryTree
        var reads: [NodeKey: Int] = [:]
        init(_ tree: MemoryTree) { self.tree = tree }
        func page(_ key: NodeKey) -> [UInt8]? {
            reads[key, default: 0] += 1
            return tree.page(key)
        }
    }

    @Test func tenThousandKeysAreReadAtMostOnceAndProven() throws {
        let seed: UInt64 = 10_000
        var generator = SeededGenerator(seed: seed)
        var tree = MemoryTree()
        let paths = (0..<10_000).map { _ in generator.digest() }
        try tree.update(paths.map { ($0, generator.digest()) })
        #expect(tree.pages.count < 30_000)
        let reader = CountingReader(tree)
        let changes = paths.prefix(2_000).enumerated().map { index, path in
            (path: path, valueHash: index % 3 == 0 ? nil : Digest?(generator.digest()))
        }
        let update = try StateTree.update(reader: reader, changes: changes)
        #expect(reader.reads.values.allSatisfy { $0 == 1 })
        #expect(Set(reader.reads.keys).isSuperset(of: update.removals))
        // A path of a dozen levels and more is a handful of pages.
        for path in paths.suffix(50) {
            let alone = CountingReader(tree)
            let one = try StateTree.update(reader: alone, changes: [(path, .zero)])
            #expect((4...9).contains(alone.reads.count), "seed \(seed), \(path)")
            #expect(Set(one.puts.map(\.0)) == Set(alone.reads.keys) && one.removals.isEmpty && one.added.isEmpty)
            #expect(one.puts.allSatisfy { $0.1.count < 600 })
        }
        try tree.update(changes)
        #expect(update.root == tree.modelRoot, "seed \(seed)")
        for path in paths.prefix(300) {
            let (valueHash, proof) = try StateTree.prove(reader: tree, path: path)
            #expect(valueHash == tree.pairs[path])
            #expect(proof.verify(root: update.root, path: path, valueHash: valueHash))
            #expect(proof.siblings.count < 40)
        }
    }

    @Test func emptyRepeatedAndIdenticalChanges() throws {
        var tree = MemoryTree()
        let path = Digest(sha256: [1])
        #expect(try tree.update([]).root == StateTree.emptyRoot)
        #expect(try tree.update([(path, nil)]).removals.isEmpty)
        #expect(throws: StateTreeError.duplicateChange(path)) { try tree.update([(path, .zero), (path, nil)]) }
        try tree.update([(path, .zero), (path.flipped(255), .zero)])
        let again = try tree.update([(path, .zero)])
        #expect(again.puts.isEmpty && again.removals.isEmpty)
        // Two paths that differ in the last bit alone make the deepest tree there is.
        #expect(tree.pages.keys.map(\.depth).max() == 255 && tree.pages.count == 86)
        try tree.update([(path, nil)])
        #expect(tree.pages.count == 1)
    }
}

@Suite(.timeLimit(.minutes(20))) struct PageCacheTests {
    private struct Unreadable: Error {}

    /// A tree whose pages may not be read.
    private struct Closed: PageReader {
        func page(_ key: NodeKey) throws -> [UInt8]? { throw Unreadable() }
    }

    private func same(_ one: TreeUpdate, _ other: TreeUpdate) -> Bool {
        one.root == other.root && one.added == other.added && one.removals == other.removals
            && one.puts.map(\.0) == other.puts.map(\.0) && one.puts.map(\.1) == other.puts.map(\.1)
    }

    /// Versions that follow each other, and several that follow the same one, as blocks do: with what the others have left in
    /// the cache, however small it is, an update is what it is without.
    @Test(arguments: [1, 2, 3] as [UInt64], [1, 5, 4_096])
    func updatesAreWhatTheyAreWithout(seed: UInt64, generation: Int) throws {
        var generator = SeededGenerator(seed: seed)
        let cache = PageCache(generation: generation)
        var versions = [MemoryTree()]
        for round in 0..<120 {
            var tree = versions[generator.below(3) == 0 ? generator.below(versions.count) : versions.count - 1]
            let known = tree.pairs.keys.sorted()
            var changes: [Digest: Digest?] = [:]
            for _ in 0..<generator.below(40) {
                changes.updateValue(
                    generator.below(3) == 0 ? nil : generator.digest(), forKey: generator.path(near: known))
            }
            if round % 30 == 29 { for path in known { changes.updateValue(nil, forKey: path) } }
            let batch = changes.keys.sorted().map { (path: $0, valueHash: changes[$0] ?? nil) }
            let root = try StateTree.root(reader: tree)
            let cached = try StateTree.update(reader: tree, changes: batch, cache: (cache, root))
            let plain = try tree.update(batch)
            #expect(same(cached, plain), "seed \(seed), round \(round)")
            #expect(cache.count <= 2 * generation)
            versions.append(tree)
            if versions.count > 4 { versions.removeFirst() }
        }
    }

    /// What the update before has put is not read again.
    @Test func whatOneUpdateLeavesTheNextNeedsNotRead() throws {
        var generator = SeededGenerator(seed: 7)
        let cache = PageCache()
        var tree = MemoryTree()
        let paths = (0..<1_000).map { _ in generator.digest() }
        let first = try StateTree.update(
            reader: tree, changes: paths.map { ($0, .zero) }, cache: (cache, StateTree.emptyRoot))
        try tree.update(paths.map { ($0, .zero) })
        #expect(cache.count == tree.pages.count)
        let changes = paths.prefix(100).map { (path: $0, valueHash: Digest?(generator.digest())) }
        let second = try StateTree.update(reader: Closed(), changes: changes, cache: (cache, first.root))
        #expect(same(second, try tree.update(changes)))
        #expect(cache.count == tree.pages.count)
        // Of another version nothing is here.
        #expect(throws: StateTreeError.self) {
            try StateTree.update(reader: Closed(), changes: changes, cache: (cache, first.root))
        }
    }
}

@Suite(.timeLimit(.minutes(20))) struct NodeKeyTests {
    @Test func bytesAreCanonical() throws {
        let seed: UInt64 = 0x1e7
        var generator = SeededGenerator(seed: seed)
        var tree = MemoryTree()
        let deep = generator.digest()
        try tree.update([(deep, .zero), (deep.flipped(255), .zero)] + (0..<100).map { _ in (generator.digest(), .zero) })
        for key in tree.pages.keys {
            #expect(NodeKey(bytes: key.bytes) == key)
            #expect(key.bytes.count == key.depth / 8 + 1 && key.depth % 3 == 0)
        }
        #expect(NodeKey.root.depth == 0 && NodeKey(bytes: [0x80]) == .root)
        #expect(NodeKey(bytes: [0x01])?.depth == 7)
        #expect(NodeKey(bytes: []) == nil)
        #expect(NodeKey(bytes: [0x80, 0]) == nil)
        #expect(NodeKey(bytes: [UInt8](repeating: 1, count: 32) + [0x80])?.depth == 256)
        #expect(NodeKey(bytes: [UInt8](repeating: 1, count: 32) + [0xc0]) == nil)
        #expect(NodeKey(bytes: [UInt8](repeating: 1, count: 34)) == nil)
    }
}

@Suite(.timeLimit(.minutes(20))) struct CorruptionTests {
    private struct Unreadable: Error {}
    private struct FailingReader: PageReader {
        func page(_ key: NodeKey) throws -> [UInt8]? { throw Unreadable() }
    }

    /// Whatever happens to one stored page, using it gives a typed error or, at the top, another root.
    @Test func everyDamagedPageIsNoticed() throws {
        let seed: UInt64 = 0xbad
        var generator = SeededGenerator(seed: seed)
        var tree = MemoryTree()
        try tree.update((0..<40).map { _ in (generator.digest(), generator.digest()) })
        let root = try StateTree.root(reader: tree)
        let paths = tree.pairs.keys.sorted()

        func isNoticed(_ damaged: MemoryTree) -> Bool {
            do {
                guard try StateTree.root(reader: damaged) == root else { return true }
                for path in paths { _ = try StateTree.prove(reader: damaged, path: path) }
                return false
            } catch { return !"\(error)".isEmpty }
        }
        #expect(!isNoticed(tree))
        for key in tree.pages.keys.sorted() {
            var damaged = tree
            damaged.pages[key] = nil
            #expect(isNoticed(damaged), "seed \(seed), missing \(key)")
            guard let bytes = tree.pages[key] else { continue }
            for replacement in [[], Array(bytes.dropLast()), bytes + [0], [UInt8](repeating: 0xff, count: 65)] {
                damaged.pages[key] = replacement
                #expect(isNoticed(damaged), "seed \(seed), \(key)")
            }
            for position in stride(from: generator.below(5), to: bytes.count, by: 5) {
                var changed = bytes
                changed[position] ^= UInt8(1 + generator.below(255))
                damaged.pages[key] = changed
                #expect(isNoticed(damaged), "seed \(seed), \(key), byte \(position)")
                _ = try? StateTree.update(reader: damaged, changes: paths.prefix(10).map { ($0, nil) })
            }
        }
        #expect(throws: StateTreeError.self) { try StateTree.root(reader: FailingReader()) }
        let (leaf, hash) = ([1] + paths[0].bytes + paths[1].bytes, root.bytes)
        // No page looks like these: nothing, tops that are none, inner nodes above less than two leaves, more than is.
        let impossible: [[UInt8]] = [
            [], [0], [3] + hash, [2], [2, 0, 0], [2] + leaf + [0], [2, 0] + leaf, [2, 0, 2], [2, 0, 3] + hash, [4], leaf + [0],
            [UInt8](repeating: 2, count: 600),
        ]
        for bytes in impossible {
            #expect(throws: StateTreeError.self, "\(bytes)") { try StateTree.root(reader: MemoryTree(pages: [.root: bytes])) }
        }
    }

    /// Pages that somebody made up, at the top and as deep as they go: errors or another root, never a trap.
    @Test func madeUpPagesAreErrors() throws {
        let seed: UInt64 = 0x9a9e
        var generator = SeededGenerator(seed: seed)
        var tree = MemoryTree()
        let deep = generator.digest()
        try tree.update([(deep, .zero), (deep.flipped(255), .zero)] + (0..<30).map { _ in (generator.digest(), .zero) })
        let paths = tree.pairs.keys.sorted() + [generator.digest()]
        let root = tree.modelRoot
        let keys = tree.pages.keys.sorted()
        let known = keys.compactMap { tree.pages[$0] }
        let deepest = try #require(position(deep, 255))
        for round in 0..<2_000 {
            let key = [.root, deepest, keys[generator.below(keys.count)]][generator.below(3)]
            var bytes = known[generator.below(known.count)]
            switch generator.below(3) {
            case 0: bytes = generator.bytes(generator.below(700)).map { $0 % 5 }
            case 1: for _ in 0...generator.below(4) { bytes[generator.below(bytes.count)] = UInt8(generator.below(5)) }
            default: break
            }
            guard tree.pages[key] != bytes else { continue }
            var damaged = tree
            damaged.pages[key] = bytes
            let changes = paths.filter { _ in generator.below(3) == 0 }
                .map { (path: $0, valueHash: generator.below(2) == 0 ? nil : Digest?(generator.digest())) }
            _ = try? StateTree.update(reader: damaged, changes: changes)
            var found: Digest?
            do {
                found = try StateTree.root(reader: damaged)
                for path in paths { _ = try StateTree.prove(reader: damaged, path: path) }
            } catch { found = nil }
            #expect(found != root, "seed \(seed), round \(round), \(key)")
        }
    }
}
