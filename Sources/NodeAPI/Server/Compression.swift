import CZlib
import Foundation
import Hummingbird

/// Answers in gzip (RFC 1952) for clients that take it: JSON of blocks and lists shrinks to about a tenth.
enum Compression {
    /// Shorter answers fit into one packet as they are.
    static let smallest = 1_400
    /// Longer ones would hold up the other requests of their thread.
    static let largest = 1_048_576

    /// Whether the client says that it takes gzip (RFC 9110, section 12.5.3).
    static func isWanted(_ request: Request) -> Bool {
        request.headers[.acceptEncoding].map { isWanted($0) } ?? false
    }

    /// - Parameter accepted: what an Accept-Encoding says.
    static func isWanted(_ accepted: String) -> Bool {
        accepted.lowercased().split(separator: ",").contains { part in
            let pieces = part.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
            guard pieces.first == "gzip" || pieces.first == "*" else { return false }
            return !pieces.dropFirst().contains { ["q=0", "q=0.0", "q=0.00", "q=0.000"].contains($0) }
        }
    }

    /// Nil where it is not worth it.
    static func gzip(_ data: Data) -> Data? {
        guard (smallest...largest).contains(data.count) else { return nil }
        var stream = z_stream()
        // 15 bits of window, and 16 for the gzip form.
        guard
            deflateInit2_(
                &stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)
            ) == Z_OK
        else { return nil }
        defer { deflateEnd(&stream) }
        var input = Array(data)
        var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(input.count))))
        let written = input.withUnsafeMutableBytes { source in
            output.withUnsafeMutableBytes { target -> Int? in
                stream.next_in = source.bindMemory(to: UInt8.self).baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.bindMemory(to: UInt8.self).baseAddress
                stream.avail_out = UInt32(target.count)
                guard deflate(&stream, Z_FINISH) == Z_STREAM_END else { return nil }
                return target.count - Int(stream.avail_out)
            }
        }
        guard let written, written < data.count else { return nil }
        return Data(output.prefix(written))
    }
}
