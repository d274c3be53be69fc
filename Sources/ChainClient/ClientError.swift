import Primitives

/// Why a request to the chain failed, and what to do.
public enum ClientError: Error, Sendable, CustomStringConvertible {
    public struct Unreachable: Sendable, Equatable {
        public let node: NodeAddress
        public let reason: String
    }

    /// No node answered.
    case unreachable([Unreachable])
    /// A node answered no. `code` is stable; see `/openapi.json` and `SubmissionRefusal`.
    case refused(node: NodeAddress, status: Int, code: String, reason: String, retryAfterMs: UInt64?)
    /// A node answered something that this client does not understand.
    case badAnswer(node: NodeAddress, path: String, reason: String)
    case badNode(String)
    /// Submitted, but not in a finalised block in time. It may still get there until `validUntil`.
    case notIncluded(TransactionId, afterMs: UInt64)
    /// It can't be included any more: its time is over.
    case expired(TransactionId)
    /// Another transaction of the account took its sequence.
    case displaced(TransactionId, sequence: UInt64)
    /// The event stream has a gap: the node does not have the block any more.
    case missingBlock(UInt64, node: NodeAddress)
    /// With the name of one that there is, where it may be meant.
    case noSuchService(String, near: String? = nil)

    /// The refusal's code, if a node refused.
    public var code: String? {
        if case .refused(_, _, let code, _, _) = self { code } else { nil }
    }

    /// Whether another try, later, may succeed without any change.
    public var isTransient: Bool {
        switch self {
        case .unreachable: true
        case .refused(_, let status, let code, _, _):
            status >= 500 || status == 429 || code == "pool_full" || code == "ahead_of_chain"
        case .badAnswer, .badNode, .expired, .displaced, .noSuchService: false
        case .notIncluded, .missingBlock: true
        }
    }

    public var description: String {
        switch self {
        case .unreachable(let failures):
            "no node answers: " + failures.map { "\($0.node): \($0.reason)" }.joined(separator: "; ")
                + ". Is the node running? Give its address with --node or EDGEPROOF_NODE"
        case .refused(let node, _, let code, let reason, let retryAfterMs):
            "\(node) refused (\(code)): \(reason)" + (retryAfterMs.map { "; try again in \($0) ms" } ?? "")
        case .badAnswer(let node, let path, let reason):
            "\(node) answered \(path) in a way that this program does not understand: \(reason). "
                + "Is it an Edgeproof node of the same version?"
        case .badNode(let text): "'\(text)' is not the address of a node; it looks like http://127.0.0.1:26600"
        case .notIncluded(let id, let ms):
            "transaction \(id) was not in a finalised block after \(ms) ms; it may still get there: look with 'tx show \(id)'"
        case .expired(let id): "transaction \(id) was not included before its time was over; submit it again"
        case .displaced(let id, let sequence):
            "transaction \(id) was not included: another transaction of the account has sequence \(sequence)"
        case .missingBlock(let height, let node):
            "\(node) does not have block \(height) any more; ask another node"
        case .noSuchService(let name, let near):
            "no service '\(name)' is registered" + (near.map { " (did you mean '\($0)'?)" } ?? "")
                + "; 'service list' shows what is"
        }
    }
}
