import Consensus
import Cryptography
import NodeCore
import Primitives
import Synchronization

/// Checks each signature once. A node sees most votes again: in certificates that it could have made itself, and in the
/// next block, which holds its parent's certificate; and most transactions come with gossip before they come in a block.
/// What is checked at the gate, on other threads, is thereby known to the machine.
public final class RememberingVerifier: NodeSignatures {
    /// The message by its hash: a signature that is right for one message says nothing about another.
    private struct Checked: Hashable {
        let key: PublicKey
        let signature: Signature
        let message: Digest

        func _rawHashValue(seed: Int) -> Int {
            signature.tableHash(seed: message._rawHashValue(seed: key._rawHashValue(seed: seed)))
        }
    }

    /// Right ones only, in two generations of bounded size: the older is dropped when the newer is full.
    private struct State {
        var newer: Set<Checked> = []
        var older: Set<Checked> = []
    }

    private static let generation = 4_096

    private let verifier: any NodeSignatures
    private let state = Mutex(State())
    private let transactions = Mutex(VerifiedTransactions())

    public init(_ verifier: any NodeSignatures = Ed25519Verifier()) { self.verifier = verifier }

    public func isValid(_ signature: Signature, of key: PublicKey, message: [UInt8]) -> Bool {
        let checked = Checked(key: key, signature: signature, message: Digest(sha256: message))
        if state.withLock({ $0.newer.contains(checked) || $0.older.contains(checked) }) { return true }
        guard verifier.isValid(signature, of: key, message: message) else { return false }
        remember(checked)
        return true
    }

    /// What this node signed itself, and meets again in certificates.
    fileprivate func signed(_ signature: Signature, by key: PublicKey, message: [UInt8]) {
        remember(Checked(key: key, signature: signature, message: Digest(sha256: message)))
    }

    private func remember(_ checked: Checked) {
        state.withLock { state in
            if state.newer.count >= Self.generation {
                state.older = state.newer
                state.newer = []
            }
            state.newer.insert(checked)
        }
    }

    public func isAuthorized(_ transaction: SignedTransaction, id: TransactionId, genesis: Digest) -> Bool {
        let entry = VerifiedTransactions.Entry(transaction, id: id)
        if transactions.withLock({ $0.contains(entry) }) { return true }
        guard verifier.isAuthorized(transaction, id: id, genesis: genesis) else { return false }
        transactions.withLock { $0.insert(entry) }
        return true
    }

    /// Those that are not known are checked as one batch.
    public func areAuthorized(_ all: [SignedTransaction], ids: [TransactionId], genesis: Digest) -> [Bool] {
        let entries = zip(all, ids).map { VerifiedTransactions.Entry($0, id: $1) }
        var answers = transactions.withLock { known in entries.map { known.contains($0) } }
        let unknown = answers.indices.filter { !answers[$0] }
        guard !unknown.isEmpty else { return answers }
        let found = verifier.areAuthorized(unknown.map { all[$0] }, ids: unknown.map { ids[$0] }, genesis: genesis)
        for (index, isRight) in zip(unknown, found) { answers[index] = isRight }
        transactions.withLock { known in
            for (index, isRight) in zip(unknown, found) where isRight { known.insert(entries[index]) }
        }
        return answers
    }
}

/// Signs votes, so that their signatures are known to be right where they come back in a certificate.
package struct RememberingSigner: VoteSigner {
    private let signer: PrivateKey
    private let verifier: RememberingVerifier

    package init(_ signer: PrivateKey, known verifier: RememberingVerifier) {
        self.signer = signer
        self.verifier = verifier
    }

    package func sign(message: [UInt8]) throws -> Signature {
        let signature = try signer.sign(message: message)
        verifier.signed(signature, by: signer.publicKey, message: message)
        return signature
    }
}

/// Remembers the newest transactions whose signatures were checked, so that none is checked twice on its way from the
/// pool into a block. Two generations of bounded size: the older is dropped when the newer is full.
struct VerifiedTransactions {
    /// Not the transaction itself: its data may have 64 kB. Hashed once, however often it is looked for.
    struct Entry: Hashable {
        private let id: TransactionId
        private let authorization: Authorization
        private let hash: Int

        init(_ transaction: SignedTransaction, id: TransactionId) {
            self.id = id
            authorization = transaction.authorization
            // Of both: a sender can make any number of signatures for one transaction.
            hash =
                switch transaction.authorization {
                case .ed25519(let signature): signature.tableHash(seed: id._rawHashValue(seed: 0))
                }
        }

        static func == (a: Entry, b: Entry) -> Bool { a.id == b.id && a.authorization == b.authorization }
        func hash(into hasher: inout Hasher) { hasher.combine(hash) }
    }

    private static let generation = 65_536
    private var newer: Set<Entry> = []
    private var older: Set<Entry> = []

    func contains(_ entry: Entry) -> Bool { newer.contains(entry) || older.contains(entry) }

    mutating func insert(_ entry: Entry) {
        if newer.count >= Self.generation {
            older = newer
            newer = []
        }
        newer.insert(entry)
    }
}
