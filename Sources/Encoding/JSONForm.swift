/// What a JSON document that people write must look like. Checked before the document is decoded, so that a mistake in
/// it is told by its line, its field and what belongs there, and no unknown field is ever passed over.
public indirect enum JSONForm: Sendable {
    case text
    case flag
    /// A whole number in this range.
    case whole(ClosedRange<UInt64>)
    case list(JSONForm)
    case object([Field])

    public struct Field: Sendable {
        let name: String
        let form: JSONForm
        let isRequired: Bool

        public static func required(_ name: String, _ form: JSONForm) -> Field {
            Field(name: name, form: form, isRequired: true)
        }

        public static func optional(_ name: String, _ form: JSONForm) -> Field {
            Field(name: name, form: form, isRequired: false)
        }
    }

    /// A TCP port. 65,536 and more are never taken for another port.
    public static let port = JSONForm.whole(1...65_535)

    /// - Throws: the first thing that is wrong.
    public func check(json: some Collection<UInt8>) throws(JSONProblem) {
        try check(try JSONNode(json: json), path: [])
    }

    private func check(_ node: JSONNode, path: [String]) throws(JSONProblem) {
        switch (self, node.content) {
        case (.text, .text), (.flag, .flag): return
        case (.whole(let range), .number(let text)):
            guard let value = UInt64(text), range.contains(value) else {
                throw problem(node, path, "is \(text): write \(wanted)")
            }
        case (.list(let form), .list(let elements)):
            for (index, element) in elements.enumerated() { try form.check(element, path: path + ["[\(index)]"]) }
        case (.object(let fields), .object(let members)):
            for member in members {
                guard let field = fields.first(where: { $0.name == member.name }) else {
                    throw JSONProblem(line: member.line, reason: Self.unknown(member.name, fields, path))
                }
                // `null` in the place of an optional value is none.
                if !field.isRequired, member.value.content == .null { continue }
                try field.form.check(member.value, path: path + [field.name])
            }
            for field in fields where field.isRequired && !members.contains(where: { $0.name == field.name }) {
                throw JSONProblem(
                    line: path.isEmpty ? nil : node.line,
                    reason: "the field '\(Self.name(path + [field.name]))' is missing: it takes \(field.form.wanted)")
            }
        default:
            throw problem(node, path, "is \(Self.shown(node.content)): write \(wanted)")
        }
    }

    private static func unknown(_ name: String, _ fields: [Field], _ path: [String]) -> String {
        let names = fields.map(\.name)
        let place = path.isEmpty ? "" : " in '\(self.name(path))'"
        return "there is no field '\(name.prefix(60))'\(place)" + Spelling.hint(for: name, among: names)
            + ". There are: \(names.joined(separator: ", "))"
    }

    private func problem(_ node: JSONNode, _ path: [String], _ text: String) -> JSONProblem {
        JSONProblem(line: node.line, reason: (path.isEmpty ? "the document" : "'\(Self.name(path))'") + " " + text)
    }

    private static func name(_ path: [String]) -> String {
        path.reduce("") { $0.isEmpty || $1.hasPrefix("[") ? $0 + $1 : $0 + "." + $1 }
    }

    private var wanted: String {
        switch self {
        case .text: "a text in double quotes"
        case .flag: "true or false"
        case .whole(let range) where range.upperBound == .max: "a whole number, without quotes"
        case .whole(let range): "a whole number from \(range.lowerBound) to \(range.upperBound), without quotes"
        case .list: "a list in square brackets"
        case .object(let fields):
            "an object in braces with " + fields.filter(\.isRequired).map { "\"\($0.name)\"" }.joined(separator: ", ")
        }
    }

    private static func shown(_ content: JSONNode.Content) -> String {
        switch content {
        case .null: "null"
        case .flag(let value): "\(value)"
        case .number(let text): "the number \(text)"
        case .text(let text): "the text \"\(text.prefix(60))\""
        case .list: "a list"
        case .object: "an object"
        }
    }
}
