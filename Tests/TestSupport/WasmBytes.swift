/// The bytes that WebAssembly modules are made of, for whoever writes one by hand: tests and measurements.
package enum WasmBytes {
    /// "\0asm" and the version.
    package static let header: [UInt8] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]

    package static func section(_ id: UInt8, _ content: [UInt8]) -> [UInt8] {
        [id] + unsigned(UInt64(content.count)) + content
    }

    package static func vector(_ items: [[UInt8]]) -> [UInt8] { unsigned(UInt64(items.count)) + items.flatMap { $0 } }
    package static func name(_ text: String) -> [UInt8] { unsigned(UInt64(text.utf8.count)) + Array(text.utf8) }

    /// LEB128 without a sign.
    package static func unsigned(_ value: UInt64) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        repeat {
            let low = UInt8(rest & 0x7f)
            rest >>= 7
            bytes.append(rest == 0 ? low : low | 0x80)
        } while rest != 0
        return bytes
    }

    /// LEB128 with a sign.
    package static func signed(_ value: Int64) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        while true {
            let low = UInt8(truncatingIfNeeded: rest & 0x7f)
            rest >>= 7
            if (rest == 0 && low & 0x40 == 0) || (rest == -1 && low & 0x40 != 0) { return bytes + [low] }
            bytes.append(low | 0x80)
        }
    }
}
