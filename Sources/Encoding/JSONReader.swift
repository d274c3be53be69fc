/// A JSON document (RFC 8259) with the line on which each value stands, for files that people write: what is wrong in
/// one of them is told in this program's own words.
public struct JSONNode: Equatable, Sendable {
    public enum Content: Equatable, Sendable {
        case null
        case flag(Bool)
        /// As it is written.
        case number(String)
        case text(String)
        case list([JSONNode])
        case object([Member])
    }

    public struct Member: Equatable, Sendable {
        public let name: String
        public let line: Int
        public let value: JSONNode
    }

    public let content: Content
    /// Counted from 1.
    public let line: Int

    /// - Throws: where the text stops being JSON, and why.
    public init(json: some Collection<UInt8>) throws(JSONProblem) {
        var reader = JSONReader(bytes: Array(json))
        self = try reader.document()
    }

    init(_ content: Content, line: Int) {
        self.content = content
        self.line = line
    }
}

/// What is wrong with a document, and on which line.
public struct JSONProblem: Error, Equatable, Sendable, CustomStringConvertible {
    public let line: Int?
    public let reason: String

    public var description: String { (line.map { "line \($0): " } ?? "") + reason }
}

private struct JSONReader {
    /// Files of people are flat; a hostile one must not exhaust the stack.
    static let deepest = 32

    let bytes: [UInt8]
    var position = 0
    var line = 1

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(JSONProblem) -> JSONNode {
        skipSpace()
        guard position < bytes.count else { throw problem("the file is empty; it must hold a JSON document") }
        let node = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw problem("there is more after the end of the document") }
        return node
    }

    private func problem(_ reason: String) -> JSONProblem { JSONProblem(line: line, reason: reason) }

    private var here: UInt8? { position < bytes.count ? bytes[position] : nil }

    private var shown: String {
        guard let here else { return "the end of the file" }
        return (0x21...0x7e).contains(here) ? "'\(Character(Unicode.Scalar(here)))'" : "a byte \(here)"
    }

    private mutating func skipSpace() {
        while let byte = here, [0x20, 0x09, 0x0a, 0x0d].contains(byte) {
            if byte == 0x0a { line += 1 }
            position += 1
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard here == byte else { return false }
        position += 1
        return true
    }

    private mutating func value(depth: Int) throws(JSONProblem) -> JSONNode {
        guard depth < Self.deepest else { throw problem("more than \(Self.deepest) levels of brackets") }
        let start = line
        switch here {
        case UInt8(ascii: "{"): return JSONNode(.object(try members(depth: depth)), line: start)
        case UInt8(ascii: "["): return JSONNode(.list(try elements(depth: depth)), line: start)
        case UInt8(ascii: "\""): return JSONNode(.text(try text()), line: start)
        default: break
        }
        let first = position
        while let byte = here, !" \t\r\n,]}:{[\"".utf8.contains(byte) { position += 1 }
        let word = String(decoding: bytes[first..<position], as: UTF8.self)
        switch word {
        case "": throw problem("a value is missing before \(shown)")
        case "null": return JSONNode(.null, line: start)
        case "true": return JSONNode(.flag(true), line: start)
        case "false": return JSONNode(.flag(false), line: start)
        default:
            guard Self.isNumber(word) else { throw problem("'\(word.prefix(40))' is no JSON value; texts stand in double quotes") }
            return JSONNode(.number(word), line: start)
        }
    }

    /// RFC 8259, section 6.
    private static func isNumber(_ word: String) -> Bool {
        var rest = Substring(word)
        func digits() -> Int {
            let found = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(found.count)
            return found.count
        }
        if rest.first == "-" { rest.removeFirst() }
        let leadingZero = rest.first == "0"
        let whole = digits()
        guard whole > 0, !leadingZero || whole == 1 else { return false }
        if rest.first == "." {
            rest.removeFirst()
            guard digits() > 0 else { return false }
        }
        if let mark = rest.first, mark == "e" || mark == "E" {
            rest.removeFirst()
            if let sign = rest.first, sign == "+" || sign == "-" { rest.removeFirst() }
            guard digits() > 0 else { return false }
        }
        return rest.isEmpty
    }

    private mutating func members(depth: Int) throws(JSONProblem) -> [JSONNode.Member] {
        position += 1
        var found: [JSONNode.Member] = []
        skipSpace()
        if take(UInt8(ascii: "}")) { return found }
        while true {
            skipSpace()
            guard here == UInt8(ascii: "\"") else {
                throw problem("a field's name in double quotes is missing before \(shown)" + (found.isEmpty ? "" : "; after the last field stands no comma"))
            }
            let start = line
            let name = try text()
            guard !found.contains(where: { $0.name == name }) else { throw problem("the field '\(name.prefix(40))' stands here twice") }
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw problem("a colon is missing after \"\(name.prefix(40))\"") }
            skipSpace()
            found.append(JSONNode.Member(name: name, line: start, value: try value(depth: depth + 1)))
            skipSpace()
            if take(UInt8(ascii: "}")) { return found }
            guard take(UInt8(ascii: ",")) else { throw problem("a comma or '}' is missing before \(shown)") }
        }
    }

    private mutating func elements(depth: Int) throws(JSONProblem) -> [JSONNode] {
        position += 1
        var found: [JSONNode] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return found }
        while true {
            skipSpace()
            found.append(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: "]")) { return found }
            guard take(UInt8(ascii: ",")) else { throw problem("a comma or ']' is missing before \(shown)") }
        }
    }

    private mutating func text() throws(JSONProblem) -> String {
        position += 1
        var result: [UInt8] = []
        while let byte = here {
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: result, as: UTF8.self) else { throw problem("a text is not UTF-8") }
                return text
            case UInt8(ascii: "\\"): result.append(contentsOf: try escape())
            case 0..<0x20: throw problem("a text is not closed on its line: a \" is missing")
            default: result.append(byte)
            }
        }
        throw problem("the file ends within a text: a \" is missing")
    }

    private mutating func escape() throws(JSONProblem) -> [UInt8] {
        guard let byte = here else { throw problem("the file ends within a text: a \" is missing") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0c]
        case UInt8(ascii: "n"): return [0x0a]
        case UInt8(ascii: "r"): return [0x0d]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            var code = try fourDigits()
            if (0xd800...0xdbff).contains(code), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
                let low = try fourDigits()
                guard (0xdc00...0xdfff).contains(low) else { throw problem("\\u\(String(code, radix: 16)) is half of a character") }
                code = 0x10000 + (code - 0xd800) * 0x400 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw problem("\\u\(String(code, radix: 16)) is half of a character") }
            return Array(String(Character(scalar)).utf8)
        default: throw problem("\\\(Character(Unicode.Scalar(byte))) is no JSON escape")
        }
    }

    private mutating func fourDigits() throws(JSONProblem) -> UInt32 {
        guard bytes.count - position >= 4,
            let code = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
        else { throw problem("\\u takes four hexadecimal digits") }
        position += 4
        return code
    }
}
