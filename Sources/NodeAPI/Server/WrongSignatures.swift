import ProgramSupport
import Synchronization

/// Whose submissions have had wrong signatures. Nobody pays for the check of one, and all checks together have one thread:
/// an address from which too many came is not listened to for a while.
package final class WrongSignatures: Sendable {
    /// Addresses that are remembered.
    private static let most = 4_096
    /// No address has to be silent for longer.
    private static let longest = Duration.seconds(60)

    private let each: Duration
    private let grace: Duration
    private let limitsLoopback: Bool
    /// Until when what came is made up for.
    private let madeUp = Mutex<[AddressHolder: ContinuousClock.Instant]>([:])

    /// - Parameters:
    ///   - perSecond: that an address may send in the long run.
    ///   - burst: and at once.
    package init(perSecond: Int, burst: Int, limitsLoopback: Bool) {
        each = .seconds(1) / max(1, perSecond)
        grace = each * max(1, burst)
        self.limitsLoopback = limitsLoopback
    }

    /// How long the address has to be silent; nil where it is listened to.
    package func silence(of holder: AddressHolder?) -> Duration? {
        guard let holder, let until = madeUp.withLock({ $0[holder] }) else { return nil }
        let left = until - .now - grace
        return left > .zero ? left : nil
    }

    package func add(_ count: Int, by holder: AddressHolder?) {
        guard count > 0, let holder, limitsLoopback || !holder.isLoopback else { return }
        let now = ContinuousClock.now
        madeUp.withLock { madeUp in
            if madeUp[holder] == nil, madeUp.count >= Self.most {
                madeUp = madeUp.filter { $0.value > now }
                if madeUp.count >= Self.most { madeUp = [:] }
            }
            madeUp[holder] = min(now + grace + Self.longest, max(now, madeUp[holder] ?? now) + each * count)
        }
    }
}
