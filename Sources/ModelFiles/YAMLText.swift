import Yams

/// What people write as YAML.
public enum YAMLText {
    /// What is wrong with a text that is not YAML, without the library's own words around it.
    /// - Returns: the line, where one is known.
    public static func problem(_ error: any Error) -> (line: Int?, text: String) {
        guard let error = error as? YamlError else { return (nil, "it can't be read") }
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return (mark.line, problem)
        case .reader: return (nil, "it has characters that are no text")
        case .duplicatedKeysInMapping(let keys, _):
            return (nil, "it has a field twice: \(keys.map { "\($0)" }.sorted().joined(separator: ", "))")
        default: return (nil, "it can't be read")
        }
    }

    /// The same in one text.
    public static func reason(_ error: any Error) -> String {
        let (line, text) = problem(error)
        return (line.map { "line \($0): " } ?? "") + text
    }
}
