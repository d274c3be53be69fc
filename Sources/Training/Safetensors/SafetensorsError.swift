/// Why bytes are no safetensors file, or not one of the model.
public enum SafetensorsError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Fewer bytes than the eight of the header's length, or than the header declares.
    case truncated(needed: Int, found: Int)
    case headerTooLong(UInt64, limit: Int)
    /// The header is not the JSON that the format asks for; offsets count bytes from its start.
    case header(String, at: Int)
    case duplicateName(String)
    case tooManyTensors(limit: Int)
    /// Only 32-bit floats are read.
    case type(String, of: String)
    case shape([Int], of: String)
    /// A tensor's range is not as long as its shape asks for, begins behind its end, or lies outside the data.
    case offsets(begin: Int, end: Int, of: String)
    /// Two ranges overlap, or bytes between them, before or behind them belong to nobody.
    case coverage(at: Int)
    case notFinite(String)
    case missing(String)
    case unexpected(String)
    case wrongShape(String, expected: [Int], found: [Int])
    case model(String)
    /// The file's own manifest does not describe it.
    case manifest(String)
    /// The file is intact, but not the one that the chain names.
    case digest(expected: String, found: String)

    public var description: String {
        switch self {
        case .truncated(let needed, let found): "the file ends after \(found) of \(needed) bytes"
        case .headerTooLong(let length, let limit): "a header of \(length) bytes; at most \(limit) are read"
        case .header(let what, let offset): "byte \(offset) of the header: \(what)"
        case .duplicateName(let name): "'\(name)' stands twice in the header"
        case .tooManyTensors(let limit): "more than \(limit) tensors"
        case .type(let type, let name):
            "'\(name)' holds \(type) values; only F32 is read (in PyTorch: convert with .float() before saving)"
        case .shape(let shape, let name): "'\(name)' has the shape \(shape), which no parameter can have"
        case .offsets(let begin, let end, let name):
            "the data of '\(name)' are said to lie at \(begin)..<\(end), which does not fit its shape or the file"
        case .coverage(let offset): "byte \(offset) of the data belongs to two tensors, or to none"
        case .notFinite(let name): "'\(name)' holds a value that is infinite or a NaN"
        case .missing(let name): "the model's tensor '\(name)' is not in the file"
        case .unexpected(let name): "the file's tensor '\(name)' is none of the model's"
        case .wrongShape(let name, let expected, let found): "'\(name)' has the shape \(found), the model's has \(expected)"
        case .model(let what): "the model is invalid: \(what)"
        case .manifest(let what): "the file's manifest is wrong: \(what)"
        case .digest(let expected, let found): "this is the model \(found), not \(expected)"
        }
    }
}
