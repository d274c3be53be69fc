import Dispatch
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
            for _ in 0..<4 {
                try database.write(model.change(&random, bytes: 20...40))
                ends.append(try contents(log).lastIndex { $0 != 0 } ?? 0)
            }
        }
        let sound = try contents(log)
        for place in Array(0..<20) + stride(from: 20, to: ends[2], by: 7) {
            var damaged = sound
            damaged[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
            try put(damaged, at: log)
            #expect(throws: StorageError.self, "byte \(place)") { try Self.open(path) }
        }
        // The first record is gone: LevelDB lacks it, and the others follow it.
        let length = 24 + sound[36..<40].reversed().reduce(0) { $0 << 8 | Int($1) }
        try put(Array(sound.prefix(20) + sound.dropFirst(20 + length)), at: log)
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

    /// What a failed write left in a log must not come behind a later batch: nothing is taken after it, small or large.
    @Test func nothingIsTakenAfterAFailedBatch() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("db")
        let fails = Mutex(false)
        var model: [UInt8: [UInt8]] = [:]
        func batch(_ value: [UInt8]) -> WriteBatch {
            var batch = WriteBatch()
            batch.put([1, 1], value)
            return batch
        }
        do {
            let database = try Self.open(path) { fails.withLock { $0 } ? -1 : fdatasync($0) }
            for value in 1...2 as ClosedRange<UInt8> { try database.write(batch([value])) }
            fails.withLock { $0 = true }
            #expect(throws: StorageError.self) { try database.write(batch([3])) }
            fails.withLock { $0 = false }
            model[1] = [2]
            do throws(StorageError) {
                try database.write(batch([UInt8](repeating: 4, count: 4_000)))
                model[1] = [UInt8](repeating: 4, count: 4_000)
            } catch {}
            database.close()
        }
        let found = try Self.open(path).get([1, 1])
        #expect(found == model[1] || model[1] == [2] && found == [3], "\(found?.prefix(3) ?? [])")
    }

    /// Once it is closed nothing of it is left that keeps the folder, also where something was on its way to LevelDB.
    @Test func closingFreesTheFolder() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("db")
        var limits = LoggedDatabase.Limits()
        limits.together = 1
        for round in 0..<200 as Range<UInt8> {
            let database = try LoggedDatabase(try LevelDB(path: path), limits: limits)
            for place in 0...2 as ClosedRange<UInt8> {
                var batch = WriteBatch()
                batch.put([1, place], [round])
                try database.write(batch)
            }
            database.close()
        }
    }

    /// Batches that came and synced are in the logs and in LevelDB, or the loss of a log is told.
    @Test(arguments: ["ahead.0", "ahead.1"]) func aLostLogIsTold(name: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("db")
        var random = SeededGenerator(seed: 13)
        var model = Model()
        do {
            let database = try Self.open(path)
            for _ in 0..<5 { try database.write(model.change(&random, bytes: 1...90)) }
        }
        try FileManager.default.removeItem(atPath: path + "/" + name)
        #expect(throws: StorageError.self) { try Self.open(path) }
    }

    /// The folder as it is at one instant: LevelDB may be about to merge its files.
    private static func copy(_ folder: String, to image: String) throws {
        let files = FileManager.default
        while true {
            let names = Set(try files.contentsOfDirectory(atPath: folder))
            do {
                try files.copyItem(atPath: folder, toPath: image)
                if Set(try files.contentsOfDirectory(atPath: folder)) == names { return }
            } catch is CocoaError {}
            try? files.removeItem(atPath: image)
        }
    }

    /// Power fails while a record is written, of whose sectors any may have reached the disk, and again in what is then
    /// started, and again: each time all is there that was written, and of the record all or nothing.
    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64]) func powerCuts(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        var random = SeededGenerator(seed: seed)
        var path = folder.file("db")
        var before = Model()
        var after = Model()
        for cut in 0..<40 {
            let names = ["ahead.0", "ahead.1"]
            let from = path
            let image = folder.file("db\(cut)")
            let synced = Mutex<[[UInt8]]>([])
            let countdown = Mutex(Int.random(in: 1...60, using: &random))
            let seed = random.next()
            let database = try Self.open(path) { descriptor in
                // A log is written by nobody else meanwhile, and LevelDB takes its own batch whole or not.
                var random = SeededGenerator(seed: seed)
                let isCut = countdown.withLock { left in
                    left -= 1
                    return left == 0
                }
                let files = names.map { (try? contents(from + "/" + $0)) ?? [] }
                if isCut {
                    do {
                        try Self.copy(from, to: image)
                        for (name, (now, then)) in zip(names, zip(files, synced.withLock { $0 })) {
                            var torn = then
                            for start in stride(from: 0, to: now.count, by: 512) where Bool.random(using: &random) {
                                let sector = now[start..<min(start + 512, now.count)]
                                if torn.count < sector.endIndex {
                                    torn += [UInt8](repeating: 0, count: sector.endIndex - torn.count)
                                }
                                torn.replaceSubrange(sector.indices, with: sector)
                            }
                            try put(torn, at: image + "/" + name)
                        }
                    } catch { return -1 }
                }
                synced.withLock { $0 = files }
                return fdatasync(descriptor)
            }
            let view = try database.view()
            let isThere = try Self.difference(view, from: after, &random) == nil
            if !isThere { #expect(try Self.difference(view, from: before, &random) == nil, "seed \(seed), cut \(cut)") }
            if !isThere { after = before }
            before = after
            for _ in 0..<200 where !FileManager.default.fileExists(atPath: image) {
                before = after
                let isLarge = Int.random(in: 0..<25, using: &random) == 0
                try database.write(after.change(&random, bytes: isLarge ? 3_000...4_000 : 0...200))
            }
            // Where the cut came with the opening, or not at all, the next is of the same folder.
            if FileManager.default.fileExists(atPath: image) { path = image } else { before = after }
        }
    }

    /// Readers in other threads see each batch whole, whatever goes to LevelDB meanwhile.
    @Test func readersSeeWholeBatches() throws {
        let folder = try TemporaryFolder()
        let database = try Self.open(folder.file("db"))
        func batch(_ number: UInt8) -> WriteBatch {
            var batch = WriteBatch()
            let value = [UInt8](repeating: number, count: number % 40 == 7 ? 400 : 60)
            // Half of the keys go and come.
            for place in 0..<20 as Range<UInt8> {
                if place % 2 == number % 2 { batch.delete([1, place]) } else { batch.put([1, place], value) }
            }
            return batch
        }
        try database.write(batch(0))
        let isOver = Mutex(false)
        let torn = Mutex<[String]>([])
        let readers = DispatchGroup()
        for reader in 0..<2 {
            readers.enter()
            Thread.detachNewThread {
                defer { readers.leave() }
                while !isOver.withLock({ $0 }) {
                    do {
                        let view = try database.view()
                        let whole = try view.scan(prefix: [1], from: nil, limit: reader == 0 ? .max : 10)
                        guard let first = whole.first?.value.first, whole.count == 10,
                            whole.allSatisfy({ $0.value.first == first && $0.key[1] % 2 != first % 2 })
                        else { return torn.withLock { $0.append("scan: \(whole.map { ($0.key, $0.value.first) })") } }
                        var pages: [LevelDBEntry] = []
                        while case let page = try view.scan(prefix: [1], from: pages.last.map { $0.key + [0] }, limit: 3), !page.isEmpty {
                            pages += page
                        }
                        guard pages == whole else { return torn.withLock { $0.append("pages") } }
                        for entry in whole where try view.get(entry.key) != entry.value {
                            return torn.withLock { $0.append("get") }
                        }
                    } catch { return torn.withLock { $0.append("\(error)") } }
                }
            }
        }
        for number in 1...4_000 { try database.write(batch(UInt8(truncatingIfNeeded: number))) }
        isOver.withLock { $0 = true }
        readers.wait()
        #expect(torn.withLock { $0 } == [])
    }
}
