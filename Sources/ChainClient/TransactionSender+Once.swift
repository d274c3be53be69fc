import APIModel
import Foundation
import Primitives

/// The account's sequence went to a transaction that says something else.
public struct SequenceTaken: Error, Sendable, CustomStringConvertible {
    public let sequence: UInt64
    public let id: TransactionId?

    public var description: String {
        "sequence \(sequence) of the account belongs to another transaction"
            + (id.map { ", \($0): 'chain-cli tx show \($0)' shows it" } ?? "")
            + ". Leave --sequence away for a new transaction"
    }
}

extension TransactionSender {
    /// Sends under this sequence, unless it went to a transaction that says the same: asked any number of times it acts
    /// once. Waits for the final block, which alone tells.
    ///
    /// - Throws: ``SequenceTaken`` when the sequence went to something else.
    public func sendOnce(
        _ request: TransactionRequest, sequence: UInt64, timeout: Duration
    ) async throws -> TransactionStateDocument {
        let end = ContinuousClock.now + timeout
        var handedOver: SignedTransaction?
        while true {
            let next = try await client.account(account)?.sequence ?? 0
            if next > sequence { return try await included(request, sequence: sequence) }
            let signed = try sign(request, sequence: sequence)
            do {
                try await client.submit(signed)
                handedOver = signed
            } catch let error as ClientError where error.code == "sequence_used" {
                continue
            } catch let error as ClientError where error.code == "sequence_pending" {
                // An earlier try of the same command, most likely: it is settled when it is final.
            } catch let error as ClientError where error.code == "sequence_too_far" && next < sequence {
                throw ClientError.displaced(signed.id(genesis: genesis), sequence: sequence)
            }
            while ContinuousClock.now < end {
                if try await client.account(account)?.sequence ?? 0 > sequence {
                    return try await included(request, sequence: sequence)
                }
                try await Task.sleep(for: .milliseconds(200))
            }
            let known = handedOver ?? signed
            throw ClientError.notIncluded(
                known.id(genesis: genesis), afterMs: UInt64(clamping: timeout.components.seconds) &* 1_000)
        }
    }

    /// The account's transaction of a used sequence, if it says what the request says.
    private func included(_ request: TransactionRequest, sequence: UInt64) async throws -> TransactionStateDocument {
        // Each own transaction made an entry, so that of this one has an index of at least its sequence.
        var from = sequence
        while let page = try await client.history(of: account, from: from, limit: 200), !page.entries.isEmpty {
            for entry in page.entries {
                guard let found = entry.action?.transaction, found.sequence == sequence else { continue }
                guard isSame(found, request), let state = try await client.transaction(found.id) else {
                    throw SequenceTaken(sequence: sequence, id: found.id)
                }
                return state
            }
            guard let next = page.next?.wrappedValue else { break }
            from = next
        }
        throw SequenceTaken(sequence: sequence, id: nil)
    }

    private func isSame(_ found: TransactionDocument, _ request: TransactionRequest) -> Bool {
        found.serviceId == request.service && found.postId == request.post && found.actionId == request.action.value
            && found.value == request.value && found.dataBytes == request.data.count
            && (found.data.map { $0.wrappedValue == request.data } ?? true)
    }
}
