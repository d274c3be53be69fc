/// Named tensors of 32-bit floats in the public safetensors format (github.com/huggingface/safetensors), which PyTorch
/// and others open.
///
/// ```
/// u64 length of the header, little-endian
/// header, JSON: { "__metadata__": { "key": "text", ... }, "name": { "dtype": "F32", "shape": [..], "data_offsets": [b, e] }, ... }
/// data; offsets count from here; ranges cover it without gaps or overlaps
/// ```
/// Files come from anybody. Nothing is allocated on a header's word alone, each tensor is copied once, and what a header
/// may declare is bounded. A file that is written is a function of its contents: the header lists metadata in the order
/// of their keys and tensors in the order given, and ends on a multiple of 8 bytes.
public struct Safetensors: Sendable, Equatable {
    public struct Tensor: Sendable, Equatable {
        public let name: String
        public let shape: [Int]
        public let values: [Float]

        public init(name: String, shape: [Int], values: [Float]) {
            self.name = name
            self.shape = shape
            self.values = values
        }
    }

    public static let longestHeader = 1 << 20
    public static let maximumTensors = 1_024
    /// The public libraries allow more; no parameter of a model has more.
    static let maximumRank = 8

    public let metadata: [String: String]
    /// In the order of their data.
    public let tensors: [Tensor]

    public init(tensors: [Tensor], metadata: [String: String] = [:]) {
        self.tensors = tensors
        self.metadata = metadata
    }

    // MARK: Writing

    /// The file. Each tensor must have as many values as its shape says.
    public var bytes: [UInt8] {
        var entries: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }.map { "\(JSONText.quoted($0.key)):\(JSONText.quoted($0.value))" }
            entries.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        var offset = 0
        for tensor in tensors {
            let end = offset + 4 * tensor.values.count
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            entries.append(
                "\(JSONText.quoted(tensor.name)):{\"dtype\":\"F32\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}")
            offset = end
        }
        var header = Array("{\(entries.joined(separator: ","))}".utf8)
        header.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - header.count % 8) % 8))
        var result: [UInt8] = []
        result.reserveCapacity(8 + header.count + offset)
        for shift in stride(from: 0, to: 64, by: 8) { result.append(UInt8(truncatingIfNeeded: header.count >> shift)) }
        result.append(contentsOf: header)
        for tensor in tensors { result.append(contentsOf: tensor.values.littleEndianBytes) }
        return result
    }

    // MARK: Reading

    public init(bytes: [UInt8]) throws(SafetensorsError) {
        guard bytes.count >= 8 else { throw .truncated(needed: 8, found: bytes.count) }
        let declared = bytes[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard declared <= UInt64(Self.longestHeader) else {
            throw .headerTooLong(declared, limit: Self.longestHeader)
        }
        let start = 8 + Int(declared)
        guard bytes.count >= start else { throw .truncated(needed: start, found: bytes.count) }
        var header = SafetensorsHeader(bytes[8..<start])
        try header.read()
        let dataCount = bytes.count - start

        // Sorted by place, the ranges must follow each other from the first byte to the last.
        let entries = header.entries.sorted { ($0.begin, $0.end) < ($1.begin, $1.end) }
        var covered = 0
        for entry in entries {
            guard entry.type == "F32" else { throw .type(entry.type, of: entry.name) }
            guard entry.shape.count <= Self.maximumRank else { throw .shape(entry.shape, of: entry.name) }
            var count = 1
            for size in entry.shape {
                let (product, overflow) = count.multipliedReportingOverflow(by: size)
                guard size >= 1, !overflow, product <= ModelSpec.maximumParameters else {
                    throw .shape(entry.shape, of: entry.name)
                }
                count = product
            }
            guard entry.begin <= entry.end, entry.end <= dataCount, entry.end - entry.begin == 4 * count else {
                throw .offsets(begin: entry.begin, end: entry.end, of: entry.name)
            }
            guard entry.begin == covered else { throw .coverage(at: min(entry.begin, covered)) }
            covered = entry.end
        }
        guard covered == dataCount else { throw .coverage(at: covered) }
        metadata = header.metadata
        tensors = entries.map {
            Tensor(
                name: $0.name, shape: $0.shape,
                values: [Float](littleEndianBytes: bytes[start + $0.begin..<start + $0.end]))
        }
    }
}
