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

    /// Bytes of the format, made by its description alone: payloads of 0 and 7 bytes, a sync, then of 8, 9 and 40.
    private static let written =
        "45506a726e6c30310000000087b15b69080000000000000007000000a4ec928d0800000000000000070e151c232a3108"
        + "00000078ea92e92f00000000000000080f161d242b3239090000009afaed332f000000000000000910171e252c333a41"
        + "28000000461190392f00000000000000282f363d444b525960676e757c838a91989fa6adb4bbc2c9d0d7dee5ecf3fa01"
        + "080f161d242b3239"

    /// A journal holds votes that must be found again by every later program.
    @Test func theBytesStayWhatTheyAre() throws {
        let groups = [[0, 7], [8, 9, 40]].map { $0.map { count in (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7 + count) } } }
        let bytes = stride(from: 0, to: Self.written.count, by: 2).compactMap { place in
            UInt8(Self.written.dropFirst(place).prefix(2), radix: 16)
        }
        let folder = try TemporaryFolder()
        let path = folder.file("old")
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        #expect(try Journal(path: path).replayed == groups.flatMap { $0 })
        let new = folder.file("new")
        do {
            let journal = try Journal(path: new)
            for group in groups {
                try journal.append(group)
                try journal.sync()
            }
        }
        #expect(Array(try Data(contentsOf: URL(fileURLWithPath: new)).prefix(bytes.count)) == bytes)
    }

    /// All of a journal that was written anew is durable, before anything is appended to it.
    @Test func damageInAJournalThatWasCut() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("journal")
        let records: [[UInt8]] = [[1, 2, 3], [4], [5, 6]]
        do { try Journal(path: path).rewrite(records) }
        let sound = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(try Journal(path: path).replayed == records)
        // But for the last record: of that one nothing behind it tells.
        for place in 8..<8 + 16 * 2 + 4 {
            var bytes = sound
            bytes[place] ^= 1
            try bytes.write(to: URL(fileURLWithPath: path))
            #expect(throws: StorageError.self, "byte \(place)") { try Journal(path: path) }
        }
    }

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

    /// A cut file, as one that grew with each record leaves it, and one of its full size that has zeros from there on.
    @Test(arguments: [false, true]) func tornAtEveryByte(keepsSize: Bool) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("journal")
        let ends = try Self.fill(path)
        let file = try contents(path)
        let records = Self.groups.flatMap { $0 }
        for length in 8...(ends.last ?? 8) {
            let kept = Array(file.prefix(length))
            try put(kept + (keepsSize ? [UInt8](repeating: 0, count: 600 - length) : []), at: path)
            // A record that ends with zeros is whole where they are all that was lost.
            let whole = ends.prefix { end in end <= length || keepsSize && file[length..<end].allSatisfy { $0 == 0 } }
            let journal = try Journal(path: path)
            #expect(journal.replayed == Array(records.prefix(whole.count)))
            let tail = kept[min(length, whole.last ?? 8)...]
            #expect(journal.tornBytes == (tail.lastIndex { $0 != 0 }).map { $0 + 1 - tail.startIndex } ?? 0)
            #expect((journal.note == nil) == (journal.tornBytes == 0))
            try journal.append([[42]])
            try journal.sync()
            journal.close()
            let again = try Journal(path: path)
            #expect(again.replayed == Array(records.prefix(whole.count)) + [[42]])
            #expect(again.note == nil, "nothing is left of the torn tail")
        }
    }

    @Test(arguments: [false, true]) func damageAtEveryByte(hasRoom: Bool) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("journal")
        let ends = try Self.fill(path)
        let end = try #require(ends.last)
        let file = Array(try contents(path).prefix(hasRoom ? end + 600 : end))
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

    /// Nothing else tells room from records: a file of before there was room, and one whose room was lost, are as good.
    @Test func zeroesAtTheEndAreRoom() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("journal")
        let end = try #require(try Self.fill(path).last)
        let records = Array(try contents(path).prefix(end))
        for zeros in [0, 1, 15, 16, 17, 5000] {
            try put(records + [UInt8](repeating: 0, count: zeros), at: path)
            let journal = try Journal(path: path)
            #expect(journal.replayed == Self.groups.flatMap { $0 })
            #expect(journal.tornBytes == 0 && journal.note == nil && journal.byteCount == UInt64(end))
            try journal.append([[8], Array(repeating: 7, count: 100)])
            try journal.sync()
            journal.close()
            #expect(try Journal(path: path).replayed == Self.groups.flatMap { $0 } + [[8], Array(repeating: 7, count: 100)])
        }
    }

    /// What makes a sync cheap: a file that stays as long as it is while records go into its room.
    @Test func appendsIntoRoom() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("journal")
        let journal = try Journal(path: path, room: 4096)
        func size() throws -> Int { try contents(path).count }
        var sizes: Set<Int> = []
        for round in 0..<400 {
            try journal.append([Array(repeating: UInt8(round & 0xff), count: 100)])
            sizes.insert(try size())
        }
        // It grows with one record in 36: that one, and as many as its room takes.
        #expect(sizes.count == (400 + 35) / 36, "\(sizes.sorted())")
        try journal.rewrite([[1]])
        let after = try size()
        try journal.append([[2]])
        #expect(try size() == after)
        journal.close()
        #expect(try Journal(path: path).replayed == [[1], [2]])
    }

    /// The power fails between two syncs: of each sector that was written since, the disk has what was there or what is there.
    /// What was synced is read again, and what follows it is the beginning of what was appended then.
    @Test(arguments: 0..<24 as Range<UInt64>) func powerFailures(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let folder = try TemporaryFolder()
        let path = folder.file("journal")
        let room = [1, 64, 700, 5000].randomElement(using: &random) ?? 1
        var known: [[UInt8]] = []
        func record() -> [UInt8] {
            let isLong = Int.random(in: 0..<4, using: &random) == 0
            return (0..<Int.random(in: 0...(isLong ? 2_000 : 60), using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) & 0x83 }
        }
        for round in 0..<12 {
            let journal = try Journal(path: path, room: room)
            #expect(journal.replayed == known, "seed \(seed), round \(round)")
            known = journal.replayed
            for _ in 0..<Int.random(in: 0..<4, using: &random) {
                let records = (0..<Int.random(in: 0..<3, using: &random)).map { _ in record() }
                if Int.random(in: 0..<8, using: &random) == 0 {
                    try journal.rewrite(records)
                    known = records
                } else {
                    try journal.append(records)
                    try journal.sync()
                    known += records
                }
            }
            let synced = try contents(path)
            var appended: [[UInt8]] = []
            for _ in 0..<Int.random(in: 0..<4, using: &random) {
                let records = (0..<Int.random(in: 0..<3, using: &random)).map { _ in record() }
                try journal.append(records)
                appended += records
            }
            journal.close()
            var file = try contents(path)
            for sector in stride(from: 0, to: file.count, by: 512) where Bool.random(using: &random) {
                for place in sector..<min(sector + 512, file.count) { file[place] = place < synced.count ? synced[place] : 0 }
            }
            // The size is written apart from the bytes.
            if file.count > synced.count, Bool.random(using: &random) { file.removeLast(file.count - synced.count) }
            try put(file, at: path)
            let again = try Journal(path: path, room: room)
            let more = again.replayed.count - known.count
            try #require((0...appended.count).contains(more), "seed \(seed), round \(round)")
            #expect(again.replayed == known + appended.prefix(more), "seed \(seed), round \(round)")
            known = again.replayed
        }
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
