import APIModel
import Hummingbird
import Primitives
import ProgramSupport

extension Routes {
    static let transactions: [Route] = [
        Route(
            method: .post, path: Submission.path, weight: .light,
            operation: Operation(
                "submitTransaction",
                "Sends a signed transaction: its Borsh bytes, raw or as base64 in JSON. Answers once the pool has it; "
                    + "finality shows in the look-up. Many at once, in their order, are each taken or refused on their own: raw "
                    + "as \(SubmissionLimits.mediaType), a u32 count and then the transactions, or in JSON.",
                .json("Submitted", status: 202), body: "Submission", errors: [400, 403, 409, 413, 422, 429, 503],
                otherBody: ("Submissions", SubmissionLimits.mediaType), otherAnswer: .json("SubmissionsAnswer"))
        ) { input, node in
            let holder = input.context.holder
            if let silence = node.wrongSignatures.silence(of: holder) { throw refusal(silence) }
            let transaction: SignedTransaction
            switch try await input.submission(timeout: node.configuration.bodyTimeout) {
            case .list(let bytes): return .document(try await submit(try Submission.list(bytes), holder, node))
            case .many(let many): return .document(try await submit(try Submission.list(many), holder, node))
            case .one(let bytes): transaction = try Submission.one(bytes)
            }
            let id: TransactionId
            do throws(SubmissionRefusal) { id = try await node.backend.submit(transaction) } catch {
                if error.code == .badSignature { node.wrongSignatures.add(1, by: holder) }
                throw APIError(error)
            }
            node.wrongSignatures.right(from: holder)
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
            let asking = HeavyWork.Asking(work: node.heavy, holder: input.context.holder)
            let state = try await HeavyWork.$asking.withValue(asking) { try await look(for: id, node, within: wait) }
            guard let state else {
                throw APIError.unknown(
                    "transaction", "this node knows no transaction \(id); it may have expired, or not have arrived yet")
            }
            let service = try await node.backend.service(state.transaction.transaction.serviceId)
            return .document(TransactionStateDocument(state, id: id, service: service?.record))
        },
    ]

    private static func refusal(_ silence: WrongSignatures.Silence) -> APIError {
        let reason =
            switch silence {
            case .own:
                "too many transactions with wrong signatures came from this address: look at what signs them, and whether it signs for this chain"
            case .everybody:
                "too many transactions with wrong signatures come from everywhere: for a moment only addresses are listened to from which this node has taken a transaction; try again, or another node"
            }
        var error = APIError(
            .tooManyRequests, "wrong_signatures", reason,
            retryAfterMs: UInt64(clamping: silence.duration.components.seconds) * 1_000 + 1_000)
        error.closesConnection = true
        return error
    }

    private static func submit(
        _ many: [SignedTransaction], _ holder: AddressHolder?, _ node: RouteServices
    ) async throws -> SubmissionsAnswerDocument {
        let refusals: [SubmissionRefusal?]
        do throws(SubmissionRefusal) { refusals = try await node.backend.submit(many) } catch { throw APIError(error) }
        Submission.note(refusals, from: holder, node)
        return Submission.document(refusals)
    }

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
