/// Points for offences, which fade with time, and the bans that they lead to. At most ``PeerLimits/offenders`` are
/// remembered. It has no clock: the caller says what time it is.
package struct Scoreboard {
    private struct Record {
        /// At `updated`; they fade from there.
        var points = 0.0
        var updated: UInt64
        var bans = 0
        var bannedUntil: UInt64 = 0
        /// Connections of a banned address that may say who they are: a masternode can be behind it.
        var handshakes: TokenBucket

        func isBanned(_ now: UInt64) -> Bool { bannedUntil > now }
    }

    private let limits: PeerLimits
    private var records: [Offender: Record] = [:]

    package init(limits: PeerLimits) { self.limits = limits }

    package var count: Int { records.count }

    /// Adds the offence's points.
    ///
    /// - Parameters:
    ///   - isAdmitted: whether the offender is a masternode whose votes consensus needs.
    ///   - now: nanoseconds of a clock that does not go back.
    /// - Returns: the seconds of the ban that starts now, if one does.
    package mutating func add(_ offence: PeerOffence, by offender: Offender, isAdmitted: Bool, now: UInt64) -> Int? {
        // What comes from behind a ban says nothing new of its neighbours.
        guard ownBan(of: offender, now: now) == nil else { return nil }
        var longest = add(Double(offence.weight), to: offender, isAdmitted: isAdmitted, now: now)
        for (network, parts) in offender.wider {
            let seconds = add(Double(offence.weight) / Double(parts), to: network, isAdmitted: false, now: now)
            longest = [longest, seconds].compactMap { $0 }.max()
        }
        return longest
    }

    private mutating func add(_ points: Double, to offender: Offender, isAdmitted: Bool, now: UInt64) -> Int? {
        var record = records[offender] ?? newRecord(now)
        // What was under way when the ban began is not counted again.
        guard !record.isBanned(now) else { return nil }
        record.points = self.points(record, now) + points
        record.updated = max(now, record.updated)
        var seconds: Int?
        if record.points >= Double(limits.banThreshold) {
            let time = banTime(after: record.bans, isAdmitted: isAdmitted)
            record.bans += 1
            record.points = 0
            record.bannedUntil = now &+ UInt64(time) * Self.second
            record.handshakes = Self.handshakes(now)
            seconds = time
        }
        if records[offender] == nil { makeRoom(now) }
        records[offender] = record
        return seconds
    }

    /// Seconds that the offender, or a network of which it is a part, is still banned for; nil when none is.
    package func ban(of offender: Offender, now: UInt64) -> Int? {
        ([offender] + offender.wider.map(\.network)).compactMap { ownBan(of: $0, now: now) }.max()
    }

    private func ownBan(of offender: Offender, now: UInt64) -> Int? {
        guard let record = records[offender], record.isBanned(now) else { return nil }
        return Int((record.bannedUntil - now - 1) / Self.second) + 1
    }

    /// Whether a connection of the address may go as far as to say who it is.
    ///
    /// - Parameter isKnown: whether a masternode is at its address: then it does not answer for its neighbours.
    package mutating func admitsHandshake(of offender: Offender, isKnown: Bool = false, now: UInt64) -> Bool {
        for party in [offender] + (isKnown ? [] : offender.wider.map(\.network)) where records[party]?.isBanned(now) ?? false {
            guard records[party]?.handshakes.takeIfThere(now: now) ?? true else { return false }
        }
        return true
    }

    package func bans(now: UInt64) -> [PeerBan] {
        records.keys.compactMap { offender in
            ownBan(of: offender, now: now).map { PeerBan(who: "\(offender)", secondsLeft: $0) }
        }.sorted { ($1.secondsLeft, $0.who) < ($0.secondsLeft, $1.who) }
    }

    // MARK: Bookkeeping

    private static let second: UInt64 = 1_000_000_000
    private static let mostDoublings = 30

    private static func handshakes(_ now: UInt64) -> TokenBucket { TokenBucket(rate: 1, burst: 10, now: now) }

    private func newRecord(_ now: UInt64) -> Record { Record(updated: now, handshakes: Self.handshakes(now)) }

    private func points(_ record: Record, _ now: UInt64) -> Double {
        let minutes = Double(now > record.updated ? now - record.updated : 0) / Double(60 * Self.second)
        return max(0, record.points - minutes * Double(limits.pointsForgottenPerMinute))
    }

    private func banTime(after bans: Int, isAdmitted: Bool) -> Int {
        let longest = max(1, isAdmitted ? limits.masternodeBanSeconds : limits.lastBanSeconds)
        let doubled = max(1, limits.firstBanSeconds).multipliedReportingOverflow(by: 1 << min(bans, Self.mostDoublings))
        return doubled.overflow ? longest : min(longest, doubled.partialValue)
    }

    /// Whether nothing is left to remember: no points, and the last ban ended as long ago as the longest lasts.
    private func isForgotten(_ record: Record, _ now: UInt64) -> Bool {
        guard points(record, now) <= 0 else { return false }
        let end = record.bannedUntil &+ UInt64(max(1, limits.lastBanSeconds)) * Self.second
        return record.bans == 0 || end <= now
    }

    /// Forgets those with nothing left; if all have something, whoever has least.
    private mutating func makeRoom(_ now: UInt64) {
        guard records.count >= max(1, limits.offenders) else { return }
        records = records.filter { !isForgotten($0.value, now) }
        while records.count >= max(1, limits.offenders) {
            let least = records.min { lhs, rhs in
                (lhs.value.bannedUntil, points(lhs.value, now)) < (rhs.value.bannedUntil, points(rhs.value, now))
            }
            guard let least else { return }
            records[least.key] = nil
        }
    }
}
