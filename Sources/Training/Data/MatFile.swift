import CZlib

/// Reads the numeric arrays of a MATLAB level 5 MAT-file ("MAT-File Format", The MathWorks, chapter 1): little-endian,
/// elements plain or compressed by zlib. Nothing is allocated before its length is known to be there, and nothing
/// inflates beyond the limit.
public struct MatFile: Sendable {
    /// A real, full array of numbers, in MATLAB's order: the first index runs fastest.
    public struct Array: Sendable {
        public let name: String
        public let dimensions: [Int]
        /// The bytes of the values, as stored.
        let bytes: ArraySlice<UInt8>
        let type: ValueType

        /// The values as bytes, when they are stored so or are whole numbers from 0 to 255.
        public func unsignedBytes() throws(DatasetError) -> [UInt8] {
            if type == .uint8 { return Swift.Array(bytes) }
            var result: [UInt8] = []
            result.reserveCapacity(bytes.count / type.size)
            var position = bytes.startIndex
            while position < bytes.endIndex {
                let value = type.value(bytes[position..<position + type.size])
                guard value >= 0, value <= 255, let byte = UInt8(exactly: value) else {
                    throw .mat("array \(name) has a value that is no whole number from 0 to 255")
                }
                result.append(byte)
                position += type.size
            }
            return result
        }
    }

    enum ValueType: UInt32, Sendable {
        case int8 = 1
        case uint8 = 2
        case int16 = 3
        case uint16 = 4
        case int32 = 5
        case uint32 = 6
        case single = 7
        case double = 9

        var size: Int {
            switch self {
            case .int8, .uint8: 1
            case .int16, .uint16: 2
            case .int32, .uint32, .single: 4
            case .double: 8
            }
        }

        /// The little-endian number in `size` bytes.
        func value(_ bytes: ArraySlice<UInt8>) -> Double {
            let bits = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return switch self {
            case .int8: Double(Int8(truncatingIfNeeded: bits))
            case .uint8, .uint16, .uint32: Double(bits)
            case .int16: Double(Int16(truncatingIfNeeded: bits))
            case .int32: Double(Int32(truncatingIfNeeded: bits))
            case .single: Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
            case .double: Double(bitPattern: bits)
            }
        }
    }

    public let arrays: [Array]

    private static let matrix: UInt32 = 14
    private static let compressed: UInt32 = 15
    /// A file that describes digits has two.
    private static let maximumArrays = 64

    /// - Parameter limit: the most bytes that the arrays may take when inflated.
    public init(_ file: [UInt8], limit: Int = ImageSet.maximumBytes) throws(DatasetError) {
        guard file.count >= 128 else { throw .truncated(expected: 128, found: file.count) }
        guard file[124] == 0, file[125] == 1, file[126] == 0x49, file[127] == 0x4D else {
            throw .mat("it is not a little-endian MATLAB 5 file (its header says version \(file[125]).\(file[124]))")
        }
        var arrays: [Array] = []
        var reader = Reader(bytes: file[...], position: 128)
        var budget = limit
        while reader.remaining > 0 {
            guard arrays.count < Self.maximumArrays else { throw .mat("it has more than \(Self.maximumArrays) arrays") }
            let (type, body) = try reader.element(padded: false)
            switch type {
            case Self.compressed:
                let inflated = try Self.inflated(body, limit: budget)
                budget -= inflated.count
                var inner = Reader(bytes: inflated[...], position: 0)
                let (type, body) = try inner.element(padded: false)
                guard type == Self.matrix else { throw .mat("a compressed element of type \(type) is no array") }
                arrays.append(try Self.array(body))
            case Self.matrix: arrays.append(try Self.array(body))
            default: throw .mat("an element of type \(type) stands where an array should")
            }
        }
        self.arrays = arrays
    }

    public func array(_ name: String) throws(DatasetError) -> Array {
        guard let array = arrays.first(where: { $0.name == name }) else {
            let names = arrays.map(\.name).joined(separator: ", ")
            throw .mat("there is no array \(name); it has \(names.isEmpty ? "none" : names)")
        }
        return array
    }

