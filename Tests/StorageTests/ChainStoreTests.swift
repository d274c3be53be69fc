import Cryptography
import Dispatch
import Encoding
import Foundation
import Primitives
import Storage
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(20))) struct ChainStoreTests {
    @Test(arguments: [1, 2, 3] as [UInt64]) func everythingComesBack(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: 24, seed: seed)
        var count = 0
        var random = SeededGenerator(seed: seed)
        while count < chain.commits.count {
            // Opened again for each batch: nothing may live in memory alone.
            let store = try ChainStore(path: folder.file("chain"), genesisHash: chain.genesis)
            #expect(try chain.difference(from: store, count: count) == nil)
            let batch = Array(chain.commits.dropFirst(count).prefix(Int.random(in: 1...6, using: &random)))
            try store.commit(batch)
            count += batch.count
            #expect(try chain.difference(from: store, count: count) == nil)
            store.close()
        }
    }

    /// A store that stays open remembers what it read: each commit has to change that too.
    @Test(arguments: [6, 7] as [UInt64]) func whatIsRememberedFollowsTheCommits(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: 24, seed: seed)
        let store = try ChainStore(path: folder.file("chain"), genesisHash: chain.genesis)
        for (count, commit) in chain.commits.enumerated() {
            #expect(try chain.difference(from: store, count: count) == nil)
            try store.commit(commit)
        }
        #expect(try chain.difference(from: store, count: chain.commits.count) == nil)
        store.close()
        let known = try #require(chain.commits.last?.state?.values.first?.0)
        #expect(throws: StorageError.self) { try store.value(known) }
    }

    @Test func snapshotStaysWhileTheChainGrows() throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: 10, seed: 4)
        let store = try ChainStore(path: folder.file("chain"), genesisHash: chain.genesis)
        try store.commit(Array(chain.commits.prefix(6)))
        let snapshot = try store.snapshot()
        try store.commit(Array(chain.commits.dropFirst(6)))
        #expect(try chain.difference(from: snapshot, count: 6) == nil)
        #expect(try chain.difference(from: store, count: 10) == nil)
    }

    /// Snapshots answer from what the store remembers where that has not changed since they were taken.
    @Test(arguments: [8, 9] as [UInt64]) func everySnapshotStays(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: 16, seed: seed)
        let store = try ChainStore(path: folder.file("chain"), genesisHash: chain.genesis)
        var snapshots: [ChainSnapshot] = []
        for count in 0...chain.commits.count {
            if count > 0 { try store.commit(chain.commits[count - 1]) }
            snapshots.append(try store.snapshot())
            // So that it remembers what is there, too, and what is not.
            #expect(try chain.difference(from: store, count: count) == nil)
            for (height, snapshot) in snapshots.enumerated() {
                #expect(try chain.difference(from: snapshot, count: height) == nil, "snapshot \(height) after \(count)")
            }
        }
        store.close()
        for (height, snapshot) in snapshots.enumerated() {
            #expect(try chain.difference(from: snapshot, count: height) == nil)
        }
    }

    @Test func snapshotsRememberWhatTheStoreDoes() throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: 3, seed: 10)
        let path = folder.file("chain")
        let first = try ChainStore(path: path, genesisHash: chain.genesis)
        try first.commit(Array(chain.commits.prefix(2)))
        first.close()
        let store = try ChainStore(path: path, genesisHash: chain.genesis)
        let key = StateKey.chain("counter")
        let before = try store.snapshot()
        #expect(before.rememberedValue(key) == nil)
        #expect(try before.value(key) == UInt64(2).borsh)
        #expect(before.rememberedValue(key) == nil, "what a snapshot's reader asks for takes no place of what the node needs")
        #expect(try store.value(key) == UInt64(2).borsh)
        #expect(before.rememberedValue(key) == .some(UInt64(2).borsh))
        try store.commit(chain.commits[2])
        #expect(before.rememberedValue(key) == nil)
        #expect(try store.snapshot().rememberedValue(key) == .some(UInt64(3).borsh))
    }

    /// What was read before a commit began, or while it went on, is neither remembered nor told of the state before it.
    @Test func whatIsReadBesideACommitIsNotRemembered() {
        let cache = StateCache()
        let key = StateCache.Key.value(.chain("counter"))
        func turn() -> UInt64? {
            guard case .unknown(let turn) = cache.find(key) else {
                Issue.record("it is known")
                return nil
            }
            return turn
        }
        let (read, past) = (turn(), cache.now)
        #expect(read != nil)
        cache.beginCommit()
        #expect(turn() == nil)
        cache.remember(key, [2], read)
        #expect(past.find(key) == nil)
        cache.endCommit([])
        cache.remember(key, [2], read)
        #expect(past.find(key) == nil)
        cache.remember(key, [2], turn())
        #expect(past.find(key) == nil)
        #expect(cache.now.find(key) == .some([2]))
    }

    /// Reads that run beside a commit may see what it writes before it has ended: they must not pass that off as older.
    @Test(arguments: [11, 12] as [UInt64]) func readsBesideCommits(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: 40, seed: seed)
        let store = try ChainStore(path: folder.file("chain"), genesisHash: chain.genesis)
        let counter = StateKey.chain("counter")
        let latest = Mutex<(height: UInt64, snapshot: ChainSnapshot)?>(nil)
        let isOver = Atomic(false)
        DispatchQueue.concurrentPerform(iterations: 3) { thread in
            if thread == 0 {
                defer { isOver.store(true, ordering: .releasing) }
                for (index, commit) in chain.commits.enumerated() {
                    do {
                        try store.commit(commit)
                        let snapshot = try store.snapshot()
                        latest.withLock { $0 = (UInt64(index) + 1, snapshot) }
                    } catch { Issue.record(error) }
                }
            } else {
                var seen: UInt64 = 0
                while !isOver.load(ordering: .acquiring) {
                    do {
                        if let bytes = try store.value(counter) {
                            let count = try UInt64(borsh: bytes)
                            if count < seen { Issue.record("\(count) after \(seen)") }
                            seen = count
                        }
                        guard let (height, snapshot) = latest.withLock({ $0 }) else { continue }
                        let found = try snapshot.value(counter)
                        if found != height.borsh { Issue.record("\(found ?? []) at \(height)") }
                    } catch { Issue.record(error) }
                }
            }
        }
        #expect(try chain.difference(from: store, count: 40) == nil)
    }

    /// The format before had no keys by their paths: they are made, and what is neither is refused.
    @Test func theFormatBeforeIsBroughtToThisOne() throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: 12, seed: 31)
        let path = folder.file("chain")
        let store = try ChainStore(path: path, genesisHash: chain.genesis)
        try store.commit(Array(chain.commits.prefix(9)))
        store.close()

        func change(format: UInt32, removesPaths: Bool) throws {
            let database = try LevelDB(path: path, options: LevelDB.Options(create: false))
            defer { database.close() }
            var batch = WriteBatch()
            let paths = try database.scan(prefix: [UInt8(ascii: "p")], limit: .max)
            #expect(!paths.isEmpty)
            if removesPaths { for entry in paths { batch.delete(entry.key) } }
            batch.put(Array("mformat".utf8), format.borsh)
            try database.write(batch, sync: true)
        }
        try change(format: 2, removesPaths: true)
        let upgraded = try ChainStore(path: path, genesisHash: chain.genesis)
        #expect(try chain.difference(from: upgraded, count: 9) == nil)
        try upgraded.commit(Array(chain.commits.dropFirst(9)))
        #expect(try chain.difference(from: upgraded, count: 12) == nil)
        upgraded.close()
        let again = try ChainStore(path: path, genesisHash: chain.genesis)
        #expect(try chain.difference(from: again, count: 12) == nil)
        again.close()
        for format in [1, Storage.formatVersion + 1] {
            try change(format: format, removesPaths: false)
            #expect(throws: StorageError.self) { try ChainStore(path: path, genesisHash: chain.genesis) }
        }
    }

    @Test func pages() throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: 20, seed: 5)
        let store = try ChainStore(path: folder.file("chain"), genesisHash: chain.genesis)
        try store.commit(chain.commits)
        let all = try store.scanState(prefix: [UInt8(ascii: "q")], limit: 100).map(\.key)
        var paged: [StateKey] = []
        while true {
            let page = try store.scanState(prefix: [UInt8(ascii: "q")], after: paged.last, limit: 2)
            if page.isEmpty { break }
            paged += page.map(\.key)
        }
        #expect(all.count == 3)
        #expect(paged == all)
        let account = try #require(chain.accounts.first { (try? store.history($0, limit: 100).count) ?? 0 > 3 })
        #expect(try store.history(account, from: 2, limit: 2).map(\.index) == [2, 3])
        #expect(try store.history(account, from: 1000, limit: 2).isEmpty)
        #expect(try store.history(account, from: .max, limit: 2).isEmpty)
        #expect(try store.history(.zero, limit: 2).isEmpty)
    }

    @Test func refusesWhatDoesNotFollow() throws {
        let folder = try TemporaryFolder()
        let chain = try SampleChain(blocks: 5, seed: 6)
        let other = try SampleChain(blocks: 5, seed: 7)
        let store = try ChainStore(path: folder.file("chain"), genesisHash: chain.genesis)
        func refuses(_ commits: [Commit]) throws {
            let before = try store.head()
            #expect {
                try store.commit(commits)
            } throws: {
                if case StorageError.outOfOrder = $0 { true } else { false }
            }
            #expect(try store.head() == before)
        }
        try refuses([chain.commits[1]])
        let second = chain.commits[1]
        try refuses([
            Commit(block: second.block, digest: second.digest, transactionIds: second.transactionIds, state: nil)
        ])
        try store.commit(Array(chain.commits.prefix(2)))
        try refuses([chain.commits[1]])
        try refuses([chain.commits[3]])
        try refuses([other.commits[2]])
        try refuses([chain.commits[2], chain.commits[2]])
        let lacking = chain.commits[2]
        try refuses([
            Commit(
                block: lacking.block, digest: lacking.digest, transactionIds: lacking.transactionIds + [.zero],
                state: lacking.state)
        ])
        try refuses([
            Commit(
                block: lacking.block, digest: lacking.digest, transactionIds: lacking.transactionIds,
                state: StateCommit(height: Height(3), values: []))
        ])
        try store.commit(chain.commits[2])
        #expect(try chain.difference(from: store, count: 3) == nil)
    }

    @Test func genesisStateGoesInAlone() throws {
        let folder = try TemporaryFolder()
        let store = try ChainStore(path: folder.file("chain"), genesisHash: .zero)
        #expect(try store.stateHeight() == nil)
        try store.commit(state: StateCommit(height: .zero, values: [(.chain("x"), [1])]))
        #expect(try store.stateHeight() == .zero)
        #expect(try store.value(.chain("x")) == [1])
        #expect(throws: StorageError.self) { try store.commit(state: StateCommit(height: Height(1), values: [])) }
    }

    @Test func anotherChainsHomeIsRefused() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("chain")
        let (mine, other) = (Digest(sha256: [1]), Digest(sha256: [2]))
        try ChainStore(path: path, genesisHash: mine).close()
        #expect(throws: StorageError.otherChain(path: path, found: mine, expected: other)) {
            try ChainStore(path: path, genesisHash: other)
        }
        #expect(StorageError.otherChain(path: path, found: mine, expected: other).description.contains("another chain"))
        let store = try ChainStore(path: path, genesisHash: mine)
        #expect(throws: StorageError.inUse(path: path)) { try ChainStore(path: path, genesisHash: mine) }
        withExtendedLifetime(store) {}
    }

    @Test func halfMadeStoreIsMadeAgain() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("chain")
        try FileManager.default.createDirectory(atPath: path + ".creating", withIntermediateDirectories: true)
        try put([1, 2, 3], at: path + ".creating/CURRENT")
        let store = try ChainStore(path: path, genesisHash: .zero)
        #expect(try store.head() == nil)
        #expect(!FileManager.default.fileExists(atPath: path + ".creating"))
    }

    @Test func emptiedFolderIsNotAnEmptyChain() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("chain")
        try ChainStore(path: path, genesisHash: .zero).close()
        for name in try FileManager.default.contentsOfDirectory(atPath: path) {
            try FileManager.default.removeItem(atPath: path + "/" + name)
        }
        #expect(throws: StorageError.notFound(path: path)) { try ChainStore(path: path, genesisHash: .zero) }
    }
}
