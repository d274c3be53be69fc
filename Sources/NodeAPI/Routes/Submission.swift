import APIModel
import Encoding
import Hummingbird
import NIOCore
import Primitives
import ProgramSupport

/// What a `POST /v1/transactions` brought, and its answer.
struct Submission: Sendable {
    static let path = "/v1/transactions"

    enum Form: Sendable {
        /// One transaction, answered with its identifier.
        case one
        /// A u32 count and then the transactions, answered with what was refused.
        case list

        /// Nil for JSON.
        init?(mediaType: String) {
            let type = mediaType == SubmissionLimits.mediaType ? mediaType : mediaType.lowercased()
            if type.hasPrefix(SubmissionLimits.mediaType) {
                self = .list
            } else if type.hasPrefix("application/json") {
                return nil
            } else {
                self = .one
            }
        }

        /// Of a body.
        var mostBytes: Int {
            switch self {
            case .one: ChainLimits.transactionBytes
            case .list: SubmissionLimits.bytes + 4
            }
        }
    }

    let transactions: [SignedTransaction]
    let form: Form

    init(_ bytes: [UInt8], _ form: Form) throws(APIError) {
        self.form = form
        switch form {
        case .one: transactions = [try Self.one(bytes)]
        case .list: transactions = try Self.list(bytes)
        }
    }

    static func one(_ bytes: [UInt8]) throws(APIError) -> SignedTransaction {
        do { return try SignedTransaction(borsh: bytes) } catch {
            throw APIError(SubmissionRefusal(.malformed, "the bytes are not a signed transaction: \(error)"))
        }
    }

    /// At least one.
    static func list(_ bytes: [UInt8]) throws(APIError) -> [SignedTransaction] {
        var decoder = BorshDecoder(bytes)
        let transactions: [SignedTransaction]
        do {
            transactions = try decoder.array(limit: SubmissionLimits.transactions, smallestElement: 152)
            try decoder.finish()
        } catch {
            throw APIError(SubmissionRefusal(.malformed, "the bytes are not a list of signed transactions: \(error)"))
        }
        return try notEmpty(transactions)
    }

    static func list(_ many: [[UInt8]]) throws(APIError) -> [SignedTransaction] {
        guard many.count <= SubmissionLimits.transactions else {
            throw APIError(
                SubmissionRefusal(
                    .tooLarge,
                    "\(many.count) transactions are more than the \(SubmissionLimits.transactions) that one request takes"
                ))
        }
        var transactions: [SignedTransaction] = []
        for (index, bytes) in many.enumerated() {
            do { transactions.append(try SignedTransaction(borsh: bytes)) } catch {
                throw APIError(
                    SubmissionRefusal(.malformed, "transactions[\(index)] is not a signed transaction: \(error)"))
            }
        }
        return try notEmpty(transactions)
    }

    private static func notEmpty(_ transactions: [SignedTransaction]) throws(APIError) -> [SignedTransaction] {
        guard !transactions.isEmpty else {
            throw APIError(SubmissionRefusal(.malformed, "the list is empty: a request has at least one transaction"))
        }
        return transactions
    }

    // MARK: Answers

    /// Notes of whom signatures came.
    static func note(_ refusals: [SubmissionRefusal?], from holder: AddressHolder?, _ node: RouteServices) {
        node.wrongSignatures.add(refusals.count { $0?.code == .badSignature }, by: holder)
        if refusals.contains(where: { $0 == nil }) { node.wrongSignatures.right(from: holder) }
    }

    static func document(_ refusals: [SubmissionRefusal?]) -> SubmissionsAnswerDocument {
        let refused = refusals.enumerated().compactMap { index, refusal in
            refusal.map { SubmissionsAnswerDocument.Refused(index: index, error: APIError($0).document.error) }
        }
        return SubmissionsAnswerDocument(accepted: refusals.count - refused.count, refused: refused)
    }

    func answer(
        _ outcome: Result<[SubmissionRefusal?], SubmissionRefusal>, takesGzip: Bool, _ node: RouteServices
    ) -> ShortAnswer {
        switch (outcome, form) {
        case (.failure(let refusal), _): return APIError(refusal).answer
        case (.success(let refusals), .one):
            if let refusal = refusals.first ?? nil { return APIError(refusal).answer }
            guard let transaction = transactions.first else { return APIError.busy.answer }
            return Self.json(#"{"id":""# + transaction.id(genesis: node.genesis).hex + #""}"#, .accepted)
        case (.success(let refusals), .list):
            // The usual one without an encoder, which costs more than all else of the answer.
            guard refusals.allSatisfy({ $0 == nil }) else {
                return Self.encoded(Self.document(refusals), takesGzip: takesGzip)
            }
            return Self.json(#"{"accepted":\#(refusals.count),"refused":[]}"#, .ok)
        }
    }

    private static let headers: HTTPFields = [
        .contentType: "application/json", .cacheControl: "no-store", .vary: "accept-encoding",
    ]

    private static func encoded(_ document: SubmissionsAnswerDocument, takesGzip: Bool) -> ShortAnswer {
        let data = JSONAnswer.data(document)
        guard takesGzip, let short = Compression.gzip(data) else {
            return ShortAnswer(status: .ok, headers: headers, body: ByteBuffer(bytes: data))
        }
        var headers = headers
        headers[.contentEncoding] = "gzip"
        return ShortAnswer(status: .ok, headers: headers, body: ByteBuffer(bytes: short))
    }

    private static func json(_ text: String, _ status: HTTPResponse.Status) -> ShortAnswer {
        ShortAnswer(status: status, headers: headers, body: ByteBuffer(string: text))
    }
}

/// An answer that is there as a whole.
struct ShortAnswer: Sendable {
    let status: HTTPResponse.Status
    var headers: HTTPFields
    let body: ByteBuffer
}