    /// Array flags, dimensions, name, values.
    private static func array(_ body: ArraySlice<UInt8>) throws(DatasetError) -> Array {
        var reader = Reader(bytes: body, position: body.startIndex)
        let (flagsType, flags) = try reader.element(padded: true)
        guard flagsType == ValueType.uint32.rawValue, flags.count == 8, let kind = flags.first else {
            throw .mat("an array's flags are damaged")
        }
        // Classes 6 to 13 are double, single and the integers up to 32 bits; flag 8 is for complex numbers.
        guard (6...13).contains(kind), flags[flags.startIndex + 1] & 8 == 0 else {
            throw .mat("an array of class \(kind) is not one of real numbers")
        }
        let (sizesType, sizes) = try reader.element(padded: true)
        guard sizesType == ValueType.int32.rawValue, sizes.count % 4 == 0, (2...4).contains(sizes.count / 4) else {
            throw .mat("an array's dimensions are damaged, or not 2 to 4")
        }
        var dimensions: [Int] = []
        var count = 1
        for start in stride(from: sizes.startIndex, to: sizes.endIndex, by: 4) {
            let size = Int(ValueType.int32.value(sizes[start..<start + 4]))
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard size >= 0, !overflow else { throw .mat("an array has a size of \(size)") }
            dimensions.append(size)
            count = product
        }
        let (nameType, nameBytes) = try reader.element(padded: true)
        guard nameType == ValueType.int8.rawValue, nameBytes.count <= 63 else { throw .mat("an array's name is damaged") }
        let name = String(decoding: nameBytes, as: UTF8.self)
        let (valuesType, values) = try reader.element(padded: true)
        guard let type = ValueType(rawValue: valuesType) else {
            throw .mat("the values of \(name) have type \(valuesType), which is no number of up to 32 bits or double")
        }
        let (expected, overflow) = count.multipliedReportingOverflow(by: type.size)
        guard !overflow, values.count == expected else {
            throw .mat("array \(name) declares \(count) values of \(type.size) bytes, but has \(values.count) bytes")
        }
        return Array(name: name, dimensions: dimensions, bytes: values, type: type)
    }

    private struct Reader {
        let bytes: ArraySlice<UInt8>
        var position: Int

        var remaining: Int { bytes.endIndex - position }

        private func word(at index: Int) throws(DatasetError) -> UInt32 {
            guard bytes.endIndex - index >= 4 else {
                throw .truncated(expected: index + 4 - bytes.startIndex, found: bytes.count)
            }
            return (0..<4).reversed().reduce(0) { $0 << 8 | UInt32(bytes[index + $1]) }
        }

        /// Type and body of the next element. Within an array elements are padded to 8 bytes, and small ones have type
        /// and length in one word.
        mutating func element(padded: Bool) throws(DatasetError) -> (UInt32, ArraySlice<UInt8>) {
            let first = try word(at: position)
            let start: Int
            let length: Int
            let type: UInt32
            if padded, first >> 16 != 0 {
                (type, length, start) = (first & 0xFFFF, Int(first >> 16), position + 4)
                guard length <= 4, remaining >= 8 else { throw .mat("a small element of \(length) bytes") }
                position += 8
            } else {
                (type, length, start) = (first, Int(try word(at: position + 4)), position + 8)
                guard length <= bytes.endIndex - start else {
                    throw .truncated(expected: start + length - bytes.startIndex, found: bytes.count)
                }
                let whole = padded ? (length + 7) / 8 * 8 : length
                // The last element of a file may do without its padding.
                position = min(bytes.endIndex, start + whole)
            }
            return (type, bytes[start..<start + length])
        }
    }

    private static func inflated(_ body: ArraySlice<UInt8>, limit: Int) throws(DatasetError) -> [UInt8] {
        try Gzip.inflated(Swift.Array(body), limit: limit, format: .zlib)
    }
}
