import Foundation

/// A file of batches that LevelDB does not hold yet, which is written from its beginning again once it does.
///
/// `{ magic, salt: u64, checksum of both: u32 }`, then records `{ salt: u64, number: u64, length: u32, checksum: u32, payload }`,
/// then what an earlier round left, or zeros. Numbers of one round follow one another, and are higher than all of the round
/// before. The checksum is the CRC-32C of number, length and payload. The salt is drawn when the file is made and known to
/// nobody else: what a batch holds comes from strangers, and none of it can be taken for a record.
///
/// Each record is synced before the next is written, so that one that does not check and has a later one behind it is damage;
/// without one it is what a crash has torn, which nobody was told of. The file has room ahead, for the reason that ``Journal``
/// gives. One thread uses it at a time; calls block while the disk works.
struct WriteAheadLog {
    struct Record {
        let number: UInt64
        let batch: WriteBatch
    }

    private static let magic = Array("EPahead1".utf8)
    private static let beginning = UInt64(magic.count + 12)
    private static let headerBytes = 24
    /// Zeros behind a record for which the file has to grow all the same.
    private static let growth: UInt64 = 256 << 10

    let path: String
    private let descriptor: Int32
    private let salt: UInt64
    private let synchronise: @Sendable (Int32) -> Int32
    /// Where the next record goes, and where the file ends.
    private var end = Self.beginning
    private var size: UInt64
    /// Of the newest record; 0 while there is none.
    private(set) var newest: UInt64 = 0
    /// Whether a write or a sync failed: what is on the disk is not known then.
    private var hasFailed = false

