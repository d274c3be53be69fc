import Cryptography
import Foundation
import Primitives
import Storage
import Synchronization
import Testing

/// A store that is made from a state instead of a chain.
@Suite(.timeLimit(.minutes(20))) struct SnapshotImportTests {
    private static let headHeight = 8

    private func chain() throws -> SampleChain { try SampleChain(blocks: 14, seed: 21) }

    /// The values that the head's header would certify: those after the block before it.
    private func values(_ chain: SampleChain) -> [(StateKey, [UInt8])] {
        var values: [StateKey: [UInt8]] = [:]
        for commit in chain.commits.prefix(Self.headHeight) {
            for (key, value) in commit.state?.values ?? [] { values[key] = value }
        }
        return values.sorted { $0.key < $1.key }
    }

    private func link(_ epoch: UInt64, _ chain: SampleChain) throws -> EpochLink {
        let key = PrivateKey.generate()
        let header = Header(
            height: Height(epoch + 1), view: View(1), epoch: Epoch(epoch), parent: .zero, proposer: 0, time: Time(1),
            transactionsRoot: .zero, stateRoot: .zero, receiptsRoot: .zero, gasUsed: 0, reveal: .zero, randomness: .zero,
            activeSetHash: .zero, nextSetHash: .zero, parentCertificateHash: .zero)
        let subject = Finalize(epoch: Epoch(epoch), view: View(1), digest: header.digest(genesis: chain.genesis))
        let vote = Vote(
            subject: subject, signer: 0, signature: try key.sign(subject, domain: Finalize.domain, genesis: chain.genesis))
        return EpochLink(
            header: header, finalization: try #require(Certificate(subject: subject, votes: [vote])),
            nextSet: try MasternodeSet([
                Masternode(name: "m", consensusKey: key.publicKey, owner: .zero, beaconTip: .zero)
            ]))
    }

    private func finish(_ path: String, _ chain: SampleChain, links: [EpochLink] = []) throws {
        let made = try SnapshotImport(path: path, genesisHash: chain.genesis)
        let values = values(chain)
        try made.add(values: Array(values.prefix(4)), pagePuts: [([1], [2])], pageRemovals: [])
        #expect(try made.page([1]) == [2])
        try made.add(values: Array(values.dropFirst(4)), pagePuts: [([3], [4])], pageRemovals: [[1]])
        #expect(try made.page([1]) == nil)
        try made.finish(chain.commits[Self.headHeight - 1], links: links)
    }

    /// Reads a chain, and counts what is read of it.
    private final class ReadChain: ChainReading {
        let path: String
        private let chain: any ChainReading
        let entries = Mutex(0)

        init(_ chain: any ChainReading) {
            self.chain = chain
            path = chain.path
        }

        func get(_ key: [UInt8]) throws(StorageError) -> [UInt8]? { try chain.get(key) }

        func scan(prefix: [UInt8], from: [UInt8]?, limit: Int) throws(StorageError) -> [LevelDBEntry] {
            let found = try chain.scan(prefix: prefix, from: from, limit: limit)
            entries.withLock { $0 += found.count }
            return found
        }
    }

    /// Links are counted once, however many ask; a view of before has fewer, and is not told of those that came after.
    @Test func linksAreCountedOnce() throws {
        let folder = try TemporaryFolder()
        let chain = try chain()
        let links = try (0..<40).map { try link(UInt64($0) * 3, chain) }
        try finish(folder.file("db"), chain, links: Array(links.prefix(25)))
        let store = try ChainStore(path: folder.file("db"), genesisHash: chain.genesis)
        defer { store.close() }
        let (count, old) = (LinkCount(), ReadChain(try store.snapshot()))
        #expect(try count.count(in: old) == 25)
        #expect(old.entries.withLock { $0 } == 25)
        for _ in 0..<10 { #expect(try count.count(in: old) == 25) }
        #expect(old.entries.withLock { $0 } == 35, "each time the last one, to see whether the chain has it")

        // More, with blocks of theirs.
        for (commit, link) in zip(chain.commits.dropFirst(Self.headHeight), links.dropFirst(25)) {
            try store.commit(
                Commit(
                    block: commit.block, digest: commit.digest, transactionIds: commit.transactionIds, state: commit.state,
                    link: link))
        }
        let added = chain.commits.count - Self.headHeight
        let new = ReadChain(try store.snapshot())
        #expect(try count.count(in: new) == 25 + added)
        #expect(new.entries.withLock { $0 } == 1 + added)
        #expect(try count.count(in: old) == 25 && count.count(in: new) == 25 + added)
        #expect(try LinkCount().count(in: ReadChain(store)) == 25 + added)
    }

    @Test func theStoreGoesOnFromTheSnapshot() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("db")
        let chain = try chain()
        let links = try [2, 7, 300].map { try link($0, chain) }
        try finish(path, chain, links: links.reversed())
        #expect(!FileManager.default.fileExists(atPath: SnapshotImport.folder(for: path)))

        var store = try ChainStore(path: path, genesisHash: chain.genesis)
        let head = chain.commits[Self.headHeight - 1]
        #expect(try store.head() == ChainHead(height: Height(8), digest: head.digest))
        #expect(try store.stateHeight() == Height(7) && store.base() == Height(8))
        #expect(try store.block(at: Height(8)) == head.block && store.block(at: Height(7)) == nil)
        #expect(try store.links() == links)
        #expect(try store.links(from: Epoch(3), limit: 1) == [links[1]])
        var found: [StateKey] = []
        try store.everyValue { key, value in
            found.append(key)
            #expect(values(chain).first { $0.0 == key }?.1 == value)
        }
        #expect(found == values(chain).map(\.0))
        #expect(try store.keys(from: .zero, limit: 1_000).map(\.key) == found.sorted { $0.path < $1.path })

        // What follows is stored as in any other store, and nothing else.
        #expect(throws: StorageError.self) { try store.commit(chain.commits[Self.headHeight + 1]) }
        try store.commit(Array(chain.commits.dropFirst(Self.headHeight)))
        store.close()
        store = try ChainStore(path: path, genesisHash: chain.genesis)
        #expect(try store.head()?.height == Height(14) && store.base() == Height(8))
        // Histories begin where the snapshot ended, and say so by their indices.
        for account in chain.accounts {
            let all = chain.commits.flatMap { $0.state?.history ?? [] }.filter { $0.0 == account }.map(\.1)
            let later = all.filter { $0.height >= Height(8) }
            #expect(try store.history(account, limit: 100) == later)
            if let last = later.last { #expect(try store.history(account, from: last.index, limit: 1) == [last]) }
        }
        store.close()
    }

    @Test func nothingCountsBeforeTheEnd() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("db")
        let chain = try chain()
        let unfinished = try SnapshotImport(path: path, genesisHash: chain.genesis)
        try unfinished.add(values: values(chain), pagePuts: [], pageRemovals: [])
        unfinished.close()
        #expect(!FileManager.default.fileExists(atPath: path))
        // The next attempt starts over, and an empty store makes room.
        try ChainStore(path: path, genesisHash: chain.genesis).close()
        try finish(path, chain)
        let store = try ChainStore(path: path, genesisHash: chain.genesis)
        #expect(try store.base() == Height(8))
        store.close()
        // One with blocks does not.
        #expect(throws: StorageError.self) { try finish(path, chain) }
        try SnapshotImport.discard(path)
        #expect(!FileManager.default.fileExists(atPath: SnapshotImport.folder(for: path)))
        let kept = try ChainStore(path: path, genesisHash: chain.genesis)
        #expect(try kept.head()?.height == Height(8))
        kept.close()
    }

    @Test func linksComeWithTheirBlock() throws {
        let folder = try TemporaryFolder()
        let chain = try chain()
        let store = try ChainStore(path: folder.file("db"), genesisHash: chain.genesis)
        var expected: [EpochLink] = []
        for (index, commit) in chain.commits.enumerated() {
            let link = index % 3 == 0 ? try link(UInt64(index), chain) : nil
            try store.commit(
                Commit(
                    block: commit.block, digest: commit.digest, transactionIds: commit.transactionIds, state: commit.state,
                    link: link))
            if let link { expected.append(link) }
            #expect(try store.links() == expected)
        }
        #expect(try store.base() == Height(1))
        store.close()
    }
}
