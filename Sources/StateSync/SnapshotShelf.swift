import Cryptography
import Primitives

/// The states that a node keeps for those that join: the newest ones, and beyond them those that somebody is fetching.
package struct SnapshotShelf: Sendable {
    private struct Held: Sendable {
        let snapshot: RetainedSnapshot
        /// When it was kept, and when a part of it was asked for last.
        let since: UInt64
        var asked: UInt64?

        var offer: SnapshotOffer { snapshot.offer }

        func isFetched(_ now: UInt64) -> Bool {
            guard let asked else { return false }
            return now < asked + SnapshotLimits.fetchedMs && now < since + SnapshotLimits.longestMs
        }
    }

    private let interval: UInt64
    /// The newest first.
    private var held: [Held] = []
    /// The next head from this height on is kept.
    private var due: UInt64

    /// - Parameter interval: blocks from one kept state to the next; 0 keeps none.
    package init(interval: UInt64) {
        self.interval = interval
        due = interval
    }

    /// The newest first.
    package var offers: [SnapshotOffer] { held.map(\.offer) }

    /// Whether the state that this head certifies is due: the first at or after each multiple of the interval.
    package func wants(_ height: Height) -> Bool { interval > 0 && height.value >= due }

    /// Takes a state that is due.
    ///
    /// - Returns: those that go for it: all but the newest ones and those that somebody fetches; of these, who began first
    ///   is not pushed out.
    package mutating func keep(_ snapshot: RetainedSnapshot, at now: UInt64) -> [RetainedSnapshot] {
        guard interval > 0 else { return [] }
        due =
            (snapshot.offer.height.value / interval).addingReportingOverflow(1).partialValue
            .multipliedReportingOverflow(by: interval).partialValue
        held.insert(Held(snapshot: snapshot, since: now), at: 0)
        let older = held.dropFirst(SnapshotLimits.kept)
        let fetched = older.filter { $0.isFetched(now) }.suffix(SnapshotLimits.offers - SnapshotLimits.kept)
        let old = older.filter { one in !fetched.contains { $0.offer == one.offer } }
        held = Array(held.prefix(SnapshotLimits.kept)) + fetched
        return old.map(\.snapshot)
    }

    /// The state of the block with this digest, for somebody who fetches it; nil where it is not kept, or not any more.
    package mutating func fetch(_ digest: Digest, at now: UInt64) -> RetainedSnapshot? {
        guard let place = held.firstIndex(where: { $0.offer.digest == digest }) else { return nil }
        held[place].asked = now
        return held[place].snapshot
    }

    /// It can't be given out after all.
    package mutating func drop(_ digest: Digest) { held.removeAll { $0.offer.digest == digest } }

    package mutating func clear() { held = [] }
}

/// How many requests of joiners are under way, and how fast each may ask.
package struct SnapshotAdmission: Sendable {
    private var places = RequestPlaces()
    /// When a peer that asked at the allowed rate would have asked for the last time, in milliseconds.
    private var paced: [PeerId: UInt64] = [:]

    private static let spacingMs = UInt64(1_000 / SnapshotLimits.requestsPerSecond)

    package init() {}

    /// - Returns: how long the answer has to wait, in milliseconds; nil when there is none.
    package mutating func enter(_ peer: PeerId, isStranger: Bool, now: UInt64) -> UInt64? {
        guard
            places.enter(
                peer, isStranger: isStranger, most: SnapshotLimits.requestsPerPeer, inAll: SnapshotLimits.requests)
        else { return nil }
        if paced.count >= 1_024 { paced = paced.filter { $0.value > now } }
        let last = max(paced[peer] ?? now, now) + Self.spacingMs
        paced[peer] = last
        return last > now + 1_000 ? last - now - 1_000 : 0
    }

    package mutating func leave(_ peer: PeerId, isStranger: Bool) { places.leave(peer, isStranger: isStranger) }
}

extension SnapshotMessage {
    /// The head of the snapshot that it asks for a part of; nil where it is no such request.
    package var wanted: Digest? {
        switch self {
        case .wantHead(let digest), .wantLinks(let digest, _), .wantChunk(let digest, _, _): digest
        case .wantOffers, .offers, .head, .links, .chunk: nil
        }
    }

    /// What a node answers that keeps the snapshot which this request is about, or that does not, where it is nil. Nil for
    /// what asks for no part of a snapshot.
    ///
    /// - Throws: what the store says, and ``RetainedSnapshot/Unservable``.
    package func answer(
        from snapshot: RetainedSnapshot?, chunkBytes: Int = SnapshotLimits.chunkBytes
    ) throws -> SnapshotMessage? {
        switch self {
        case .wantHead(let digest): .head(digest, try snapshot?.head())
        case .wantLinks(let digest, let from): .links(digest, from: from, try snapshot?.links(from: from))
        case .wantChunk(let digest, let start, let depth):
            .chunk(
                digest, start: start, try snapshot?.chunk(start: start, minimumDepth: Int(depth), limit: chunkBytes))
        case .wantOffers, .offers, .head, .links, .chunk: nil
        }
    }
}
