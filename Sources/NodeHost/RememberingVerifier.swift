import Cryptography
import NodeCore
import Primitives
import Synchronization

/// Checks each vote's signature once. A node sees most of them again: in certificates that it could have made itself,
/// and in the next block, which holds its parent's certificate.
public final class RememberingVerifier: NodeSignatures {
    /// The message by its hash: a signature that is right for one message says nothing about another.
    private struct Checked: Hashable {
        let key: PublicKey
        let signature: Signature
        let message: Digest
    }

    /// Right ones only, in two generations of bounded size: the older is dropped when the newer is full.
    private struct State {
        var newer: Set<Checked> = []
        var older: Set<Checked> = []
    }

    private static let generation = 4_096

    private let verifier: any NodeSignatures
    private let state = Mutex(State())

    public init(_ verifier: any NodeSignatures = Ed25519Verifier()) { self.verifier = verifier }

    public func isValid(_ signature: Signature, of key: PublicKey, message: [UInt8]) -> Bool {
        let checked = Checked(key: key, signature: signature, message: Digest(sha256: message))
        if state.withLock({ $0.newer.contains(checked) || $0.older.contains(checked) }) { return true }
        guard verifier.isValid(signature, of: key, message: message) else { return false }
        state.withLock { state in
            if state.newer.count >= Self.generation {
                state.older = state.newer
                state.newer = []
            }
            state.newer.insert(checked)
        }
        return true
    }

    /// Not remembered here: ``VerifiedSignatures`` does that, by identifiers that are computed anyway.
    public func isAuthorized(_ transaction: SignedTransaction, genesis: Digest) -> Bool {
        verifier.isAuthorized(transaction, genesis: genesis)
    }
}
