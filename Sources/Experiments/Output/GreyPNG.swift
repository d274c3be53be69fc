import Foundation

/// A grey picture as PNG (ISO 15948), in the plainest form: 8 bits, no filter, deflate blocks that are only stored. Small
/// pictures need no more.
package enum GreyPNG {
    /// Base64 of the file, for a data URL.
    package static func base64(_ values: [Float], width: Int) -> String {
        Data(file(values, width: width)).base64EncodedString()
    }

    /// - Parameter values: from 0 (black) to 1, row by row; rows that are not whole are left out.
    package static func file(_ values: [Float], width: Int) -> [UInt8] {
        let width = max(width, 1)
        let height = values.count / width
        var rows: [UInt8] = []
        for row in 0..<height {
            rows.append(0)
            for column in 0..<width {
                let value = values[row * width + column]
                rows.append(value > 0 ? UInt8(min(value, 1) * 255 + 0.5) : 0)
            }
        }
        var stream: [UInt8] = [0x78, 0x01]
        var start = 0
        repeat {
            let end = min(start + 65_535, rows.count)
            let length = UInt16(end - start)
            stream.append(end == rows.count ? 1 : 0)
            stream += [UInt8(length & 255), UInt8(length >> 8), UInt8(~length & 255), UInt8(~length >> 8)]
            stream += rows[start..<end]
            start = end
        } while start < rows.count
        stream += bigEndian(adler32(rows))
        let header = bigEndian(UInt32(width)) + bigEndian(UInt32(height)) + [8, 0, 0, 0, 0]
        return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + chunk("IHDR", header) + chunk("IDAT", stream)
            + chunk("IEND", [])
    }

    private static func chunk(_ name: String, _ body: [UInt8]) -> [UInt8] {
        let content = Array(name.utf8) + body
        return bigEndian(UInt32(body.count)) + content + bigEndian(crc32(content))
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] {
        (0..<4).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) }
    }

    private static func adler32(_ bytes: [UInt8]) -> UInt32 {
        var (a, b) = (UInt32(1), UInt32(0))
        for byte in bytes {
            a = (a + UInt32(byte)) % 65_521
            b = (b + a) % 65_521
        }
        return b << 16 | a
    }

    package static func crc32(_ bytes: [UInt8]) -> UInt32 {
        var crc = UInt32.max
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc >> 1 ^ (0xEDB8_8320 & (0 &- (crc & 1))) }
        }
        return ~crc
    }
}
