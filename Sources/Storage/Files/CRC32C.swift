import CCRC32C

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4): finds torn and damaged records, not forged ones.
package struct CRC32C {
    /// Whether the processor has an instruction for it, as nearly all have.
    private static let hasInstruction = ccrc_is_there()

    /// Eight tables of 256, for eight bytes at a time (Kounavis and Berry, "A Systematic Approach to Building High Performance
    /// Software-based CRC Generators", 2005): table n has what a byte makes n bytes later.
    private static let tables: [UInt32] = {
        var tables: [UInt32] = (0..<256).map { index in
            (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82f6_3b78 : value >> 1 }
        }
        for place in 256..<(8 * 256) {
            let before = tables[place - 256]
            tables.append(before >> 8 ^ tables[Int(before & 0xff)])
        }
        return tables
    }()

    private var value: UInt32 = .max
    private let byInstruction: Bool

    /// - Parameter portable: as any processor does it.
    package init(portable: Bool = false) { byInstruction = Self.hasInstruction && !portable }

    /// Of all bytes so far.
    package var checksum: UInt32 { ~value }

    package mutating func add(_ bytes: UnsafeRawBufferPointer) {
        if byInstruction {
            guard let start = bytes.bindMemory(to: UInt8.self).baseAddress else { return }
            return value = ccrc_add(value, start, bytes.count)
        }
        var value = value
        Self.tables.withUnsafeBufferPointer { tables in
            var place = 0
            while bytes.count - place >= 8 {
                let eight = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)) ^ UInt64(value)
                value = 0
                for byte in 0..<8 { value ^= tables[(7 - byte) * 256 + Int(eight >> UInt64(8 * byte) & 0xff)] }
                place += 8
            }
            while place < bytes.count {
                value = tables[Int((value ^ UInt32(bytes[place])) & 0xff)] ^ value >> 8
                place += 1
            }
        }
        self.value = value
    }
}
