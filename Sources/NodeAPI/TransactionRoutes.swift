import APIModel
import Encoding
import Hummingbird
import Primitives

extension Routes {
    static let transactions: [Route] = [
        Route(
            method: .post, path: "/v1/transactions", weight: .light,
            operation: Operation(
                "submitTransaction",
                "Sends a signed transaction: its Borsh bytes, raw or as base64 in JSON. Answers once the pool has it; "
                    + "finality shows in the look-up.",
                .json("Submitted", status: 202), body: "Submission", errors: [400, 403, 409, 413, 422, 429, 503])
        ) { input, node in
            let bytes = try await input.bytes(
                limit: ChainLimits.transactionBytes, timeout: node.configuration.bodyTimeout,
                from: SubmissionDocument.self, \.borsh)
            let transaction: SignedTransaction
            do { transaction = try SignedTransaction(borsh: bytes) } catch {
                throw APIError(SubmissionRefusal(.malformed, "the bytes are not a signed transaction: \(error)"))
            }
            let id: TransactionId
            do throws(SubmissionRefusal) { id = try await node.backend.submit(transaction) } catch {
                throw APIError(error)
            }
            return .document(SubmittedDocument(id: id), status: .accepted)
        },
        Route(
            method: .get, path: "/v1/transactions/{id}", weight: .light,
            operation: Operation(
                "getTransaction",
                "A transaction with all its fields, and where and how it ended. With waitMs the answer waits until it "
                    + "is in a finalised block, or for that time.",
                .json("TransactionState"),
                parameters: [
                    .path("id", "Hash", "the transaction's id"),
                    .count("waitMs", 0...25_000, "milliseconds to wait for inclusion"),
                ], errors: [400, 404])
        ) { input, node in
            let id = try input.transactionId()
            let longest = UInt64(clamping: node.configuration.longestWait.components.seconds) * 1_000
            let wait = Duration.milliseconds(Int64(try input.number("waitMs", default: 0, in: 0...longest)))
            guard let state = try await look(for: id, node, within: wait) else {
                throw APIError.unknown(
                    "transaction", "this node knows no transaction \(id); it may have expired, or not have arrived yet")
            }
            let service = try await node.backend.service(state.transaction.transaction.serviceId)
            return .document(TransactionStateDocument(state, id: id, service: service?.record))
        },
    ]

    /// The state once it is final, or as it is when the time is over.
    private static func look(
        for id: TransactionId, _ node: RouteServices, within wait: Duration
    ) async throws -> TransactionState? {
        let end = ContinuousClock.now + wait
        while true {
            let seen = node.heads.head
            let state = try await node.backend.transaction(id)
            if case .included = state { return state }
            let left = end - ContinuousClock.now
            guard left > .zero, await node.heads.head(beyond: seen, timeout: left) != nil else { return state }
        }
    }
}