    /// Opens the file.
    ///
    /// - Parameters:
    ///   - room: bytes for records that the file has from the beginning.
    ///   - isMade: whether an empty one is made where there is none.
    ///   - stored: the newest record that LevelDB holds, whatever this file still has of it.
    ///   - found: told the records that it does not hold, in their order.
    /// - Throws: `.corrupt` where a record is damaged that had been synced, or the file is gone.
    init(
        path: String, room: Int, isMade: Bool, stored: UInt64, synchronise: @escaping @Sendable (Int32) -> Int32,
        found: (Record) -> Void
    ) throws(StorageError) {
        self.path = path
        self.synchronise = synchronise
        if access(path, F_OK) != 0 {
            guard isMade else { throw Self.damage(path, "is gone, with batches that were written") }
            try AtomicFile.write(Self.head(salt: .random(in: 1...UInt64.max)), to: path)
        }
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw Files.systemError(path, "open") }
        do throws(StorageError) {
            let file = try Files.read(descriptor, path: path)
            guard let salt: UInt64 = file.littleEndian(at: Self.magic.count), file.starts(with: Self.head(salt: salt)) else {
                throw Self.damage(path, "does not start like a log of batches")
            }
            self.salt = salt
            self.descriptor = descriptor
            // In pages: what is written together the system keeps together, and all of it would count as changed with each record.
            let zeros = [UInt8](repeating: 0, count: max(0, room - file.count))
            try Files.write(zeros, to: descriptor, at: UInt64(file.count), page: 4_096, path: path)
            size = UInt64(file.count + zeros.count)
            // What was read may be only in the page cache: nothing counts as durable before a sync of its own.
            guard synchronise(descriptor) == 0 else { throw Files.systemError(path, "fdatasync") }
            try read(file, stored: stored, found)
        } catch {
            Foundation.close(descriptor)
            throw error
        }
    }

    func close() { Foundation.close(descriptor) }

    /// Writes the batch and waits until it is on the disk.
    mutating func append(_ batch: WriteBatch, number: UInt64) throws(StorageError) {
        guard !hasFailed else { throw .inputOutput(path: path, detail: "an earlier write failed") }
        // Where the next record goes is known again only once the file is opened again.
        hasFailed = true
        let start = Self.start(of: batch, number: number, salt: salt)
        let next = end + UInt64(start.count + batch.bytes.count)
        if next > size {
            let zeros = [UInt8](repeating: 0, count: Int(Self.growth))
            try Files.write(start + batch.bytes + zeros, to: descriptor, at: end, page: 4_096, path: path)
            size = next + Self.growth
        } else {
            try Files.write(start, to: descriptor, at: end, path: path)
            try Files.write(batch.bytes, to: descriptor, at: end + UInt64(start.count), path: path)
        }
        guard synchronise(descriptor) == 0 else { throw Files.systemError(path, "fdatasync") }
        (end, newest) = (next, number)
        hasFailed = false
    }

    /// LevelDB holds all records: the next one is written over the first.
    mutating func restart() { end = Self.beginning }

    /// Of the folder: without one of its files it is of no use.
    private static func damage(_ path: String, _ detail: String) -> StorageError {
        .corrupt(path: Files.folder(of: path), detail: "\((path as NSString).lastPathComponent) \(detail)")
    }

    // MARK: Bytes

    /// Another salt than it was would make nothing of all records.
    private static func head(salt: UInt64) -> [UInt8] {
        var bytes = magic
        bytes.append(littleEndian: salt)
        var sum = CRC32C()
        bytes.withUnsafeBytes { sum.add($0) }
        bytes.append(littleEndian: sum.checksum)
        return bytes
    }

    /// Payload: u32 count of operations, of each u32 bytes of its key and u32 bytes of its value (2^32 - 1 for a delete), then
    /// keys and values as the batch has them.
    ///
    /// - Returns: all of the record but keys and values.
    private static func start(of batch: WriteBatch, number: UInt64, salt: UInt64) -> [UInt8] {
        let lengths = 4 + 8 * batch.operations.count
        let length = lengths + batch.bytes.count
        var bytes: [UInt8] = []
        bytes.reserveCapacity(headerBytes + lengths)
        bytes.append(littleEndian: salt)
        bytes.append(littleEndian: number)
        bytes.append(littleEndian: UInt32(truncatingIfNeeded: length))
        bytes.append(littleEndian: UInt32(0))
        bytes.append(littleEndian: UInt32(truncatingIfNeeded: batch.operations.count))
        for operation in batch.operations {
            bytes.append(littleEndian: UInt32(truncatingIfNeeded: operation.key.count))
            bytes.append(littleEndian: operation.value.map { UInt32(truncatingIfNeeded: $0.count) } ?? .max)
        }
        let sum = checksum(bytes[...], batch.bytes)
        for place in 0..<4 { bytes[headerBytes - 4 + place] = UInt8(truncatingIfNeeded: sum >> UInt32(8 * place)) }
        return bytes
    }

    /// - Parameter record: header and payload, or so much of it as has `rest` behind it.
    private static func checksum(_ record: ArraySlice<UInt8>, _ rest: [UInt8] = []) -> UInt32 {
        var sum = CRC32C()
        record.withUnsafeBytes { raw in
            sum.add(UnsafeRawBufferPointer(rebasing: raw[8..<(headerBytes - 4)]))
            sum.add(UnsafeRawBufferPointer(rebasing: raw[headerBytes...]))
        }
        rest.withUnsafeBytes { sum.add($0) }
        return sum.checksum
    }

    private mutating func read(
        _ file: [UInt8], stored: UInt64, _ found: (Record) -> Void
    ) throws(StorageError) {
        var offset = Int(Self.beginning)
        while let (number, next) = record(of: file, at: offset), newest == 0 || number == newest &+ 1 {
            if number > stored {
                let payload = file[(offset + Self.headerBytes)..<next]
                guard let batch = Self.batch(payload) else {
                    throw Self.damage(path, "has a record \(number) that does not decode")
                }
                found(Record(number: number, batch: batch))
            }
            newest = number
            offset = next
        }
        end = UInt64(offset)
        let expected = max(newest, stored)
        var place = offset + 1
        while place < file.count {
            if let (number, _) = record(of: file, at: place), number > expected {
                throw Self.damage(path, "has a record at byte \(offset) that is not what was written and synced")
            }
            place += 1
        }
        // All of it is in LevelDB: a new round.
        if newest <= stored { restart() }
    }

    private func record(of file: [UInt8], at offset: Int) -> (number: UInt64, next: Int)? {
        guard let salt: UInt64 = file.littleEndian(at: offset), salt == self.salt,
            let number: UInt64 = file.littleEndian(at: offset + 8), number > 0,
            let length: UInt32 = file.littleEndian(at: offset + 16),
            let sum: UInt32 = file.littleEndian(at: offset + 20)
        else { return nil }
        let start = offset + Self.headerBytes
        guard let count = Int(exactly: length), count <= file.count - start else { return nil }
        guard Self.checksum(file[offset..<(start + count)]) == sum else { return nil }
        return (number, start + count)
    }

    private static func batch(_ payload: ArraySlice<UInt8>) -> WriteBatch? {
        let payload = Array(payload)
        guard let count: UInt32 = payload.littleEndian(at: 0), let count = Int(exactly: count), count <= (payload.count - 4) / 8
        else { return nil }
        var operations: [WriteBatch.Operation] = []
        operations.reserveCapacity(count)
        let bytes = Array(payload[(4 + 8 * count)...])
        var place = 0
        for index in 0..<count {
            guard let key: UInt32 = payload.littleEndian(at: 4 + 8 * index), let value: UInt32 = payload.littleEndian(at: 8 + 8 * index)
            else { return nil }
            let isDelete = value == .max
            let (keyBytes, valueBytes) = (Int(key), isDelete ? 0 : Int(value))
            guard keyBytes <= bytes.count - place, valueBytes <= bytes.count - place - keyBytes else { return nil }
            let middle = place + keyBytes
            operations.append(
                WriteBatch.Operation(key: place..<middle, value: isDelete ? nil : middle..<(middle + valueBytes)))
            place = middle + valueBytes
        }
        guard place == bytes.count else { return nil }
        return WriteBatch(operations: operations, bytes: bytes)
    }
}
