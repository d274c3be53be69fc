import APIModel
import Encoding
import Foundation
import NIOCore
import Primitives

extension ChainClient {
    /// Hands a signed transaction to a node. The same transaction again is not an error.
    @discardableResult
    public func submit(_ transaction: SignedTransaction) async throws -> TransactionId {
        let request = call("/v1/transactions", method: "POST", body: transaction.borsh)
        let answer: SubmittedDocument = try await get(request)
        return answer.id
    }

    /// Hands many signed transactions to a node at once, in their order; at most ``SubmissionLimits/transactions`` of them
    /// and ``SubmissionLimits/bytes`` bytes together. Each is taken or refused on its own.
    ///
    /// - Returns: the refused ones by their places, ascending.
    public func submit(_ transactions: [SignedTransaction]) async throws -> [SubmissionsAnswerDocument.Refused] {
        var encoder = BorshEncoder(reserving: 4 + transactions.byteCount)
        encoder.array(transactions)
        return try await submit(list: encoder.bytes, count: transactions.count)
    }

    /// The same with what is encoded already: a u32 count, then the transactions.
    package func submit(list: [UInt8], count: Int) async throws -> [SubmissionsAnswerDocument.Refused] {
        var request = call("/v1/transactions", method: "POST", body: list)
        request.mediaType = SubmissionLimits.mediaType
        let answer: SubmissionsAnswerDocument = try await get(request)
        guard answer.accepted + answer.refused.count == count,
            answer.refused.allSatisfy({ (0..<count).contains($0.index) })
        else {
            throw ClientError.badAnswer(
                node: preferredNode, path: request.path, reason: "it does not fit what was sent")
        }
        return answer.refused
    }

    /// The transaction in its finalised block. Gives it to the nodes again where it seems lost: the node that took it
    /// may have died before it passed it on.
    /// - Parameter resubmit: what to give again, in this order; transactions of lower sequences come first.
    public func waitForInclusion(
        of transaction: SignedTransaction, id: TransactionId, timeout: Duration,
        resubmit: @Sendable () async -> [SignedTransaction] = { [] }
    ) async throws -> TransactionStateDocument {
        let start = ContinuousClock.now
        var failure: (any Error)?
        // Short at first: a transaction that the node does not know yet is either on its way or lost.
        var patience = Duration.seconds(1)
        while true {
            let left = timeout - (ContinuousClock.now - start)
            guard left > .zero else {
                if let failure { throw failure }
                throw ClientError.notIncluded(id, afterMs: UInt64(clamping: timeout.components.seconds) &* 1_000)
            }
            do {
                let found = try await self.transaction(id, wait: min(left, patience))
                patience = .seconds(4)
                failure = nil
                if let found, found.inclusion != nil { return found }
                try await checkPossible(transaction, id: id)
                // The node that has it may be cut off from the others.
                avoid(preferredNode)
                let lost = await resubmit()
                for other in lost.isEmpty ? [transaction] : lost { _ = try? await submit(other) }
                // A node that does not know it, or lags behind, answers at once: don't spin.
                if found == nil { try await Task.sleep(for: .milliseconds(200)) }
            } catch let error as ClientError where error.isTransient {
                failure = error
                try await Task.sleep(for: .milliseconds(250))
            }
        }
    }

    /// Throws when the transaction can't be included any more.
    private func checkPossible(_ signed: SignedTransaction, id: TransactionId) async throws {
        let transaction = signed.transaction
        if let account = try await account(transaction.sender), account.sequence > transaction.sequence {
            // The sequence is used: by this transaction, unless the nodes do not know it, even those that lag.
            for _ in 0..<3 where try await self.transaction(id, wait: .seconds(2)) != nil { return }
            throw ClientError.displaced(id, sequence: transaction.sequence)
        }
        if try await status().head.time > transaction.validUntil.value { throw ClientError.expired(id) }
    }
}
