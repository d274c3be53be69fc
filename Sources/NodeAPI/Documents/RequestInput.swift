import APIModel
import Cryptography
import Encoding
import Foundation
import Hummingbird
import Primitives

/// A request's parameters, read strictly: what is mistyped is named in the answer.
struct RequestInput: Sendable {
    let request: Request
    let context: APIContext

    /// The decoded path parameter; parameters are at most 256 bytes long, more than any valid one.
    private func path(_ name: String) throws -> String {
        guard let raw = context.parameters.get(name), raw.utf8.count <= 256, let text = raw.removingPercentEncoding
        else {
            throw APIError.badParameter(name, "missing, too long or wrongly percent-encoded")
        }
        return text
    }

    func query(_ name: String) -> String? {
        request.uri.queryParameters[name[...]].map { String($0.prefix(512)) }
    }

    func account(_ name: String = "account") throws -> Account {
        try account(text: try path(name), name)
    }

    func account(text: String, _ name: String) throws -> Account {
        do { return try Account(address: text) } catch {
            // No schema can tell a mistyped address from another one: it has the form, and there is no such account.
            if case .malformed(_, .checksum) = error, text.count == Self.addressLength {
                throw APIError.unknown("account", "\(name): \(error)")
            }
            throw APIError.badParameter(name, "\(error)")
        }
    }

    /// Characters of every address.
    static let addressLength = 63

    /// A parameter that the operation does not have is a slip of the pen, which would be taken for "all of them".
    func checkQuery(_ operation: Operation) throws {
        let known = operation.parameters.filter { $0.place == "query" }.map(\.name)
        var seen: Set<Substring> = []
        for (name, _) in request.uri.queryParameters {
            guard known.contains(String(name)) else {
                let there = known.isEmpty ? "; this takes none" : ": there is \(known.joined(separator: " and "))"
                throw APIError.badParameter(
                    String(name.prefix(64)),
                    "there is no such parameter" + Spelling.hint(for: String(name.prefix(64)), among: known) + there)
            }
            guard seen.insert(name).inserted else { throw APIError.badParameter(String(name), "is given twice") }
        }
    }

    /// A place among all transactions, in the query.
    func place(_ name: String) throws -> TransactionPlace? {
        guard let text = query(name) else { return nil }
        guard let place = TransactionPlace(text) else {
            throw APIError.badParameter(name, "'\(text)' is no place HEIGHT.INDEX, as in 120.3")
        }
        return place
    }

    func stateKey() throws -> StateKey {
        let text = try path("key")
        guard let bytes = Hexadecimal.decode(text), (1...RequestInput.longestStateKey).contains(bytes.count),
            text == text.lowercased()
        else {
            throw APIError.badParameter(
                "key",
                "'\(text)' is no state key: it takes 1 to \(RequestInput.longestStateKey) bytes in lower-case hexadecimal"
            )
        }
        return StateKey(bytes)
    }

    /// A namespace, a contract, and the longest key of its storage.
    static let longestStateKey = 97

    /// A text in the query: nil where it is absent.
    func text(_ name: String) throws -> String? {
        guard let text = query(name) else { return nil }
        guard (1...Self.longestText).contains(text.unicodeScalars.count) else {
            throw APIError.badParameter(name, "takes 1 to \(Self.longestText) characters")
        }
        return text
    }

    /// Characters of a name in an address; none is as long.
    static let longestText = 64

    func transactionId() throws -> TransactionId {
        let text = try path("id")
        guard let id = TransactionId(hex: text) else {
            let what =
                text.utf8.count == 64
                ? "holds something else than hexadecimal digits"
                : "has \(text.utf8.count) characters instead of 64 hexadecimal digits"
            throw APIError.badParameter("id", "'\(text)' is not a transaction id: it \(what)")
        }
        return id
    }

    func digest(_ name: String) throws -> Digest {
        let text = try path(name)
        guard let digest = Digest(hex: text) else {
            throw APIError.badParameter(name, "'\(text)' is not 64 hexadecimal digits")
        }
        return digest
    }

    func service() throws -> ServiceId {
        let text = try path("service")
        guard (1...Self.longestText).contains(text.unicodeScalars.count) else {
            throw APIError.badParameter("service", "takes 1 to \(Self.longestText) characters")
        }
        guard let name = LabelText<ServiceId>(text: text) else {
            throw APIError.unknown(
                "service",
                "no service is named '\(text)': a name has at most \(ChainLimits.labelBytes) bytes, as text or as 0x and hexadecimal digits"
            )
        }
        return name.wrappedValue
    }

    func publicKey(_ name: String) throws -> PublicKey {
        let text = try path(name)
        guard let key = PublicKey(hex: text) else {
            throw APIError.badParameter(name, "'\(text)' is not a consensus key: it takes 64 hexadecimal digits")
        }
        return key
    }

