import CZlib

/// Decompression of gzip (RFC 1952) by the system's zlib, never beyond a limit.
enum Gzip {
    /// Whether the data start like gzip.
    static func isCompressed(_ bytes: [UInt8]) -> Bool {
        bytes.count >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B
    }

    enum Format {
        case gzip
        /// RFC 1950, as in MAT-files.
        case zlib

        /// The largest window; 16 asks for gzip's header and trailer.
        var windowBits: Int32 { self == .gzip ? 15 + 16 : 15 }
        var name: String { self == .gzip ? "gzip" : "zlib" }
    }

    /// One gzip member, which must end where the bytes end. The checksum is zlib's to check.
    static func decompress(_ input: [UInt8], limit: Int) throws(DatasetError) -> [UInt8] {
        try inflated(input, limit: limit, format: .gzip)
    }

    static func inflated(_ input: [UInt8], limit: Int, format: Format) throws(DatasetError) -> [UInt8] {
        // zlib counts input in 32 bits.
        guard let inputCount = UInt32(exactly: input.count) else { throw .tooLarge(limit: Int(UInt32.max)) }
        var stream = z_stream()
        guard inflateInit2_(&stream, format.windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw .compressed(format.name, "zlib cannot start")
        }
        defer { inflateEnd(&stream) }

        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        var status = Z_OK
        var source = input
        source.withUnsafeMutableBufferPointer { source in
            stream.next_in = source.baseAddress
            stream.avail_in = inputCount
            repeat {
                chunk.withUnsafeMutableBufferPointer { buffer in
                    stream.next_out = buffer.baseAddress
                    stream.avail_out = UInt32(buffer.count)
                    status = inflate(&stream, Z_NO_FLUSH)
                    output.append(contentsOf: buffer.prefix(buffer.count - Int(stream.avail_out)))
                }
            } while status == Z_OK && output.count <= limit
        }
        guard output.count <= limit else { throw .tooLarge(limit: limit) }
        switch status {
        case Z_STREAM_END: break
        case Z_BUF_ERROR: throw .compressed(format.name, "it ends too early")
        case Z_DATA_ERROR: throw .compressed(format.name, "its content or checksum is wrong")
        default: throw .compressed(format.name, "zlib status \(status)")
        }
        guard stream.avail_in == 0 else { throw .trailingBytes(Int(stream.avail_in)) }
        return output
    }
}
