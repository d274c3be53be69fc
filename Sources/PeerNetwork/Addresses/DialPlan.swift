import Cryptography
import Primitives

/// Which masternodes of the address book to dial, and when again. Connections are not its matter: it is told of them.
package struct DialPlan {
    private struct Attempt {
        var backoff: Backoff
        /// Not before this time.
        var next: UInt64
        /// Which of the masternode's addresses comes next.
        var turn = 0
        var isUnderWay = false
    }

    /// Somebody to dial, in the order of preference.
    package struct Candidate {
        package let key: PublicKey
        package let targets: [PeerAddress]

        package init(key: PublicKey, targets: [PeerAddress]) {
            self.key = key
            self.targets = targets
        }
    }

    private let own: PublicKey?
    private let limits: PeerLimits
    private var attempts: [PublicKey: Attempt] = [:]

    /// - Parameter own: this node's consensus key.
    package init(own: PublicKey?, limits: PeerLimits) {
        self.own = own
        self.limits = limits
    }

    package var count: Int { attempts.count }

    /// Whom to dial now; each of them is under way until ``ended(_:wasEstablished:now:)``.
    ///
    /// - Parameters:
    ///   - candidates: masternodes that are not connected.
    ///   - places: most that may be under way after this.
    ///   - now: nanoseconds of a clock that does not go back.
    package mutating func due(_ candidates: [Candidate], places: Int, now: UInt64) -> [PeerAddress] {
        var free = min(places, limits.dialsAtOnce) - candidates.count { attempts[$0.key]?.isUnderWay == true }
        var due: [PeerAddress] = []
        for candidate in candidates where free > 0 && !candidate.targets.isEmpty {
            var attempt = attempts[candidate.key] ?? fresh(candidate.key, now)
            if !attempt.isUnderWay, attempt.next <= now {
                due.append(candidate.targets[attempt.turn % candidate.targets.count])
                attempt.turn = (attempt.turn + 1) % AddressBook.addressesPerKey
                attempt.isUnderWay = true
                free -= 1
            }
            attempts[candidate.key] = attempt
        }
        return due
    }

    /// What ``due(_:places:now:)`` returned is over: the dial failed, or its connection ended.
    package mutating func ended(_ key: PublicKey, wasEstablished: Bool, now: UInt64) {
        guard var attempt = attempts[key] else { return }
        attempt.isUnderWay = false
        if wasEstablished {
            attempt.backoff.reset()
            attempt.turn = 0
        }
        attempt.next = now &+ attempt.backoff.take().nanoseconds
        attempts[key] = attempt
    }

    /// A connection with the masternode, whoever made it, was established: the next dial starts over.
    package mutating func reached(_ key: PublicKey) {
        attempts[key]?.backoff.reset()
        attempts[key]?.turn = 0
    }

    package mutating func keep(only keys: Set<PublicKey>) {
        // One that is under way is told of its end first.
        attempts = attempts.filter { keys.contains($0.key) || $0.value.isUnderWay }
    }

    /// Both sides dial: the one with the lower key goes first, and mostly spares the other one its own connection.
    private func fresh(_ key: PublicKey, _ now: UInt64) -> Attempt {
        var backoff = Backoff(first: limits.firstReconnectMs, last: limits.lastReconnectMs)
        let wait = own.map { key < $0 } == true ? backoff.take().nanoseconds : 0
        return Attempt(backoff: backoff, next: now &+ wait)
    }
}

extension Duration {
    /// 0 for a negative one.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        return UInt64(clamping: seconds) &* 1_000_000_000 &+ UInt64(clamping: attoseconds / 1_000_000_000)
    }
}
