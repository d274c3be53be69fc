import Foundation
import Primitives
import Storage
import Testing

/// What a crash or a failing disk leaves: a store is before or after a commit, and damage is an error, never a wrong
/// value.
@Suite(.timeLimit(.minutes(20))) struct DamageTests {
    private static let count = 12

    /// A store whose process stops without closing it: commits in sorted files, the last ones in the log.
    private static func home(in folder: TemporaryFolder, _ chain: SampleChain) throws -> String {
        let path = folder.file("chain")
        // Opening turns the log of before into a sorted file.
        for half in [chain.commits.prefix(count / 2), chain.commits.dropFirst(count / 2)] {
            let store = try ChainStore(path: path, genesisHash: chain.genesis)
            for commit in half { try store.commit(commit) }
            if half.startIndex > 0 {
                // Copied while it is open, as a kill would leave it.
                try FileManager.default.copyItem(atPath: path, toPath: folder.file("killed"))
            }
            store.close()
        }
        return folder.file("killed")
    }

    /// Opens a copy of the home that `change` damaged. Whatever it says must be a prefix of the chain.
    private static func reads(
        _ home: String, _ chain: SampleChain, in folder: TemporaryFolder, after change: (String) throws -> Void
    ) throws -> (error: StorageError?, count: Int?) {
        let copy = folder.file("copy")
        try? FileManager.default.removeItem(atPath: copy)
        try FileManager.default.copyItem(atPath: home, toPath: copy)
        try change(copy)
        do throws(StorageError) {
            let store = try ChainStore(path: copy, genesisHash: chain.genesis)
            defer { store.close() }
            let count = Int(try store.head()?.height.value ?? 0)
            #expect(try chain.difference(from: store, count: count) == nil)
            return (nil, count)
        } catch {
            return (error, nil)
        }
    }

    @Test func killLeavesEverythingCommitted() throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: Self.count, seed: 10)
        let home = try Self.home(in: folder, chain)
        #expect(try Self.reads(home, chain, in: folder) { _ in }.count == Self.count)
    }

    @Test func tornLogLeavesWholeCommits() throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: Self.count, seed: 11)
        let home = try Self.home(in: folder, chain)
        let log = "ahead.0"
        let bytes = try contents(home + "/" + log)
        // The last record ends with a height, whose highest bytes are zeros.
        let end = try #require(bytes.lastIndex { $0 != 0 }) + 8
        let empty = 20
        var counts: [Int] = []
        for length in Array(stride(from: empty, to: end, by: max(1, end / 40))) + [end] {
            let result = try Self.reads(home, chain, in: folder) { try put(Array(bytes.prefix(length)), at: $0 + "/" + log) }
            counts.append(try #require(result.count, "\(result)"))
        }
        #expect(counts == counts.sorted() && counts.first == Self.count / 2 && counts.last == Self.count)
    }

    @Test(arguments: [1, 2] as [UInt64]) func flippedBytesNeverPass(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: Self.count, seed: seed)
        let home = try Self.home(in: folder, chain)
        var random = SeededGenerator(seed: seed)
        var seen = 0
        for name in try FileManager.default.contentsOfDirectory(atPath: home).sorted()
        where !name.hasPrefix("LO") || name.hasSuffix(".log") {
            let bytes = try contents(home + "/" + name)
            for _ in 0..<20 where !bytes.isEmpty {
                var damaged = bytes
                let place = Int.random(in: 0..<bytes.count, using: &random)
                damaged[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                let result = try Self.reads(home, chain, in: folder) { try put(damaged, at: $0 + "/" + name) }
                guard let error = result.error else { continue }
                seen += 1
                #expect(Self.isClear(error), "seed \(seed), byte \(place) of \(name): \(error)")
            }
            let missing = try Self.reads(home, chain, in: folder) {
                try FileManager.default.removeItem(atPath: $0 + "/" + name)
            }
            if name.hasSuffix(".ldb") { #expect(missing.error != nil, "\(name) is gone and nobody says so") }
        }
        #expect(seen > 20, "damage must be seen; seed \(seed)")
    }

    /// A block that can't be read is an error, and can be read once it was put back; what is not final here is refused.
    @Test func aBlockIsPutBack() throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: Self.count, seed: 13)
        let home = try Self.home(in: folder, chain)
        let lost = chain.commits[2]
        let needle = Data(lost.block.block.header.reveal.bytes)
        var isDamaged = false
        for name in try FileManager.default.contentsOfDirectory(atPath: home).sorted() where name.hasSuffix(".ldb") && !isDamaged {
            var bytes = Data(try contents(home + "/" + name))
            guard let place = bytes.range(of: needle) else { continue }
            bytes[place.lowerBound] ^= 1
            try put(Array(bytes), at: home + "/" + name)
            isDamaged = true
        }
        try #require(isDamaged)
        let store = try ChainStore(path: home, genesisHash: chain.genesis)
        defer { store.close() }
        var unreadable: [Commit] = []
        for commit in chain.commits {
            let height = commit.block.block.header.height
            do throws(StorageError) { #expect(try store.block(at: height) == commit.block) } catch {
                #expect(Self.isClear(error), "\(error)")
                unreadable.append(commit)
            }
        }
        #expect(unreadable.contains { $0.digest == lost.digest } && unreadable.count < Self.count)
        for commit in unreadable { try store.heal(commit.block, digest: commit.digest) }
        for commit in chain.commits {
            let height = commit.block.block.header.height
            #expect(try store.block(at: height) == commit.block && store.height(of: commit.digest) == height)
            #expect(try store.snapshot().block(at: height) == commit.block)
        }
        #expect(try store.head()?.height == Height(UInt64(Self.count)))
        let longer = try SampleChain(blocks: Self.count + 1, seed: 13)
        let above = try #require(longer.commits.last)
        #expect(throws: StorageError.self) { try store.heal(above.block, digest: above.digest) }
    }

    private static func isClear(_ error: StorageError) -> Bool {
        if case .corrupt = error { error.description.contains("Restore from a peer") } else { false }
    }

    /// No checksum covers a footer: each bit of the block places there, and what a flip there makes LevelDB do.
    @Test func flippedFooterBitsNeverPass() throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: Self.count, seed: 12)
        let home = try Self.home(in: folder, chain)
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: home).first { $0.hasSuffix(".ldb") })
        let bytes = try contents(home + "/" + name)
        let footer = bytes.count - 48
        // Two block places take up to 40 bytes; those of a small file take the first few.
        for place in Array(footer..<footer + 8) + [bytes.count - 9, bytes.count - 1] {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[place] ^= 1 << UInt8(bit)
                let result = try Self.reads(home, chain, in: folder) { try put(damaged, at: $0 + "/" + name) }
                guard let error = result.error else { continue }
                #expect(Self.isClear(error), "bit \(bit) of byte \(place): \(error)")
            }
        }
    }

    // MARK: Writing a store anew

    /// Small files and small buffers: LevelDB merges files after a few hundred kilobytes.
    private static let merging = LevelDB.Options(writeBufferBytes: 1 << 16, fileBytes: 1 << 20)
    private static let held = 40
    /// What is committed goes to LevelDB soon.
    private static let soon: LoggedDatabase.Limits = {
        var limits = LoggedDatabase.Limits()
        limits.together = 1 << 16
        return limits
    }()

    /// A store with a flipped byte in the block of this height.
    private static func damaged(_ chain: SampleChain, _ height: Int, in folder: TemporaryFolder) throws -> String {
        let path = folder.file("db")
        let store = try ChainStore(path: path, genesisHash: chain.genesis)
        try store.commit(Array(chain.commits.prefix(held)))
        store.close()
        // Opening turns the log of before into a sorted file.
        try ChainStore(path: path, genesisHash: chain.genesis).close()
        try flip(Data(chain.commits[height - 1].block.block.header.reveal.bytes), in: path)
        return path
    }

    private static func flip(_ needle: Data, in path: String) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: path).sorted() where name.hasSuffix(".ldb") {
            var bytes = Data(try contents(path + "/" + name))
            guard let place = bytes.range(of: needle) else { continue }
            bytes[place.lowerBound] ^= 1
            return try put(Array(bytes), at: path + "/" + name)
        }
        Issue.record("nothing was damaged")
    }

    private static func unreadable(_ store: ChainStore, _ chain: SampleChain) -> [Commit] {
        chain.commits.prefix(held).filter { (try? store.block(at: $0.block.block.header.height)) == nil }
    }

    /// Commits what follows, several megabytes of the same keys' new values: files are merged meanwhile.
    /// - Returns: what keeps the store from it.
    private static func goOn(_ path: String, _ chain: SampleChain, after count: Int = held) throws -> StorageError? {
        let store = try ChainStore(path: path, genesisHash: chain.genesis, options: merging, limits: soon)
        defer { store.close() }
        let rest = Array(chain.commits.dropFirst(count))
        for start in stride(from: 0, to: rest.count, by: 50) {
            do throws(StorageError) { try store.commit(Array(rest[start..<min(rest.count, start + 50)])) } catch { return error }
        }
        #expect(try chain.difference(from: store, count: chain.commits.count) == nil)
        return nil
    }

    /// Blocks that were put back do not take the damage away: LevelDB stops at it when it merges files. Written anew, the
    /// store goes on.
    @Test func aHealedStoreIsWrittenAnew() throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: 2_000, seed: 14)
        let path = try Self.damaged(chain, 20, in: folder)
        var store = try ChainStore(path: path, genesisHash: chain.genesis)
        let lost = Self.unreadable(store, chain)
        try #require(lost.count > 1, "several small blocks lie together")
        #expect(try StoreRewriteState(path, closing: store).needs == false)

        // One of them is back: the others are named, and nothing has changed.
        store = try ChainStore(path: path, genesisHash: chain.genesis)
        try store.heal(lost[0].block, digest: lost[0].digest)
        #expect(try StoreRewriteState(path, closing: store).needs)
        let others = lost.dropFirst().map(\.block.block.header.height)
        #expect(try StoreRewrite.run(path) { _ in } == others)
        store = try ChainStore(path: path, genesisHash: chain.genesis)
        #expect(Self.unreadable(store, chain).map(\.digest) == lost.dropFirst().map(\.digest))
        for commit in lost.dropFirst() { try store.heal(commit.block, digest: commit.digest) }
        #expect(try chain.difference(from: store, count: Self.held) == nil)
        store.close()

        // All of them are back, and yet:
        let asItIs = folder.file("as it is")
        try FileManager.default.copyItem(atPath: path, toPath: asItIs)
        let stop = try #require(try Self.goOn(asItIs, chain))
        #expect(Self.isClear(stop), "\(stop)")

        // Killed at any instant of the exchange.
        try FileManager.default.createDirectory(atPath: path + ".rewriting", withIntermediateDirectories: false)
        var told = StoreRewrite.Progress()
        #expect(try StoreRewrite.run(path) { told = $0 } == [])
        #expect(told.entries > UInt64(Self.held) && told.bytes > told.entries)
        try FileManager.default.moveItem(atPath: path, toPath: path + ".rewritten")
        try FileManager.default.createDirectory(atPath: path + ".damaged", withIntermediateDirectories: false)
        try StoreRewrite.recover(path)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["as it is", "db"])
        let anew = try ChainStore(path: path, genesisHash: chain.genesis)
        #expect(try StoreRewriteState(path, closing: anew).needs == false)
        #expect(try Self.goOn(path, chain) == nil)
    }

    /// Damage that nobody has read yet: LevelDB comes to it when it merges files, and takes no more writes, so that nothing
    /// can be put back either. Written anew without what can't be read, the store goes on, and names what it lacks.
    @Test func aStoreThatTakesNoWritesIsWrittenAnew() throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: 2_000, seed: 16)
        let path = try Self.damaged(chain, 20, in: folder)
        let stop = try #require(try Self.goOn(path, chain))
        #expect(Self.isClear(stop), "\(stop)")
        #expect(!StoreRewrite.isRequested(path))
        try StoreRewrite.request(path, reason: "\(stop)")
        #expect(StoreRewrite.isRequested(path))
        // Killed before anything came of it.
        struct Stopped: Error {}
        #expect(throws: Stopped.self) { _ = try StoreRewrite.run(path, leavingOut: true) { _ in throw Stopped() } }
        #expect(StoreRewrite.isRequested(path))

        let lost = try StoreRewrite.run(path, leavingOut: true) { _ in }
        #expect(!lost.isEmpty && !StoreRewrite.isRequested(path))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["db"])
        var store = try ChainStore(path: path, genesisHash: chain.genesis)
        let height = try #require(try store.head()).height
        #expect(height >= Height(UInt64(Self.held)) && lost.contains(Height(20)))
        let missing = Self.unreadable(store, chain).map(\.block.block.header.height)
        #expect(missing == lost, "what is not there is not taken for a chain that is shorter")
        #expect(try store.block(at: height.next) == nil)
        #expect(throws: StorageError.self) { try store.block(at: lost[0]) }
        #expect(try store.lostBlocks() == lost)
        for (index, lostHeight) in lost.enumerated() {
            let commit = chain.commits[Int(lostHeight.value) - 1]
            try store.heal(commit.block, digest: commit.digest)
            #expect(try store.lostBlocks() == Array(lost.dropFirst(index + 1)))
        }
        #expect(try StoreRewriteState(path, closing: store).needs == false, "nothing is damaged any more")
        store = try ChainStore(path: path, genesisHash: chain.genesis)
        #expect(try chain.difference(from: store, count: Int(height.value)) == nil)
        store.close()
        #expect(try Self.goOn(path, chain, after: Int(height.value)) == nil)
    }

    /// What a node starts with can't be fetched before it starts.
    @Test func theNewestBlockIsNotLeftOut() throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: Self.held, seed: 29)
        let path = try Self.damaged(chain, 20, in: folder)
        let database = try LevelDB(path: path, options: LevelDB.Options(create: false))
        let height = try #require(chain.commits.last).block.block.header.height
        var batch = WriteBatch()
        batch.delete([UInt8(ascii: "b")] + withUnsafeBytes(of: height.value.bigEndian) { Array($0) })
        try database.write(batch, sync: true)
        database.close()
        do {
            _ = try StoreRewrite.run(path, leavingOut: true) { _ in }
            Issue.record("written anew without its newest block")
        } catch let error as StorageError {
            #expect("\(error)".contains("the newest block"), "\(error)")
        }
        #expect(FileManager.default.fileExists(atPath: path))
    }

    /// However long the values are: no more than a page of them is in memory.
    @Test func pagesEndByTheirBytes() throws {
        let folder = try TemporaryFolder()
        let database = try LevelDB(path: folder.file("pages"))
        defer { database.close() }
        var batch = WriteBatch()
        for number in 0..<20 as Range<UInt8> { batch.put([1, number], [UInt8](repeating: number, count: 1_000)) }
        try database.write(batch, sync: false)
        #expect(try database.scan(prefix: [1], limit: 100, bytes: 3_000).map(\.key) == [[1, 0], [1, 1], [1, 2]])
        #expect(try database.scan(prefix: [1], from: [1, 5], limit: 2, bytes: 3_000).count == 2)
        #expect(try database.scan(prefix: [1], limit: 100, bytes: 1).count == 1)
        #expect(try database.scan(prefix: [1], limit: 100).count == 20)
    }

    /// What is no block is not put back: the store stays as it is, and says so.
    @Test func otherDamageIsNotWrittenOver() throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: Self.held, seed: 15)
        let path = try Self.damaged(chain, 20, in: folder)
        let page = try #require(chain.commits[38].state?.pagePuts.first)
        try Self.flip(Data(page.1.prefix(24)), in: path)
        let store = try ChainStore(path: path, genesisHash: chain.genesis)
        for commit in Self.unreadable(store, chain) { try store.heal(commit.block, digest: commit.digest) }
        store.close()
        let before = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        let error = try #require(throws: StorageError.self) { _ = try StoreRewrite.run(path) { _ in } }
        #expect(Self.isClear(error), "\(error)")
        struct Stopped: Error {}
        #expect(throws: Stopped.self) { _ = try StoreRewrite.run(path) { _ in throw Stopped() } }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == before)
        let again = try ChainStore(path: path, genesisHash: chain.genesis)
        defer { again.close() }
        #expect(Self.unreadable(again, chain).isEmpty)
        #expect(try again.head()?.height == Height(UInt64(Self.held)))
    }

    /// Whether a store has to be written anew, which nobody may have open.
    private struct StoreRewriteState {
        let needs: Bool
        init(_ path: String, closing store: ChainStore) throws {
            let isDamaged = try store.holdsDamage()
            store.close()
            needs = isDamaged
        }
    }
}
