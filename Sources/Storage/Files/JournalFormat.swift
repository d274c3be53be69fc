import Encoding

/// The bytes of a journal file: a magic, then records `{ length: u32, checksum: u32, durable: u64, payload }`.
///
/// `checksum` is the CRC-32C of length, durable and payload. `durable` is how many bytes of the file were synced when
/// the record was appended. It tells a torn tail from damage: bytes that no later record calls durable may be lost
/// in a crash, in any order; bytes that one does call durable may not.
enum JournalFormat {
    static let magic = Array("EPjrnl01".utf8)
    static let headerBytes = 16
    /// Bytes of one record's payload.
    static let longestRecord = 16 << 20

    static func frame(_ payload: [UInt8], durable: UInt64) -> [UInt8] {
        let length = UInt32(truncatingIfNeeded: payload.count)
        var encoder = BorshEncoder(reserving: payload.count + headerBytes)
        encoder.integer(length)
        encoder.integer(checksum(length: length, durable: durable, payload: payload[...]))
        encoder.integer(durable)
        encoder.fixed(payload)
        return encoder.bytes
    }

    struct Content: Equatable {
        var records: [[UInt8]] = []
        /// Where the last whole record ends.
        var end: Int
    }

    enum Damage: Error, Equatable {
        case notAJournal
        /// A record at this offset does not check, and a later one says that it had been synced.
        case damaged(at: Int)
    }

    /// The records of the file up to its torn tail, if it has one.
    static func parse(_ file: [UInt8]) throws(Damage) -> Content {
        guard file.starts(with: magic) else { throw .notAJournal }
        var content = Content(end: magic.count)
        while let record = record(of: file, at: content.end) {
            content.records.append(Array(record.payload))
            content.end = record.payload.endIndex
        }
        let start = content.end
        // A record beyond the bad place that calls it durable: then it is no tail.
        var offset = start + 1
        while offset + headerBytes <= file.count {
            if let later = record(of: file, at: offset), later.durable > UInt64(start) { throw .damaged(at: start) }
            offset += 1
        }
        return content
    }

    private static func record(of file: [UInt8], at offset: Int) -> (payload: ArraySlice<UInt8>, durable: UInt64)? {
        guard file.count - offset >= headerBytes else { return nil }
        let length: UInt32 = integer(file, at: offset)
        let expected: UInt32 = integer(file, at: offset + 4)
        let durable: UInt64 = integer(file, at: offset + 8)
        // What was durable lies before the record, and is at least the magic: zeros are no record.
        guard let count = Int(exactly: length), count <= longestRecord, count <= file.count - offset - headerBytes,
            durable >= UInt64(magic.count), durable <= UInt64(offset)
        else { return nil }
        let payload = file[(offset + headerBytes)..<(offset + headerBytes + count)]
        guard checksum(length: length, durable: durable, payload: payload) == expected else { return nil }
        return (payload, durable)
    }

    private static func checksum(length: UInt32, durable: UInt64, payload: ArraySlice<UInt8>) -> UInt32 {
        var fields = BorshEncoder(reserving: 12)
        fields.integer(length)
        fields.integer(durable)
        return CRC32C.checksum([fields.bytes[...], payload].joined())
    }

    private static func integer<T: FixedWidthInteger>(_ bytes: [UInt8], at offset: Int) -> T {
        var value: T = 0
        withUnsafeMutableBytes(of: &value) { target in
            for index in 0..<MemoryLayout<T>.size { target[index] = bytes[offset + index] }
        }
        return T(littleEndian: value)
    }
}
