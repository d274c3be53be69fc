import Encoding
import Foundation
import Storage
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(20))) struct LoggedDatabaseTests {
    private static func open(
        _ path: String, synchronise: @escaping @Sendable (Int32) -> Int32 = { fdatasync($0) }
    ) throws -> LoggedDatabase {
        // So small that a test goes through many rounds of both logs.
        var limits = LoggedDatabase.Limits()
        limits.largeBatch = 3_000
        limits.together = 24_000
        limits.synchronise = synchronise
        return try LoggedDatabase(try levels(path), limits: limits)
    }

    /// What an abandoned database had under way ends first, as a killed process's would not.
    private static func levels(_ path: String) throws -> LevelDB {
        while true {
            do throws(StorageError) { return try LevelDB(path: path) } catch {
                guard error == .inUse(path: path) else { throw error }
                usleep(1_000)
            }
        }
    }

    /// Keys that many batches touch, and what they hold.
    private struct Model: Equatable {
        var entries: [[UInt8]: [UInt8]] = [:]

        mutating func change(_ random: inout SeededGenerator, bytes: ClosedRange<Int>) -> WriteBatch {
            var batch = WriteBatch()
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                let key = [UInt8.random(in: 1...3, using: &random), UInt8.random(in: 0...40, using: &random)]
                if Int.random(in: 0..<4, using: &random) == 0 {
                    entries[key] = nil
                    batch.delete(key)
                } else {
                    let value = random.bytes(Int.random(in: bytes, using: &random))
                    entries[key] = value
                    batch.put(key, value)
                }
            }
            return batch
        }

        func entries(prefix: UInt8, from: [UInt8]?, limit: Int) -> [LevelDBEntry] {
            let found = entries.filter { key, _ in key.first == prefix && !(from.map { key.lexicographicallyPrecedes($0) } ?? false) }
            return found.sorted { $0.key.lexicographicallyPrecedes($1.key) }.prefix(limit).map { LevelDBEntry(key: $0, value: $1) }
        }
    }

    private static func difference(
        _ view: LoggedDatabase.View, from model: Model, _ random: inout SeededGenerator
    ) throws -> String? {
        for prefix in 1...3 as ClosedRange<UInt8> {
            guard try view.scan(prefix: [prefix], from: nil, limit: .max) == model.entries(prefix: prefix, from: nil, limit: .max)
            else { return "all that starts with \(prefix)" }
            let from = [prefix, UInt8.random(in: 0...41, using: &random)]
            let limit = Int.random(in: 1...9, using: &random)
            guard try view.scan(prefix: [prefix], from: from, limit: limit) == model.entries(prefix: prefix, from: from, limit: limit)
            else { return "\(limit) from \(from) on" }
            for place in 0...40 as ClosedRange<UInt8> {
                guard try view.get([prefix, place]) == model.entries[[prefix, place]] else { return "\(prefix) \(place)" }
            }
        }
        let most = try view.scan(prefix: [1], from: nil, limit: .max, bytes: 500)
        let all = model.entries(prefix: 1, from: nil, limit: .max)
        let sizes = all.map { $0.key.count + $0.value.count }
        guard most == Array(all.prefix(most.count)), most.count == all.count || sizes.prefix(most.count).reduce(0, +) >= 500,
            sizes.prefix(max(0, most.count - 1)).reduce(0, +) < 500
        else { return "what ends by its bytes" }
        return nil
    }

    /// Readers see what was written, whichever of the two logs and LevelDB has it, views what was there when they were taken;
    /// and all of it is there again when the process has ended, whether or not it closed the database.
    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func everythingComesBack(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("db")
        var random = SeededGenerator(seed: seed)
        var model = Model()
        for _ in 0..<12 {
            let database = try Self.open(path)
            #expect(try Self.difference(database.view(), from: model, &random) == nil, "seed \(seed), opened")
            var views: [(LoggedDatabase.View, Model)] = []
            for _ in 0..<Int.random(in: 1...120, using: &random) {
                let isLarge = Int.random(in: 0..<25, using: &random) == 0
                try database.write(model.change(&random, bytes: isLarge ? 3_000...4_000 : 0...200))
                if Int.random(in: 0..<8, using: &random) == 0 { views.append((try database.view(), model)) }
            }
            #expect(try Self.difference(database.view(), from: model, &random) == nil, "seed \(seed), written")
            for (view, then) in views {
                #expect(try Self.difference(view, from: then, &random) == nil, "seed \(seed), view")
            }
            if Bool.random(using: &random) { database.close() }
        }
        let levels = try Self.levels(path)
        #expect(try levels.get(Array("mahead".utf8)) != nil, "batches go to LevelDB")
    }

    /// What was written goes to LevelDB while the database is open, and the logs are written from their beginning again.
    @Test func logsStaySmall() throws {
        let folder = try TemporaryFolder()
        let database = try Self.open(folder.file("db"))
        var model = Model()
        var random = SeededGenerator(seed: 5)
        for _ in 0..<600 { try database.write(model.change(&random, bytes: 100...200)) }
        for name in ["ahead.0", "ahead.1"] {
            #expect(try contents(folder.file("db/\(name)")).count < 24_000 + 3_000 + (256 << 10) + 1_000)
        }
        database.close()
        let levels = try LevelDB(path: folder.file("db"))
        for (key, value) in model.entries { #expect(try levels.get(key) == value) }
    }

    /// Of a batch that the process was killed over all or nothing is there, and all before it.
    @Test(arguments: [1, 2] as [UInt64]) func aTornBatchIsNone(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        var random = SeededGenerator(seed: seed)
        for round in 0..<40 {
            let path = folder.file("db\(round)")
            var model = Model()
            let log = path + "/ahead.0"
            do {
                let database = try Self.open(path)
                for _ in 0..<Int.random(in: 0...10, using: &random) { try database.write(model.change(&random, bytes: 0...90)) }
            }
            let before = try contents(log)
            var last = model
            do {
                let database = try Self.open(path)
                try database.write(last.change(&random, bytes: 1...90))
            }
            // Some of its bytes have reached the disk.
            var torn = try contents(log)
            for place in torn.indices where place >= before.count || torn[place] != before[place] {
                if Bool.random(using: &random) { torn[place] = place < before.count ? before[place] : 0 }
            }
            if Bool.random(using: &random) { torn = Array(torn.prefix(Int.random(in: before.count...torn.count, using: &random))) }
            try put(torn, at: log)
            let database = try Self.open(path)
            let isThere = try Self.difference(database.view(), from: last, &random) == nil
            if !isThere { #expect(try Self.difference(database.view(), from: model, &random) == nil, "seed \(seed), round \(round)") }
            // What is written after it is found again.
            var now = isThere ? last : model
            try database.write(now.change(&random, bytes: 0...40))
            try database.write(now.change(&random, bytes: 0...40))
            #expect(try Self.difference(database.view(), from: now, &random) == nil)
        }
    }

    /// A batch that had been synced and does not check any more is told, whatever byte of it is another.
    @Test func damageIsTold() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("db")
        var random = SeededGenerator(seed: 9)
        var model = Model()
        var ends: [Int] = []
        let log = path + "/ahead.0"
        do {
            let database = try Self.open(path)
            for _ in 0..<3 {
                try database.write(model.change(&random, bytes: 20...40))
                ends.append(try contents(log).lastIndex { $0 != 0 } ?? 0)
            }
        }
        let sound = try contents(log)
        for place in stride(from: 16, to: ends[1], by: 7) {
            var damaged = sound
            damaged[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
            try put(damaged, at: log)
            #expect(throws: StorageError.self, "byte \(place)") { try Self.open(path) }
        }
        // The first record is gone: LevelDB lacks it, and the others follow it.
        let length = 24 + sound[32..<36].reversed().reduce(0) { $0 << 8 | Int($1) }
        try put(Array(sound.prefix(16) + sound.dropFirst(16 + length)), at: log)
        #expect(throws: StorageError.self) { try Self.open(path) }
        try put(sound, at: log)
        let database = try Self.open(path)
        #expect(try Self.difference(database.view(), from: model, &random) == nil)
    }

    /// A process killed between LevelDB's sync and the next record leaves logs with what LevelDB has already.
    @Test func oldLogsChangeNothing() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("db")
        var random = SeededGenerator(seed: 10)
        var model = Model()
        let database = try Self.open(path)
        for _ in 0..<5 { try database.write(model.change(&random, bytes: 0...90)) }
        let old = try contents(path + "/ahead.0")
        // Goes to LevelDB at once, and the five before it.
        var large = WriteBatch()
        for place in 0...40 as ClosedRange<UInt8> {
            large.put([1, place], [UInt8](repeating: place, count: 100))
            model.entries[[1, place]] = [UInt8](repeating: place, count: 100)
        }
        try database.write(large)
        database.close()
        try put(old, at: path + "/ahead.0")
        let again = try Self.open(path)
        #expect(try Self.difference(again.view(), from: model, &random) == nil)
        try again.write(model.change(&random, bytes: 0...90))
        #expect(try Self.difference(again.view(), from: model, &random) == nil)
    }

    /// Records are known by what only the file they are in says: bytes of a batch, which come from strangers, are none.
    @Test func recordsOfOthersAreNone() throws {
        let folder = try TemporaryFolder()
        var random = SeededGenerator(seed: 11)
        var model = Model()
        do {
            let database = try Self.open(folder.file("a"))
            for _ in 0..<3 { try database.write(model.change(&random, bytes: 0...90)) }
        }
        do { _ = try Self.open(folder.file("b")) }
        let others = try contents(folder.file("a/ahead.0"))
        let own = try contents(folder.file("b/ahead.0"))
        try put(own + others.dropFirst(own.count), at: folder.file("b/ahead.0"))
        let database = try Self.open(folder.file("b"))
        #expect(try Self.difference(database.view(), from: Model(), &random) == nil)
    }

    /// After a failed sync nobody knows what is on the disk: the database takes nothing more, and says so.
    @Test func aFailedSyncIsFinal() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("db")
        let fails = Mutex(false)
        var random = SeededGenerator(seed: 12)
        var model = Model()
        do {
            let database = try Self.open(path) { fails.withLock { $0 } ? -1 : fdatasync($0) }
            try database.write(model.change(&random, bytes: 0...90))
            fails.withLock { $0 = true }
            var unwritten = model
            #expect(throws: StorageError.self) { try database.write(unwritten.change(&random, bytes: 1...90)) }
            #expect(try Self.difference(database.view(), from: model, &random) == nil, "what was not synced is not shown")
            fails.withLock { $0 = false }
            #expect(throws: StorageError.self) { try database.write(unwritten.change(&random, bytes: 1...90)) }
            database.close()
            #expect(throws: StorageError.closed(path: path)) { try database.get([1, 1]) }
        }
        let again = try Self.open(path)
        try again.write(model.change(&random, bytes: 1...90))
    }
}
