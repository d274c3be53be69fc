import ProgramSupport
import Synchronization

/// Whose submissions have had wrong signatures. Nobody pays for the check of one, and all checks together have one thread:
/// an address from which too many came is not listened to for a while, and neither is a site of IPv6, whose owner has
/// 65,536 networks to send from. However many addresses and sites they come from, all together may cost so much: above it
/// only those are listened to that have sent something right, and nothing wrong, within the hour. (Anybody can send again
/// what another one signed; so what is wrong weighs more, and is remembered as long.)
package final class WrongSignatures: Sendable {
    /// What of a kind may come in the long run, and at once.
    package struct Allowance: Sendable {
        let each: Duration
        let grace: Duration

        package init(perSecond: Int, burst: Int) {
            each = .seconds(1) / max(1, perSecond)
            grace = each * max(1, burst)
        }
    }

    /// Why somebody is not listened to, and for how long.
    package enum Silence: Equatable, Sendable {
        case own(Duration)
        /// Wrong ones come from everywhere, and it is not known of this address that it sends right ones alone.
        case everybody(Duration)

        package var duration: Duration {
            switch self {
            case .own(let time), .everybody(let time): time
            }
        }
    }

    package struct Totals: Equatable, Sendable {
        package let wrong: UInt64
        package let silenced: UInt64
    }

    /// Parties that are remembered, of each kind.
    private static let most = 16_384
    /// Nobody has to be silent for longer.
    private static let longest = Duration.seconds(60)
    private static let longestForAll = Duration.seconds(5)
    /// How long it is known that an address sent something right, or wrong.
    private static let knownFor = Duration.seconds(3_600)
    /// What a site may send, as a multiple of what one of its networks may.
    private static let siteParts = 4

    private struct State {
        /// Until when what came is made up for, of addresses and of sites.
        var parties: [String: ContinuousClock.Instant] = [:]
        var all = ContinuousClock.now
        /// When something right came last, and something wrong.
        var right: [String: ContinuousClock.Instant] = [:]
        var spoilt: [String: ContinuousClock.Instant] = [:]
        var wrong: UInt64 = 0
        var silenced: UInt64 = 0
    }

    private let one: Allowance
    private let site: Allowance
    private let all: Allowance
    private let limitsLoopback: Bool
    private let state = Mutex(State())

    /// - Parameters:
    ///   - perSecond: that an address may send in the long run.
    ///   - burst: and at once.
    ///   - all: what all together may.
    package init(perSecond: Int, burst: Int, all: Allowance, limitsLoopback: Bool) {
        one = Allowance(perSecond: perSecond, burst: burst)
        site = Allowance(perSecond: perSecond * Self.siteParts, burst: burst * Self.siteParts)
        self.all = all
        self.limitsLoopback = limitsLoopback
    }

    package var totals: Totals { state.withLock { Totals(wrong: $0.wrong, silenced: $0.silenced) } }

    private func isLimited(_ holder: AddressHolder) -> Bool { limitsLoopback || !holder.isLoopback }

    /// Whether and why the address has to be silent; nil where it is listened to.
    ///
    /// - Parameter counts: whether it is refused for that, and not merely looked at.
    package func silence(of holder: AddressHolder?, counts: Bool = true) -> Silence? {
        guard let holder, isLimited(holder) else { return nil }
        let now = ContinuousClock.now
        return state.withLock { state in
            func left(_ until: ContinuousClock.Instant?, _ allowance: Allowance) -> Duration {
                until.map { $0 - now - allowance.grace } ?? .zero
            }
            func isKnown(_ times: [String: ContinuousClock.Instant]) -> Bool {
                times[holder.name].map { now - $0 < Self.knownFor } ?? false
            }
            let ofSite = holder.site == holder.name ? nil : state.parties[holder.site]
            let everybody = left(state.all, all)
            let isKnown = isKnown(state.right) && !isKnown(state.spoilt)
            // Whoever sends right ones alone does not answer for its neighbours.
            let own = max(left(state.parties[holder.name], one), isKnown ? .zero : left(ofSite, site))
            guard own > .zero || (everybody > .zero && !isKnown) else { return nil }
            if counts { state.silenced &+= 1 }
            return own > .zero ? .own(own) : .everybody(everybody)
        }
    }

    package func add(_ count: Int, by holder: AddressHolder?) {
        guard count > 0 else { return }
        let now = ContinuousClock.now
        state.withLock { state in
            state.wrong &+= UInt64(count)
            guard let holder, isLimited(holder) else { return }
            func later(_ until: ContinuousClock.Instant?, _ allowance: Allowance) -> ContinuousClock.Instant {
                min(now + allowance.grace + Self.longest, max(now, until ?? now) + allowance.each * count)
            }
            // Of its site an address uses up no more than it may send itself: one alone silences none of its neighbours.
            let left = max(.zero, one.grace - (max(now, state.parties[holder.name] ?? now) - now))
            let ofSite = min(count, Int(left / one.each))
            Self.put(later(state.parties[holder.name], one), for: holder.name, in: &state.parties, now)
            if holder.site != holder.name, ofSite > 0 {
                let until = min(
                    now + site.grace + Self.longest, max(now, state.parties[holder.site] ?? now) + site.each * ofSite)
                Self.put(until, for: holder.site, in: &state.parties, now)
            }
            Self.put(now, for: holder.name, in: &state.spoilt, now - Self.knownFor)
            // Nobody can make everybody wait for long.
            state.all = min(now + all.grace + Self.longestForAll, max(now, state.all) + all.each * count)
        }
    }

    /// Something with a right signature came from there.
    package func right(from holder: AddressHolder?) {
        guard let holder, isLimited(holder) else { return }
        let now = ContinuousClock.now
        state.withLock { Self.put(now, for: holder.name, in: &$0.right, now - Self.knownFor) }
    }

    /// Where all places are taken, what is over is forgotten, or else the half that has least.
    private static func put(
        _ time: ContinuousClock.Instant, for name: String, in places: inout [String: ContinuousClock.Instant],
        _ over: ContinuousClock.Instant
    ) {
        if places[name] == nil, places.count >= most {
            places = places.filter { $0.value > over }
            if places.count >= most {
                let middle = places.values.sorted()[places.count / 2]
                places = places.filter { $0.value > middle }
            }
        }
        places[name] = time
    }
}
