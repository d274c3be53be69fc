import CSHA256
import Encoding

/// A SHA-256 digest.
public struct Digest: Bytes32 {
    public let words: Words256
    public init(words: Words256) { self.words = words }
}

extension Digest {
    /// SHA-256 of the bytes alone. Structures use ``init(domain:parts:)``.
    public init(sha256 bytes: [UInt8]) {
        var hasher = SHA256Hasher()
        hasher.update(bytes)
        self = hasher.finalize()
    }

    /// SHA-256 of an ASCII domain followed by the parts. The parts must have fixed lengths or carry their own.
    public init(domain: String, parts: [UInt8]...) {
        var hasher = SHA256Hasher()
        hasher.update(domain)
        for part in parts { hasher.update(part) }
        self = hasher.finalize()
    }

    /// The same of two digests.
    public init(domain: String, _ first: Digest, _ second: Digest) {
        var hasher = SHA256Hasher()
        hasher.update(domain)
        hasher.update(first)
        hasher.update(second)
        self = hasher.finalize()
    }
}

/// Incremental SHA-256. A value, which nothing allocates: most of what a chain hashes is as short as two digests.
public struct SHA256Hasher {
    private var state = csha_hasher()

    public init() { csha_begin(&state) }

    public mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { update($0) }
    }

    /// The text's UTF-8.
    public mutating func update(_ text: String) {
        var text = text
        text.withUTF8 { update(UnsafeRawBufferPointer($0)) }
    }

    public mutating func update(_ value: some Bytes32) {
        value.words.withBytes { update($0) }
    }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        csha_update(&state, start, bytes.count)
    }

    public func finalize() -> Digest {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { bytes in
            guard let start = bytes.baseAddress else { return .zero }
            withUnsafePointer(to: state) { csha_finish($0, start) }
            return Digest(words: Words256(contiguous: UnsafeRawBufferPointer(bytes)))
        }
    }
}
