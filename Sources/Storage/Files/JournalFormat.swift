import Encoding

/// The bytes of a journal file: a magic, then records `{ length: u32, checksum: u32, durable: u64, payload }`, then zeros.
///
/// `checksum` is the CRC-32C of length, durable and payload. `durable` is how many bytes of the file were synced when
/// the record was appended. It tells a torn tail from damage: bytes that no later record calls durable may be lost
/// in a crash, in any order; bytes that one does call durable may not.
///
/// The zeros are room for further records (``Journal``). They begin no record, since each has the magic before it and so a
/// `durable` of its own; what of the room has other bytes is a torn tail. A file may lack them, or any number of them.
enum JournalFormat {
    static let magic = Array("EPjrnl01".utf8)
    static let headerBytes = 16
    /// Bytes of one record's payload.
    static let longestRecord = 16 << 20

    static func append(_ payload: [UInt8], durable: UInt64, to bytes: inout [UInt8]) {
        let length = UInt32(truncatingIfNeeded: payload.count)
        bytes.append(littleEndian: length)
        bytes.append(littleEndian: payload.withUnsafeBytes { checksum(length: length, durable: durable, payload: $0) })
        bytes.append(littleEndian: durable)
        bytes.append(contentsOf: payload)
    }

    static func size(of payloads: [[UInt8]]) -> Int { payloads.reduce(0) { $0 + headerBytes + $1.count } }

    struct Content: Equatable {
        var records: [[UInt8]] = []
        /// Where the last whole record ends.
        var end: Int
        /// Where the torn tail ends, if there is one, and the room begins.
        var tornEnd: Int
    }

    enum Damage: Error, Equatable {
        case notAJournal
        /// A record at this offset does not check, and a later one says that it had been synced.
        case damaged(at: Int)
    }

    /// The records of the file up to its torn tail, if it has one.
    static func parse(_ file: [UInt8]) throws(Damage) -> Content {
        guard file.starts(with: magic) else { throw .notAJournal }
        var content = Content(end: magic.count, tornEnd: magic.count)
        while let record = record(of: file, at: content.end) {
            content.records.append(Array(record.payload))
            content.end = record.payload.endIndex
        }
        let start = content.end
        content.tornEnd = (file[start...].lastIndex { $0 != 0 }).map { $0 + 1 } ?? start
        // A record beyond the bad place that calls it durable: then it is no tail.
        var offset = start + 1
        while offset < content.tornEnd {
            if let later = record(of: file, at: offset), later.durable > UInt64(start) { throw .damaged(at: start) }
            offset += 1
        }
        return content
    }

    private static func record(of file: [UInt8], at offset: Int) -> (payload: ArraySlice<UInt8>, durable: UInt64)? {
        guard let length: UInt32 = file.littleEndian(at: offset), let expected: UInt32 = file.littleEndian(at: offset + 4),
            let durable: UInt64 = file.littleEndian(at: offset + 8)
        else { return nil }
        // What was durable lies before the record, and is at least the magic: zeros are no record.
        guard let count = Int(exactly: length), count <= longestRecord, count <= file.count - offset - headerBytes,
            durable >= UInt64(magic.count), durable <= UInt64(offset)
        else { return nil }
        let payload = file[(offset + headerBytes)..<(offset + headerBytes + count)]
        let found = payload.withUnsafeBytes { checksum(length: length, durable: durable, payload: $0) }
        guard found == expected else { return nil }
        return (payload, durable)
    }

    private static func checksum(length: UInt32, durable: UInt64, payload: UnsafeRawBufferPointer) -> UInt32 {
        var sum = CRC32C()
        withUnsafeBytes(of: length.littleEndian) { sum.add($0) }
        withUnsafeBytes(of: durable.littleEndian) { sum.add($0) }
        sum.add(payload)
        return sum.checksum
    }
}
