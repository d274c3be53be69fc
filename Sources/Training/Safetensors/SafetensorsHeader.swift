/// Reads the header of a safetensors file: the part of JSON that the format uses, and nothing else. Objects are nested
/// two deep at most, numbers are whole and not negative, a key stands once.
struct SafetensorsHeader {
    struct Entry {
        let name: String
        let type: String
        let shape: [Int]
        let begin: Int
        let end: Int
    }

    private let bytes: ArraySlice<UInt8>
    private var position: Int
    private(set) var entries: [Entry] = []
    private(set) var metadata: [String: String] = [:]

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    private func fail(_ what: String) -> SafetensorsError { .header(what, at: position - bytes.startIndex) }

    private var next: UInt8? { position < bytes.endIndex ? bytes[position] : nil }

    mutating func read() throws(SafetensorsError) {
        // The format asks for the brace at the very start.
        guard next == UInt8(ascii: "{") else { throw fail("it does not begin with '{'") }
        var names: Set<String> = []
        try object { header, name throws(SafetensorsError) in
            guard names.insert(name).inserted else { throw .duplicateName(name) }
            if name == "__metadata__" {
                try header.readMetadata()
            } else {
                guard header.entries.count < Safetensors.maximumTensors else {
                    throw .tooManyTensors(limit: Safetensors.maximumTensors)
                }
                try header.readEntry(name)
            }
        }
        skipSpace()
        guard next == nil else { throw fail("something follows the closing '}'") }
    }

    private mutating func readMetadata() throws(SafetensorsError) {
        try object { header, key throws(SafetensorsError) in
            let value = try header.string()
            guard header.metadata.updateValue(value, forKey: key) == nil else { throw .duplicateName(key) }
        }
    }

    private mutating func readEntry(_ name: String) throws(SafetensorsError) {
        var type: String?
        var shape: [Int]?
        var offsets: [Int]?
        try object { header, key throws(SafetensorsError) in
            switch key {
            case "dtype" where type == nil: type = try header.string()
            case "shape" where shape == nil: shape = try header.numbers(limit: Safetensors.maximumRank)
            case "data_offsets" where offsets == nil: offsets = try header.numbers(limit: 2)
            case "dtype", "shape", "data_offsets": throw .duplicateName("\(name).\(key)")
            default: throw header.fail("'\(name)' has an unknown field '\(key)'")
            }
        }
        guard let type, let shape, let offsets, offsets.count == 2 else {
            throw fail("'\(name)' needs dtype, shape and two data_offsets")
        }
        entries.append(Entry(name: name, type: type, shape: shape, begin: offsets[0], end: offsets[1]))
    }

    // MARK: JSON

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
    }

    private mutating func take(_ character: Character) throws(SafetensorsError) {
        skipSpace()
        guard let ascii = character.asciiValue, next == ascii else { throw fail("expected '\(character)'") }
        position += 1
    }

    private mutating func takes(_ character: Character) -> Bool {
        skipSpace()
        guard let ascii = character.asciiValue, next == ascii else { return false }
        position += 1
        return true
    }

    /// Calls `field` behind each key's colon.
    private mutating func object(
        _ field: (inout SafetensorsHeader, String) throws(SafetensorsError) -> Void
    ) throws(SafetensorsError) {
        try take("{")
        if takes("}") { return }
        repeat {
            skipSpace()
            let key = try string()
            try take(":")
            skipSpace()
            try field(&self, key)
        } while takes(",")
        try take("}")
    }

    private mutating func numbers(limit: Int) throws(SafetensorsError) -> [Int] {
        try take("[")
        if takes("]") { return [] }
        var values: [Int] = []
        repeat {
            guard values.count < limit else { throw fail("a list of more than \(limit) numbers") }
            skipSpace()
            values.append(try number())
        } while takes(",")
        try take("]")
        return values
    }

    private mutating func number() throws(SafetensorsError) -> Int {
        let start = position
        var value = 0
        while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            let (tenfold, first) = value.multipliedReportingOverflow(by: 10)
            let (sum, second) = tenfold.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
            guard !first, !second else { throw fail("a number too large to be one of a file") }
            value = sum
            position += 1
        }
        guard position > start, position == start + 1 || bytes[start] != UInt8(ascii: "0") else {
            throw fail("expected a whole number that is not negative")
        }
        return value
    }

    private mutating func string() throws(SafetensorsError) -> String {
        guard next == UInt8(ascii: "\"") else { throw fail("expected a text in quotes") }
        position += 1
        var raw: [UInt8] = []
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: raw, as: UTF8.self) else { throw fail("a text is not UTF-8") }
                return text
            case UInt8(ascii: "\\"): raw.append(contentsOf: Array(String(try escaped()).utf8))
            case 0..<0x20: throw fail("a control character in a text")
            default: raw.append(byte)
            }
        }
        throw fail("a text has no end")
    }

    private mutating func escaped() throws(SafetensorsError) -> Unicode.Scalar {
        guard let byte = next else { throw fail("a text has no end") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let first = try hexadecimal()
            if let scalar = Unicode.Scalar(first) { return scalar }
            // The high half of a pair; the low half must follow.
            guard (0xD800..<0xDC00).contains(first), next == UInt8(ascii: "\\") else {
                throw fail("half of a surrogate pair")
            }
            position += 1
            guard next == UInt8(ascii: "u") else { throw fail("half of a surrogate pair") }
            position += 1
            let second = try hexadecimal()
            guard (0xDC00..<0xE000).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
            else { throw fail("half of a surrogate pair") }
            return scalar
        default: throw fail("an unknown escape in a text")
        }
    }

    private mutating func hexadecimal() throws(SafetensorsError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw fail("\\u needs four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}

enum JSONText {
    /// The text in quotes, with what JSON does not allow in them escaped.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case "\u{0}"..<"\u{20}":
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
