import Audit
import Cryptography
import Encoding
import JobProtocol
import Primitives
import Synchronization

/// Who takes part and how to reach and seal for them, as the certified state says it: what a node answers beside it is
/// used where it can do no harm alone.
///
/// A node that named another KEM key for somebody could read what is sealed for him; one that made up a member could let
/// a stranger in.
///
/// An honest node's answer is of another block than the certified state: mostly of the next one, in which somebody may
/// just have renewed his key. So a node is called a liar only where the two speak of one block: its answer is remembered
/// until the certified state has come as far, and holds true where a key stood in the state before that block and after it.
package final class CertifiedParticipants: Sendable {
    package struct Identity: Hashable, Sendable {
        package let kemPublicKey: KEMPublicKey
        package let endpoint: String

        package init(kemPublicKey: KEMPublicKey, endpoint: String) {
            self.kemPublicKey = kemPublicKey
            self.endpoint = endpoint
        }
    }

    private let contract: Account
    /// The worker itself: what it has just sent need not be certified yet for it to know.
    private let own: Account
    private let read: @Sendable ([StateKey]) async throws -> CertifiedState
    private let report: @Sendable (WorkerEvent) -> Void
    private let book = Mutex(Book())

    private struct Book {
        var known: [Account: Seen] = [:]
        /// Keys that a node has named and that no certified state has shown, and for which block: the oldest of each
        /// account.
        var doubted: [Account: (key: KEMPublicKey, block: UInt64)] = [:]
        /// Of whom it was said already.
        var lies: Set<Account> = []
    }

    /// What the certified state held of an account, from one block to another. Keys are random, and no old one comes back:
    /// one that stood there at both ends did so all the time.
    private struct Seen {
        let identity: Identity
        let since: UInt64
        let until: UInt64
    }

    package init(
        contract: Account, own: Account, read: @escaping @Sendable ([StateKey]) async throws -> CertifiedState,
        report: @escaping @Sendable (WorkerEvent) -> Void = { _ in }
    ) {
        self.contract = contract
        self.own = own
        self.read = read
        self.report = report
    }

    /// Where the contract keeps a participant.
    package static func key(contract: Account, slot: UInt8) -> StateKey {
        .storage(contract, Array("\(Participant.family)".utf8) + [slot])
    }

    /// Where the contract keeps participants whom nobody has named yet; empty once some are known. Whoever reads these
    /// before he asks a node notices also its first lie.
    package var unknownKeys: [StateKey] {
        guard book.withLock({ $0.known.isEmpty }) else { return [] }
        return (0..<JobSlots.capacity).map { Self.key(contract: contract, slot: UInt8(clamping: $0)) }
    }

    /// Takes over what a certified state holds at ``unknownKeys``.
    package func note(_ state: CertifiedState, at keys: [StateKey]) {
        book.withLock { book in
            for key in keys {
                guard let stored = state[key].flatMap({ try? Participant(borsh: $0) }) else { continue }
                Self.note(stored, at: Self.block(of: state), in: &book.known)
            }
        }
    }

    /// - Parameters:
    ///   - told: what a node says.
    ///   - block: after which it says so.
    package func certify(_ told: [JobParticipant], after block: UInt64) async throws -> [JobParticipant] {
        let others = told.filter { $0.account != own }
        let isKnown = book.withLock { book in
            book.doubted.isEmpty && others.allSatisfy { book.known[$0.account]?.identity == $0.identity }
        }
        if !isKnown { try await refresh(others, after: block) }
        let certain = book.withLock { $0.known }
        return told.compactMap { participant in
            if participant.account == own { return participant }
            return certain[participant.account].map { participant.with($0.identity) }
        }
    }

    /// What the certified state holds of one slot; nil where that is not this account's, or not there yet.
    package func identity(of account: Account, at slot: UInt8) async throws -> Identity? {
        let key = Self.key(contract: contract, slot: slot)
        guard let bytes = try await read([key])[key], let stored = try? Participant(borsh: bytes),
            stored.account == account
        else { return nil }
        return Identity(kemPublicKey: stored.kemPublicKey, endpoint: stored.endpoint)
    }

    private func refresh(_ told: [JobParticipant], after block: UInt64) async throws {
        let keys = told.map { Self.key(contract: contract, slot: $0.slot) }
        let state = try await read(keys)
        let lies = book.withLock { book in
            let before = book.known
            book.known = [:]
            for (key, participant) in zip(keys, told) {
                // Not there yet: the newest block is certified by the next one.
                guard let stored = state[key].flatMap({ try? Participant(borsh: $0) }),
                    stored.account == participant.account
                else { continue }
                book.known[stored.account] = before[stored.account]
                Self.note(stored, at: Self.block(of: state), in: &book.known)
                // Without a key nobody seals for the account: that is no lie that does harm.
                if participant.kemPublicKey != stored.kemPublicKey, participant.kemPublicKey != .zero,
                    book.doubted[stored.account] == nil
                {
                    book.doubted[stored.account] = (participant.kemPublicKey, block)
                }
            }
            return Self.settle(&book)
        }
        for account in lies {
            report(
                .warning(
                    "a node names another key for \(account.short) than the certified state does; the certified one is used"
                ))
        }
    }

    /// The block after which a certified state holds: its header carries the root after the one before.
    private static func block(of state: CertifiedState) -> UInt64 { state.height.value - min(state.height.value, 1) }

    private static func note(_ stored: Participant, at block: UInt64, in known: inout [Account: Seen]) {
        let identity = Identity(kemPublicKey: stored.kemPublicKey, endpoint: stored.endpoint)
        var since = block
        if let seen = known[stored.account] {
            // What was read before may be taken in after it.
            guard block >= seen.until else { return }
            if seen.identity.kemPublicKey == stored.kemPublicKey { since = seen.since }
        }
        known[stored.account] = Seen(identity: identity, since: since, until: block)
    }

    /// Decides about the doubted keys that it can decide about.
    /// - Returns: for whom a node has named a false key, each account once.
    private static func settle(_ book: inout Book) -> [Account] {
        var lies: [Account] = []
        for (account, doubt) in book.doubted {
            guard let seen = book.known[account], seen.identity.kemPublicKey != doubt.key, seen.since <= doubt.block else {
                // It has left, the key stands there now, or another that came in between: no lie can be shown.
                book.doubted[account] = nil
                continue
            }
            // The newest block is certified by the next one.
            guard seen.until >= doubt.block else { continue }
            book.doubted[account] = nil
            if book.lies.insert(account).inserted { lies.append(account) }
        }
        return lies.sorted()
    }
}

extension JobParticipant {
    var identity: CertifiedParticipants.Identity { .init(kemPublicKey: kemPublicKey, endpoint: endpoint) }

    func with(_ identity: CertifiedParticipants.Identity) -> JobParticipant {
        JobParticipant(
            slot: slot, account: account, role: role, standing: standing, index: index, samples: samples,
            parent: parent,
            kemPublicKey: identity.kemPublicKey, endpoint: identity.endpoint, committed: committed, revealed: revealed,
            base: base, misses: misses, acceptedRounds: acceptedRounds, owed: owed, bond: bond, lastRoot: lastRoot,
            lastArtifact: lastArtifact)
    }
}
