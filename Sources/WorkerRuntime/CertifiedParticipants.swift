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
    private let known = Mutex<[Account: Identity]>([:])
    private let accused = Mutex<Set<Account>>([])

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

    /// - Parameter told: what a node says.
    package func certify(_ told: [JobParticipant]) async throws -> [JobParticipant] {
        let others = told.filter { $0.account != own }
        let isKnown = known.withLock { known in others.allSatisfy { known[$0.account] == $0.identity } }
        if !isKnown { try await refresh(others) }
        let certain = known.withLock { $0 }
        return told.compactMap { participant in
            if participant.account == own { return participant }
            return certain[participant.account].map { participant.with($0) }
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

    private func refresh(_ told: [JobParticipant]) async throws {
        let keys = told.map { Self.key(contract: contract, slot: $0.slot) }
        let state = try await read(keys)
        var certain: [Account: Identity] = [:]
        for (key, participant) in zip(keys, told) {
            // Not there yet: the newest block is certified by the next one.
            guard let bytes = state[key], let stored = try? Participant(borsh: bytes),
                stored.account == participant.account
            else { continue }
            certain[stored.account] = Identity(kemPublicKey: stored.kemPublicKey, endpoint: stored.endpoint)
            // One who has just rotated differs too; one who differs again is lied about.
            if stored.kemPublicKey != participant.kemPublicKey { suspect(participant.account) }
        }
        known.withLock { $0 = certain }
    }

    private func suspect(_ account: Account) {
        let isFirst = accused.withLock { $0.insert(account).inserted }
        if isFirst {
            report(
                .warning(
                    "a node names another key for \(account.short) than the certified state does; the certified one is used"
                ))
        }
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
