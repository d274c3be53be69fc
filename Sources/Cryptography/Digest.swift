import Crypto
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

/// Incremental SHA-256.
public struct SHA256Hasher {
    private var state = SHA256()

    public init() {}

    public mutating func update(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { state.update(bufferPointer: $0) }
    }

    /// The text's UTF-8.
    public mutating func update(_ text: String) {
        var text = text
        text.withUTF8 { state.update(bufferPointer: UnsafeRawBufferPointer($0)) }
    }

    public mutating func update(_ value: some Bytes32) {
        value.words.withBytes { state.update(bufferPointer: $0) }
    }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        state.update(bufferPointer: bytes)
    }

    public func finalize() -> Digest {
        var result = Digest.zero
        state.finalize().withUnsafeBytes { raw in
            if let digest = Digest(raw) { result = digest }
        }
        return result
    }
}
