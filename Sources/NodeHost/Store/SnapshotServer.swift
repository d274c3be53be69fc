import Cryptography
import Dispatch
import Glibc
import Logging
import NodeCore
import PeerNetwork
import Primitives
import StateSync
import Storage
import Synchronization

/// Keeps states of the recent past, and those that somebody is fetching, and answers the nodes that join with them.
///
/// It works on a queue of its own: reading for a stranger never holds up consensus, and what one peer or all together
/// can make it do is bounded (``NodeLimits``). Who asks too fast is answered later; requests above the bounds get no answer, and the asker tries
/// elsewhere.
package final class SnapshotServer: Sendable {
    private let interval: UInt64
    private let logger: Logger
    private let clock: @Sendable () -> UInt64
    private let queue = DispatchQueue(label: "edgeproof.snapshots", qos: .utility)
    private let send: @Sendable (SnapshotMessage, PeerId) -> Void
    private let onUnreadable: @Sendable (any Error) -> Void
    private let admission = Mutex(Admission())
    private let kept = Mutex(Kept())

    private struct Kept {
        /// The newest first.
        var snapshots: [Held] = []
        /// The next head from this height on is kept.
        var due: UInt64
        var isStopped = false

        init() { due = 0 }

        /// All but the newest ones and those that somebody fetches; of these, who began first is not pushed out.
        mutating func takeOld(_ now: UInt64) -> [Held] {
            let older = snapshots.dropFirst(SnapshotLimits.kept)
            let fetched = older.filter { $0.isFetched(now) }.suffix(SnapshotLimits.offers - SnapshotLimits.kept)
            let old = older.filter { one in !fetched.contains { $0.offer == one.offer } }
            snapshots = Array(snapshots.prefix(SnapshotLimits.kept)) + fetched
            return old
        }
    }

    /// Given to the queue alone, which uses it one piece of work at a time.
    private struct Held: @unchecked Sendable {
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

    private struct Admission {
        private var places = RequestPlaces()
        /// When a peer that asked at the allowed rate would have asked for the last time, in milliseconds.
        private var paced: [PeerId: UInt64] = [:]

        private static let spacingMs = UInt64(1_000 / SnapshotLimits.requestsPerSecond)

        /// - Returns: how long the answer has to wait, in milliseconds; nil when there is none.
        mutating func enter(_ peer: PeerId, isStranger: Bool, now: UInt64) -> UInt64? {
            guard
                places.enter(
                    peer, isStranger: isStranger, most: SnapshotLimits.requestsPerPeer, inAll: SnapshotLimits.requests)
            else { return nil }
            if paced.count >= 1_024 { paced = paced.filter { $0.value > now } }
            let last = max(paced[peer] ?? now, now) + Self.spacingMs
            paced[peer] = last
            return last > now + 1_000 ? last - now - 1_000 : 0
        }

        mutating func leave(_ peer: PeerId, isStranger: Bool) { places.leave(peer, isStranger: isStranger) }
    }

    /// - Parameters:
    ///   - interval: blocks from one kept state to the next; 0 keeps none.
    ///   - clock: milliseconds that never go back.
    ///   - onUnreadable: told why a snapshot could not be read, which is not offered any more then.
    ///   - send: queues an answer.
    package init(
        interval: UInt64, logger: Logger, clock: @escaping @Sendable () -> UInt64,
        onUnreadable: @escaping @Sendable (any Error) -> Void = { _ in },
        send: @escaping @Sendable (SnapshotMessage, PeerId) -> Void
    ) {
        self.interval = interval
        self.logger = logger
        self.clock = clock
        self.send = send
        self.onUnreadable = onUnreadable
        kept.withLock { $0.due = interval }
    }

    /// Keeps the state as it is now if one is due: the first at or after each multiple of the interval whose head has a
    /// Finalization of its own.
    package func consider(_ snapshot: ChainSnapshot) {
        guard interval > 0 else { return }
        do {
            guard let head = try snapshot.head(), head.height.value >= kept.withLock({ $0.due }),
                let block = try snapshot.block(at: head.height), block.finalization != nil
            else { return }
            let offer = SnapshotOffer(height: head.height, digest: head.digest)
            let now = clock()
            let fresh = Held(snapshot: RetainedSnapshot(offer: offer, store: snapshot), since: now)
            let dropped: [Held] = kept.withLock { kept in
                guard !kept.isStopped else { return [] }
                kept.due = (head.height.value / interval).addingReportingOverflow(1).partialValue
                    .multipliedReportingOverflow(by: interval).partialValue
                kept.snapshots.insert(fresh, at: 0)
                return kept.takeOld(now)
            }
            logger.info("keeps a snapshot for nodes that join", metadata: ["height": "\(head.height)"])
            // LevelDB may have to free much: not under the lock, nor on the caller's queue.
            if !dropped.isEmpty { queue.async { withExtendedLifetime(dropped) {} } }
        } catch {
            logger.error("no snapshot was kept", metadata: ["error": "\(error)"])
        }
    }

    /// Answers a request, now or never. What is no request is ignored: this node asked for nothing.
    ///
    /// - Parameter isStranger: its answers take at most half of the queue's time, however many strangers there are.
    package func received(_ message: SnapshotMessage, from peer: PeerId, isStranger: Bool = false) {
        guard message.kind.isRequest else { return }
        guard let delay = admission.withLock({ $0.enter(peer, isStranger: isStranger, now: clock()) }) else { return }
        if case .wantOffers = message {
            admission.withLock { $0.leave(peer, isStranger: isStranger) }
            if delay == 0 { send(.offers(offers), peer) }
            return
        }
        // Who asks too fast is answered later, as fast as it may ask.
        queue.asyncAfter(deadline: .now() + .milliseconds(Int(clamping: delay))) { [self] in
            let start = DispatchTime.now().uptimeNanoseconds
            let answer = answer(message)
            if isStranger {
                let spent = DispatchTime.now().uptimeNanoseconds - start
                usleep(UInt32(clamping: min(spent / 1_000, 1_000_000)))
            }
            // First, since the peer may ask again as soon as it has the answer.
            admission.withLock { $0.leave(peer, isStranger: isStranger) }
            if let answer { send(answer, peer) }
        }
    }

    /// Lets go of the store. Ends when no read is under way.
    package func stop() async {
        kept.withLock {
            $0.isStopped = true
            $0.snapshots = []
        }
        await withCheckedContinuation { continuation in queue.async { continuation.resume() } }
    }

    package var offers: [SnapshotOffer] { kept.withLock { $0.snapshots.map(\.offer) } }

    private func snapshot(_ digest: Digest) -> RetainedSnapshot? {
        let now = clock()
        let found: Held? = kept.withLock { kept in
            guard let place = kept.snapshots.firstIndex(where: { $0.offer.digest == digest }) else { return nil }
            kept.snapshots[place].asked = now
            return kept.snapshots[place]
        }
        return found?.snapshot
    }

    private func answer(_ message: SnapshotMessage) -> SnapshotMessage? {
        do {
            switch message {
            case .wantHead(let digest): return .head(digest, try snapshot(digest)?.head())
            case .wantLinks(let digest, let from):
                return .links(digest, from: from, try snapshot(digest)?.links(from: from))
            case .wantChunk(let digest, let start, let depth):
                guard let snapshot = snapshot(digest) else { return .chunk(digest, start: start, nil) }
                do {
                    return .chunk(digest, start: start, try snapshot.chunk(start: start, minimumDepth: Int(depth)))
                } catch let reason as RetainedSnapshot.Unservable {
                    withdraw(digest, because: reason)
                    return .chunk(digest, start: start, nil)
                }
            case .wantOffers, .offers, .head, .links, .chunk: return nil
            }
        } catch {
            logger.error("a snapshot can't be read, and is not offered any more", metadata: ["error": "\(error)"])
            if let digest = message.wanted { drop(digest) }
            onUnreadable(error)
            return nil
        }
    }

    private func withdraw(_ digest: Digest, because reason: RetainedSnapshot.Unservable) {
        logger.warning("does not serve a snapshot", metadata: ["reason": "\(reason)"])
        drop(digest)
    }

    private func drop(_ digest: Digest) {
        kept.withLock { $0.snapshots.removeAll { $0.offer.digest == digest } }
    }
}

extension SnapshotMessage {
    /// The head of the snapshot that it asks for a part of.
    fileprivate var wanted: Digest? {
        switch self {
        case .wantHead(let digest), .wantLinks(let digest, _), .wantChunk(let digest, _, _): digest
        case .wantOffers, .offers, .head, .links, .chunk: nil
        }
    }
}
