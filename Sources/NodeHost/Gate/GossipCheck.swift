import Cryptography
import NodeCore
import Primitives

/// Signatures of several messages with transactions as one batch, which costs least for each.
package enum GossipCheck {
    /// - Returns: of each message whether all its signatures are right. One that holds a wrong one spoils no other.
    package static func areSound(
        _ messages: [[SignedTransaction]], genesis: Digest, by verifier: any NodeSignatures
    ) -> [Bool] {
        let all = messages.flatMap { $0 }
        var answers = verifier.areAuthorized(all, ids: all.map { $0.id(genesis: genesis) }, genesis: genesis)[...]
        return messages.map { message in
            defer { answers = answers.dropFirst(message.count) }
            return !answers.prefix(message.count).contains(false)
        }
    }
}
