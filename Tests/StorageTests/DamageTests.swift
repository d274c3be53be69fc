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
        let log = try #require(try FileManager.default.contentsOfDirectory(atPath: home).first { $0.hasSuffix(".log") })
        let bytes = try contents(home + "/" + log)
        var counts: [Int] = []
        for length in stride(from: 0, through: bytes.count, by: max(1, bytes.count / 40)) {
            let result = try Self.reads(home, chain, in: folder) { try put(Array(bytes.prefix(length)), at: $0 + "/" + log) }
            counts.append(try #require(result.count, "\(result)"))
        }
        #expect(counts == counts.sorted() && counts.first == Self.count / 2)
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
}