    /// A number in the path.
    func count(_ name: String) throws -> UInt64 {
        let text = try path(name)
        guard let value = UInt64(canonical: text) else {
            throw APIError.badParameter(name, "'\(text)' is not a number below 2^64")
        }
        return value
    }

    /// A height; nil for `latest`.
    func height() throws -> Height? {
        let text = try path("height")
        if text == "latest" { return nil }
        guard let value = UInt64(canonical: text) else {
            throw APIError.badParameter("height", "'\(text)' is neither a number nor 'latest'")
        }
        return Height(value)
    }

    func number(_ name: String, default standard: UInt64, in range: ClosedRange<UInt64>) throws -> UInt64 {
        guard let text = query(name) else { return standard }
        guard let value = UInt64(canonical: text), range.contains(value) else {
            throw APIError.badParameter(name, "'\(text)' is not a number in \(range.lowerBound)...\(range.upperBound)")
        }
        return value
    }

    func optionalNumber(_ name: String) throws -> UInt64? {
        query(name) == nil ? nil : try number(name, default: 0, in: 0...UInt64.max)
    }

    /// The body's bytes: raw, or base64 in the one field of a JSON document.
    func bytes<Document: Decodable & Sendable>(
        limit: Int, timeout: Duration, from type: Document.Type, _ field: @Sendable (Document) -> [UInt8]
    ) async throws -> [UInt8] {
        let isJSON = request.headers[.contentType]?.lowercased().hasPrefix("application/json") ?? false
        // Base64 takes four bytes for three; the rest of the document is short.
        let bodyLimit = isJSON ? limit / 3 * 4 + 256 : limit
        let body = try await collect(limit: bodyLimit, timeout: timeout, meant: limit)
        guard isJSON else { return body }
        do { return field(try JSONDecoder().decode(type, from: Data(body))) } catch {
            throw Self.otherJSON
        }
    }

    /// What a submission holds: the bytes of one transaction, or of a list of them.
    enum SubmittedBytes {
        case one([UInt8])
        /// A u32 count, then the transactions.
        case list([UInt8])
        case many([[UInt8]])
    }

    /// The body of a submission, raw or in JSON, of one transaction or of many.
    func submission(timeout: Duration) async throws -> SubmittedBytes {
        let (limit, one) = (SubmissionLimits.bytes, ChainLimits.transactionBytes)
        switch Submission.Form(mediaType: request.headers[.contentType] ?? "") {
        case .list?:
            return .list(try await collect(limit: Submission.Form.list.mostBytes, timeout: timeout, meant: limit))
        case .one?: return .one(try await collect(limit: one, timeout: timeout, meant: one))
        case nil: break
        }
        // Base64 takes four bytes for three; the rest of the document is short.
        let jsonLimit = limit / 3 * 4 + 8 * SubmissionLimits.transactions + 256
        let body = try await collect(limit: jsonLimit, timeout: timeout, meant: limit)
        guard let document = try? JSONDecoder().decode(EitherSubmission.self, from: Data(body)) else {
            throw Self.otherJSON
        }
        switch (document.borsh?.wrappedValue, document.transactions) {
        case (let bytes?, nil):
            guard bytes.count <= one else { throw Self.tooLarge(one) }
            return .one(bytes)
        case (nil, let many?):
            guard many.reduce(0, { $0 + $1.wrappedValue.count }) <= limit else { throw Self.tooLarge(limit) }
            return .many(many.map(\.wrappedValue))
        default: throw Self.otherJSON
        }
    }

    private struct EitherSubmission: Decodable {
        let borsh: Base64Text?
        let transactions: [Base64Text]?
    }

    private static let otherJSON = APIError(
        .badRequest, "malformed", "the body is not the JSON that this route takes: see /openapi.json")

    private static func tooLarge(_ limit: Int) -> APIError {
        APIError(.contentTooLarge, "too_large", "the body is over the limit of \(limit) bytes")
    }

    private func collect(limit: Int, timeout: Duration, meant: Int) async throws -> [UInt8] {
        var tooLarge = Self.tooLarge(meant)
        tooLarge.closesConnection = true
        if let text = request.headers[.contentLength], let declared = Int(text), declared > limit { throw tooLarge }
        // A body that never ends, or never comes, must not hold the connection.
        let deadline = Deadlines.shared.set(after: timeout, context.closeConnection)
        defer { Deadlines.shared.callOff(deadline) }
        do {
            let buffer = try await request.body.collect(upTo: limit)
            return Array(buffer.readableBytesView)
        } catch let error as any HTTPResponseError where error.status == .contentTooLarge {
            throw tooLarge
        }
    }
}

extension UInt64 {
    /// Digits without a sign and without leading zeros, as the OpenAPI document has them.
    init?(canonical text: String) {
        guard let value = UInt64(text), String(value) == text else { return nil }
        self = value
    }
}
