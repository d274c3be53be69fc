import Cryptography
import Encoding
import Primitives
import StateTree
import Storage
import Testing

/// Stores of the formats before have each node of the state tree under a key of its own.
@Suite(.timeLimit(.minutes(20))) struct StoreUpgradeTests {
    private typealias Pairs = [(path: Digest, valueHash: Digest)]

    private static let (page, node, path, value) = (
        UInt8(ascii: "g"), UInt8(ascii: "n"), UInt8(ascii: "p"), UInt8(ascii: "v")
    )
    private static let held = 15

    /// The tree's nodes with their keys, from the tree's definition and the form of a node alone.
    private static func nodes(_ pairs: Pairs, _ bits: [Bool] = []) -> (root: Digest, all: [(key: [UInt8], bytes: [UInt8])]) {
        guard let first = pairs.first else { return (StateTree.emptyRoot, []) }
        var position = bits + [true]
        while position.count % 8 != 0 { position.append(false) }
        let key = stride(from: 0, to: position.count, by: 8).map { start in
            position[start..<start + 8].reduce(UInt8(0)) { $0 << 1 | ($1 ? 1 : 0) }
        }
        if pairs.count == 1 {
            let hash = Digest(domain: "edgeproof/state-leaf/1", parts: first.path.bytes, first.valueHash.bytes)
            return (hash, [(key, [0] + first.path.bytes + first.valueHash.bytes)])
        }
        let left = nodes(pairs.filter { !$0.path.bit(bits.count) }, bits + [false])
        let right = nodes(pairs.filter { $0.path.bit(bits.count) }, bits + [true])
        let hash = Digest(domain: "edgeproof/state-inner/1", parts: left.root.bytes, right.root.bytes)
        return (hash, [(key, [1] + left.root.bytes + right.root.bytes)] + left.all + right.all)
    }

    /// Makes a store look as one of the format before did.
    ///
    /// - Parameters:
    ///   - moved: leaves that an upgrade which was killed had written into pages already, in their order.
    ///   - losesNode: nodes that it had removed already.
    private static func age(
        _ path: String, format: UInt32, moved: Int = 0, losesNode: (Int) -> Bool = { _ in false },
        damage: (inout [UInt8]) -> Void = { _ in }
    ) throws {
        let database = try LevelDB(path: path, options: LevelDB.Options(create: false))
        defer { database.close() }
        let pairs = try database.scan(prefix: [value], limit: .max).map {
            (path: StateKey(Array($0.key.dropFirst())).path, valueHash: StateTree.valueHash($0.value))
        }.sorted { $0.path < $1.path }
        #expect(pairs.count > 60)
        var batch = WriteBatch()
        // The sample's made-up pages stay.
        for entry in try database.scan(prefix: [page], limit: .max)
        where !entry.key.dropFirst().starts(with: Array("page".utf8)) { batch.delete(entry.key) }
        let update = try StateTree.update(reader: EmptyTree(), changes: pairs.prefix(moved).map { ($0.path, $0.valueHash) })
        for (key, bytes) in update.puts { batch.put([page] + key.bytes, bytes) }
        for (index, node) in nodes(pairs).all.enumerated() where !losesNode(index) {
            var bytes = node.bytes
            damage(&bytes)
            batch.put([Self.node] + node.key, bytes)
        }
        if format < 3 { for entry in try database.scan(prefix: [Self.path], limit: .max) { batch.delete(entry.key) } }
        batch.put(Array("mformat".utf8), format.borsh)
        try database.write(batch, sync: true)
    }

    private static func store(_ chain: SampleChain, in folder: TemporaryFolder) throws -> String {
        let path = folder.file("chain")
        let store = try ChainStore(path: path, genesisHash: chain.genesis)
        try store.commit(Array(chain.commits.prefix(held)))
        store.close()
        return path
    }

    /// Whether the chain goes on in the store, which then has nothing left of its former layout.
    private static func goesOn(_ path: String, _ chain: SampleChain) throws -> String? {
        for count in [held, chain.commits.count] {
            let store = try ChainStore(path: path, genesisHash: chain.genesis)
            defer { store.close() }
            if let difference = try chain.difference(from: store, count: count) { return difference }
            if count == held { try store.commit(Array(chain.commits.dropFirst(held))) }
        }
        let database = try LevelDB(path: path, options: LevelDB.Options(create: false))
        defer { database.close() }
        if try !database.scan(prefix: [node], limit: 1).isEmpty { return "nodes" }
        return try database.get(Array("mformat".utf8)) == Storage.formatVersion.borsh ? nil : "the format"
    }

    @Test(arguments: [2, 3] as [UInt32]) func formatsBeforeAreBroughtToThisOne(format: UInt32) throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: 24, seed: UInt64(format))
        let path = try Self.store(chain, in: folder)
        try Self.age(path, format: format)
        var told: [Int] = []
        try ChainStore(path: path, genesisHash: chain.genesis) { told.append($0) }.close()
        #expect(told.last ?? 0 > 60)
        told = []
        try ChainStore(path: path, genesisHash: chain.genesis) { told.append($0) }.close()
        #expect(told.isEmpty, "there is nothing left to do")
        #expect(try Self.goesOn(path, chain) == nil)
    }

    /// A process may have been killed at any instant of it.
    @Test(arguments: 1...8 as ClosedRange<UInt64>) func anUpgradeGoesOnWhereItWasKilled(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: 24, seed: seed)
        let path = try Self.store(chain, in: folder)
        let cut = Int(seed) * 7
        if seed % 2 == 0 {
            try Self.age(path, format: 3, moved: cut)
        } else {
            try Self.age(path, format: 3, moved: .max, losesNode: { $0 < cut * 3 })
        }
        #expect(try Self.goesOn(path, chain) == nil, "seed \(seed)")
    }

    /// Nothing is taken over that the chain does not certify, and nothing of the former layout is lost with it.
    @Test func damagedTreesAreNotTakenOver() throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: 24, seed: 9)
        let path = try Self.store(chain, in: folder)
        for damage in [{ $0[64] ^= 1 }, { $0.removeLast() }, { $0[0] = 2 }, { $0 = [] }] as [(inout [UInt8]) -> Void] {
            try Self.age(path, format: 3, damage: damage)
            #expect {
                try ChainStore(path: path, genesisHash: chain.genesis)
            } throws: {
                if case StorageError.corrupt = $0 { true } else { false }
            }
        }
        try Self.age(path, format: 3)
        #expect(try Self.goesOn(path, chain) == nil)
    }
}
