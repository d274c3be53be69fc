import ProgramSupport
import Synchronization

/// How many places of a kind one address may have: a limit for all alone leaves them to whoever comes first.
///
/// This machine's own address is left alone unless the configuration says otherwise: whoever comes through a reverse
/// proxy has that one, and only the proxy can tell its clients apart.
package final class AddressShares: Sendable {
    let limit: Int
    private let limitsLoopback: Bool
    /// Of those that have a place, so it is as long as there are places.
    private let taken = Mutex<[AddressHolder: Int]>([:])

    package init(limit: Int, limitsLoopback: Bool = false) {
        self.limit = max(1, limit)
        self.limitsLoopback = limitsLoopback
    }

    /// One of an address's places. Given back when the last reference goes.
    package final class Share: Sendable {
        private let shares: AddressShares?
        private let holder: AddressHolder?

        fileprivate init(_ shares: AddressShares?, _ holder: AddressHolder?) {
            self.shares = shares
            self.holder = holder
        }

        deinit {
            if let shares, let holder { shares.leave(holder) }
        }
    }

    /// Nil where the address has all that one may have.
    package func take(_ holder: AddressHolder?) -> Share? {
        guard let holder, limitsLoopback || !holder.isLoopback else { return Share(nil, nil) }
        let isTaken = taken.withLock { taken in
            guard taken[holder, default: 0] < limit else { return false }
            taken[holder, default: 0] += 1
            return true
        }
        return isTaken ? Share(self, holder) : nil
    }

    /// Addresses that have a place.
    package var holderCount: Int { taken.withLock { $0.count } }

    private func leave(_ holder: AddressHolder) {
        taken.withLock { taken in
            let left = taken[holder, default: 1] - 1
            taken[holder] = left > 0 ? left : nil
        }
    }
}

/// Places behind a gate, of which one address has some only.
struct GatedPlaces: Sendable {
    /// One of them; given back when the last reference goes.
    struct Place: Sendable {
        fileprivate let permit: Gate.Permit
        fileprivate let share: AddressShares.Share
    }

    let gate: Gate
    private let shares: AddressShares
    private let what: String

    /// - Parameters:
    ///   - what: they are, for who has no more.
    ///   - sharesWaiting: whether the places of those that wait can be had by one address, beside the others.
    init(
        _ what: String, _ configuration: APIConfiguration, limit: Int, waiting: Int, perAddress: Int,
        sharesWaiting: Bool = true
    ) {
        self.what = what
        gate = Gate(limit: limit, waiting: waiting)
        shares = configuration.shares(perAddress, of: limit + (sharesWaiting ? waiting : 0))
    }

    /// - Throws: 429 where the address has all that one may have, those that wait among them; 503 where nobody gets one.
    func place(for holder: AddressHolder?, retryAfterMs: UInt64) async throws -> Place {
        guard let share = shares.take(holder) else {
            throw APIError.addressLimit(what, shares.limit, retryAfterMs: retryAfterMs)
        }
        guard let permit = await gate.enter() else { throw APIError.busy }
        return Place(permit: permit, share: share)
    }
}
