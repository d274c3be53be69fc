import Foundation
import Storage
import Testing

@Suite(.timeLimit(.minutes(20))) struct LevelDBTests {
    @Test func entriesComeBackInOrder() throws {
        let folder = try TemporaryFolder()
        let database = try LevelDB(path: folder.file("db"))
        var batch = WriteBatch()
        for index in (0..<200).reversed() { batch.put([7, UInt8(index)], [UInt8](repeating: UInt8(index), count: index)) }
        batch.put([6], [1])
        batch.put([8], [])
        batch.delete([7, 13])
        try database.write(batch, sync: true)

        #expect(try database.get([7, 13]) == nil)
        #expect(try database.get([8]) == [])
        let all = try database.scan(prefix: [7], limit: 1000)
        let expected: [UInt8] = (0..<200).filter { $0 != 13 }
        #expect(all.map { $0.key[1] } == expected)
        #expect(all.allSatisfy { $0.value.count == Int($0.key[1]) })
        let page = try database.scan(prefix: [7], from: [7, 12, 0], limit: 2)
        #expect(page.map(\.key) == [[7, 14], [7, 15]])
        #expect(try database.scan(prefix: [9], limit: 10).isEmpty)
        #expect(try database.scan(prefix: [7], from: [1], limit: 1).first?.key == [7, 0])
    }

    @Test func snapshotsDoNotMove() throws {
        let folder = try TemporaryFolder()
        let database = try LevelDB(path: folder.file("db"))
        var batch = WriteBatch()
        batch.put([1], [1])
        try database.write(batch, sync: false)
        let snapshot = try database.snapshot()
        batch.put([1], [2])
        batch.put([1, 1], [3])
        try database.write(batch, sync: false)
        #expect(try snapshot.get([1]) == [1])
        #expect(try snapshot.scan(prefix: [1], limit: 9).count == 1)
        #expect(try database.get([1]) == [2])
        database.close()
        #expect(try snapshot.get([1]) == [1], "a snapshot keeps the database open")
        #expect(throws: StorageError.closed(path: database.path)) { try database.get([1]) }
    }

    @Test func oneUserAFolder() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("block")
        let first = try LevelDB(path: path)
        #expect(throws: StorageError.inUse(path: path)) { try LevelDB(path: path) }
        first.close()
        _ = try LevelDB(path: path)
    }

    @Test func missingIsNotMade() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("db")
        #expect(throws: StorageError.notFound(path: path)) {
            try LevelDB(path: path, options: LevelDB.Options(create: false))
        }
    }
}
