import Foundation
import Storage
import Synchronization
import Testing

/// A disk on which a sync fails while it is told to.
private final class FailingDisk: Sendable {
    let isFailing = Mutex(false)

    @Sendable func synchronise(_ descriptor: Int32) -> Int32 {
        guard isFailing.withLock({ $0 }) else { return fdatasync(descriptor) }
        errno = EIO
        return -1
    }
}

@Suite(.timeLimit(.minutes(20))) struct JournalTests {
    private static let groups: [[[UInt8]]] = [
        [[1, 2, 3]], [[], [4]], [Array(repeating: 9, count: 40)], [[5, 5], [6], [7, 7, 7]],
    ]

    /// Appends the groups, each with a sync. Returns where each record ends.
    private static func fill(_ path: String) throws -> [Int] {
        let journal = try Journal(path: path)
        var ends: [Int] = []
        for group in groups {
            for record in group {
                try journal.append([record])
                ends.append(Int(journal.byteCount))
            }
            try journal.sync()
        }
        return ends
    }

    @Test func replays() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("journal")
        _ = try Self.fill(path)
        let journal = try Journal(path: path)
        #expect(journal.replayed == Self.groups.flatMap { $0 })
        #expect(journal.note == nil && journal.tornBytes == 0)
        try journal.append([[8], [9]])
        try journal.sync()
        journal.close()
        #expect(try Journal(path: path).replayed == Self.groups.flatMap { $0 } + [[8], [9]])
    }

    @Test func tornAtEveryByte() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("journal")
        let ends = try Self.fill(path)
        let file = try contents(path)
        let records = Self.groups.flatMap { $0 }
        for length in 8...file.count {
            try put(Array(file.prefix(length)), at: path)
            let whole = ends.filter { $0 <= length }
            let journal = try Journal(path: path)
            #expect(journal.replayed == Array(records.prefix(whole.count)))
            #expect(journal.tornBytes == length - (whole.last ?? 8))
            #expect((journal.note == nil) == (journal.tornBytes == 0))
            try journal.append([[42]])
            try journal.sync()
            journal.close()
            #expect(try Journal(path: path).replayed == Array(records.prefix(whole.count)) + [[42]])
        }
    }

    @Test func damageAtEveryByte() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("journal")
        let ends = try Self.fill(path)
        let file = try contents(path)
        let records = Self.groups.flatMap { $0 }
        let lastGroup = ends[ends.count - 1 - Self.groups[Self.groups.count - 1].count]
        for place in file.indices {
            var damaged = file
            damaged[place] ^= 0x10
            try put(damaged, at: path)
            if place < lastGroup {
                #expect {
                    try Journal(path: path)
                } throws: { error in
                    if case StorageError.corruptJournal(path, _) = error { true } else { false }
                }
                #expect(try contents(path) == damaged, "a damaged journal is left as it is")
            } else {
                // Nothing after it says that it was synced: it may be torn, and out of order at that.
                let journal = try Journal(path: path)
                let expected = ends.filter { $0 <= place }.count
                #expect(journal.replayed == Array(records.prefix(expected)))
                #expect(journal.note != nil)
            }
        }
    }

    @Test func zeroesAtTheEndAreATornTail() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("journal")
        _ = try Self.fill(path)
        try put(try contents(path) + [UInt8](repeating: 0, count: 5000), at: path)
        let journal = try Journal(path: path)
        #expect(journal.replayed == Self.groups.flatMap { $0 })
        #expect(journal.tornBytes == 5000)
    }

    @Test func rewriteCuts() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("journal")
        _ = try Self.fill(path)
        // What a kill in the middle of an earlier rewrite left.
        try put([1, 2, 3], at: path + ".new")
        let journal = try Journal(path: path)
        try journal.rewrite([[1], [2]])
        try journal.append([[3]])
        try journal.sync()
        #expect(throws: StorageError.inUse(path: path)) { try Journal(path: path) }
        journal.close()
        #expect(try Journal(path: path).replayed == [[1], [2], [3]])
        #expect(throws: StorageError.closed(path: path)) { try journal.append([[4]]) }
    }

    @Test func failedSyncIsFinal() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("journal")
        let disk = FailingDisk()
        let journal = try Journal(path: path, synchronise: disk.synchronise)
        try journal.append([[1]])
        try journal.sync()
        try journal.append([[2]])
        disk.isFailing.withLock { $0 = true }
        #expect(throws: StorageError.self) { try journal.sync() }
        disk.isFailing.withLock { $0 = false }
        for call in [{ try journal.sync() }, { try journal.append([[3]]) }, { try journal.rewrite([]) }] {
            #expect {
                try call()
            } throws: {
                if case StorageError.journalFailed = $0 { true } else { false }
            }
        }
    }

    /// What is rewritten takes the old journal's place when it is on the disk, and not before.
    @Test func aRewriteThatCannotBeSyncedChangesNothing() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("journal")
        let disk = FailingDisk()
        let journal = try Journal(path: path, synchronise: disk.synchronise)
        try journal.append([[1], [2]])
        try journal.sync()
        disk.isFailing.withLock { $0 = true }
        #expect(throws: StorageError.self) { try journal.rewrite([[2]]) }
        journal.close()
        #expect(try Journal(path: path).replayed == [[1], [2]])
    }

    @Test func refusesWhatIsNoJournal() throws {
        let folder = try TemporaryFolder()
        for bytes in [[], [1, 2, 3], Array("not a journal at all".utf8)] as [[UInt8]] {
            try put(bytes, at: folder.file("file"))
            #expect(throws: StorageError.self) { try Journal(path: folder.file("file")) }
        }
        #expect(throws: StorageError.notFound(path: folder.file("none/file.new"))) {
            try Journal(path: folder.file("none/file"))
        }
        let journal = try Journal(path: folder.file("journal"))
        #expect(throws: StorageError.self) { try journal.append([[UInt8](repeating: 0, count: 17 << 20)]) }
        try journal.append([[1]])
    }
}

@Suite(.timeLimit(.minutes(20))) struct AtomicFileTests {
    @Test func replacesWhole() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("file")
        try AtomicFile.write([1, 2], to: path)
        try AtomicFile.write([3], to: path, mode: 0o644)
        #expect(try AtomicFile.read(path) == [3])
        #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o644)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["file"])
        #expect(throws: StorageError.self) { try AtomicFile.write([1], to: folder.file("none/file")) }
        #expect(throws: StorageError.notFound(path: folder.file("other"))) { try AtomicFile.read(folder.file("other")) }
    }
}
