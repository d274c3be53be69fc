/// What every answer with a status of 400 or more carries.
public struct ErrorDocument: Codable, Equatable, Sendable {
    public struct Detail: Codable, Equatable, Sendable {
        /// For programs: stable, lower case with underscores.
        public var code: String
        /// For people: what was wrong, where, and what to do.
        public var reason: String
        /// When trying again makes sense, milliseconds from now.
        public var retryAfterMs: DecimalText<UInt64>?
    }

    public var error: Detail

    public init(code: String, reason: String, retryAfterMs: UInt64? = nil) {
        error = Detail(code: code, reason: reason, retryAfterMs: retryAfterMs.map { DecimalText($0) })
    }
}
