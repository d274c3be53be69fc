import Cryptography
import PeerNetwork
import Primitives
import Testing

/// Whom a node dials, and when again.
@Suite(.timeLimit(.minutes(20))) struct DialPlanTests {
    private static let millisecond: UInt64 = 1_000_000

    private static var limits: PeerLimits {
        var limits = PeerLimits()
        limits.firstReconnectMs = 100
        limits.lastReconnectMs = 800
        limits.dialsAtOnce = 3
        return limits
    }

    private func candidates(_ keys: [PublicKey], places: Int = 1) -> [DialPlan.Candidate] {
        keys.map { key in
            DialPlan.Candidate(
                key: key, targets: (0..<places).map { PeerAddress(host: "h\($0)", port: 1, consensusKey: key) })
        }
    }

    @Test func fewAtOnceAndNoneTwice() throws {
        let keys = try Keys(8).set
        var plan = DialPlan(own: nil, limits: Self.limits)
        let all = candidates(keys)
        check(plan.due(all, places: .max, now: 0).map(\.consensusKey) == keys.prefix(3).map { $0 })
        check(plan.due(all, places: .max, now: 0).isEmpty, "three are under way")
        plan.ended(keys[0], wasEstablished: false, now: 0)
        check(plan.due(all, places: .max, now: 0).map(\.consensusKey) == [keys[3]], "the first one waits")
        // One of them got through: it is no candidate any more.
        let rest = candidates(keys.filter { $0 != keys[1] })
        check(plan.due(rest, places: 2, now: 0).isEmpty, "two are under way, as many as there are places")
        check(plan.due(rest, places: 3, now: 0).map(\.consensusKey) == [keys[4]])
        check(plan.due(rest, places: -5, now: 0).isEmpty)
        plan.keep(only: [])
        #expect(plan.count == 4, "those under way are told of their end")
    }

    @Test func waitsDoubleAndAddressesTakeTurns() throws {
        let key = try Keys(1).set[0]
        var plan = DialPlan(own: nil, limits: Self.limits)
        let one = candidates([key], places: 2)
        var now: UInt64 = 0
        for (round, wait) in [100, 200, 400, 800, 800, 800].enumerated() {
            check(plan.due(one, places: .max, now: now).map(\.host) == ["h\(round % 2)"])
            plan.ended(key, wasEstablished: false, now: now)
            // With a jitter of half.
            check(plan.due(one, places: .max, now: now + UInt64(wait / 2 - 1) * Self.millisecond).isEmpty)
            now += UInt64(wait * 3 / 2 + 1) * Self.millisecond
        }
        check(plan.due(one, places: .max, now: now).map(\.host) == ["h0"])
        // A connection starts it over, from the likeliest address.
        plan.ended(key, wasEstablished: true, now: now)
        now += 151 * Self.millisecond
        check(plan.due(one, places: .max, now: now).map(\.host) == ["h0"])
    }

    @Test func theLowerKeyGoesFirst() throws {
        let keys = try Keys(3).set
        var plan = DialPlan(own: keys[1], limits: Self.limits)
        let both = candidates([keys[0], keys[2]])
        check(plan.due(both, places: .max, now: 0).map(\.consensusKey) == [keys[2]])
        check(plan.due(both, places: .max, now: 151 * Self.millisecond).map(\.consensusKey) == [keys[0]])
    }
}
