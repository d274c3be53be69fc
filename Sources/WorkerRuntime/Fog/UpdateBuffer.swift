import Cryptography
import JobProtocol
import Primitives
import Training

/// Differences that an asynchronous fog job's cloud holds until they go into a round: the newest of each fog node, over
/// the rounds' ends. Bounded by the nodes that hold a place, each with one.
package actor UpdateBuffer {
    package struct Update: Sendable {
        /// The sender's place.
        package let index: UInt16
        /// The envelope's.
        package let commitment: Digest
        /// Names the round whose model it was made from.
        package let message: FogDifferenceMessage

        package init(index: UInt16, commitment: Digest, message: FogDifferenceMessage) {
            self.index = index
            self.commitment = commitment
            self.message = message
        }
    }

    private var held: [Account: Update] = [:]
    /// The round from whose model each one's last used update was made: no work counts twice.
    private var used: [Account: UInt32] = [:]

    package init() {}

    package var count: Int { held.count }

    func holds(_ commitment: Digest, of account: Account) -> Bool { held[account]?.commitment == commitment }

    /// - Returns: whether it is held now; not what went into a round before, nor what is older than what is held.
    @discardableResult
    package func add(_ update: Update, of account: Account) -> Bool {
        let round = update.message.round
        if let last = used[account], round <= last { return false }
        if let known = held[account], known.message.round > round { return false }
        held[account] = update
        return true
    }

    /// Drops what is too old, and what senders left behind who have no place any more.
    package func keepOnly(_ accounts: Set<Account>, since oldest: UInt32) {
        held = held.filter { accounts.contains($0.key) && $0.value.message.round >= oldest }
        used = used.filter { accounts.contains($0.key) }
    }

    /// What is held of those whom the chain says to have committed, each to work from the round that it names.
    package func updates(of committed: [Account: FogCommitment]) -> [Account: Update] {
        held.filter { account, update in
            committed[account].map { $0.index == update.index && $0.base == update.message.round } ?? false
        }
    }

    /// They went into a round.
    package func use(_ updates: [Account: Update]) {
        for (account, update) in updates {
            used[account] = max(used[account] ?? 0, update.message.round)
            if held[account]?.commitment == update.commitment { held[account] = nil }
        }
    }
}

/// That the chain holds a fog node's commitment for the running round.
package struct FogCommitment: Hashable, Sendable {
    /// The node's place.
    package let index: UInt16
    /// The round from whose model it started.
    package let base: UInt32

    package init(index: UInt16, base: UInt32) {
        self.index = index
        self.base = base
    }
}
