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
/// It works on queues of its own, one for masternodes and one for strangers: reading for a stranger never holds up
/// consensus, nor a masternode that joins again, and what one peer or all together can make it do is bounded
/// (``SnapshotLimits``). Who asks too fast is answered later; requests above the bounds get no answer, and the asker tries
/// elsewhere.
package final class SnapshotServer: Sendable {
    private let logger: Logger
    private let clock: @Sendable () -> UInt64
    private let masternodes = DispatchQueue(label: "edgeproof.snapshots", qos: .utility)
    private let strangers = DispatchQueue(label: "edgeproof.snapshots.strangers", qos: .utility)
    private let send: @Sendable (SnapshotMessage, PeerId) -> Void
    private let onUnreadable: @Sendable (any Error) -> Void
    /// Requests above the bounds.
    private let unanswered = Mutex<UInt64>(0)
    private let admission = Mutex(SnapshotAdmission())
    private let kept: Mutex<Kept>

    private struct Kept {
        var shelf: SnapshotShelf
        var isStopped = false
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
        self.logger = logger
        self.clock = clock
        self.send = send
        self.onUnreadable = onUnreadable
        kept = Mutex(Kept(shelf: SnapshotShelf(interval: interval)))
    }

    /// Keeps the state as it is now if one is due: the first at or after each multiple of the interval whose head has a
    /// Finalization of its own.
    package func consider(_ snapshot: ChainSnapshot) {
        do {
            guard let head = try snapshot.head(), kept.withLock({ $0.shelf.wants(head.height) }),
                let block = try snapshot.block(at: head.height), block.finalization != nil
            else { return }
            let fresh = RetainedSnapshot(
                offer: SnapshotOffer(height: head.height, digest: head.digest), store: snapshot)
            let now = clock()
            let dropped: [RetainedSnapshot] = kept.withLock { kept in
                kept.isStopped ? [] : kept.shelf.keep(fresh, at: now)
            }
            logger.info("keeps a snapshot for nodes that join", metadata: ["height": "\(head.height)"])
            // LevelDB may have to free much: not under the lock, nor on the caller's queue.
            if !dropped.isEmpty { strangers.async { withExtendedLifetime(dropped) {} } }
        } catch {
            logger.error("no snapshot was kept", metadata: ["error": "\(error)"])
        }
    }

    /// Answers a request, now or never. What is no request is ignored: this node asked for nothing.
    ///
    /// - Parameter isStranger: its answers take at most half of a thread's time, however many strangers there are.
    package func received(_ message: SnapshotMessage, from peer: PeerId, isStranger: Bool = false) {
        guard message.kind.isRequest else { return }
        guard let delay = admission.withLock({ $0.enter(peer, isStranger: isStranger, now: clock()) }) else {
            return unanswered.withLock { $0 &+= 1 }
        }
        if case .wantOffers = message {
            admission.withLock { $0.leave(peer, isStranger: isStranger) }
            if delay == 0 { send(.offers(offers), peer) }
            return
        }
        // Who asks too fast is answered later, as fast as it may ask.
        (isStranger ? strangers : masternodes).asyncAfter(deadline: .now() + .milliseconds(Int(clamping: delay))) { [self] in
            let start = DispatchTime.now().uptimeNanoseconds
            let answer = answer(message)
            let spent = DispatchTime.now().uptimeNanoseconds - start
            // First, since the peer may ask again as soon as it has the answer.
            admission.withLock { $0.leave(peer, isStranger: isStranger) }
            if let answer { send(answer, peer) }
            if isStranger { usleep(UInt32(clamping: min(spent / 1_000, 1_000_000))) }
        }
    }

    /// Lets go of the store. Ends when no read is under way.
    package func stop() async {
        kept.withLock {
            $0.isStopped = true
            $0.shelf.clear()
        }
        for queue in [masternodes, strangers] {
            await withCheckedContinuation { continuation in queue.async { continuation.resume() } }
        }
    }

    package var unansweredRequests: UInt64 { unanswered.withLock { $0 } }

    package var offers: [SnapshotOffer] { kept.withLock { $0.shelf.offers } }

    private func answer(_ message: SnapshotMessage) -> SnapshotMessage? {
        guard let digest = message.wanted else { return nil }
        let now = clock()
        do {
            return try message.answer(from: kept.withLock { $0.shelf.fetch(digest, at: now) })
        } catch let reason as RetainedSnapshot.Unservable {
            logger.warning("does not serve a snapshot", metadata: ["reason": "\(reason)"])
            drop(digest)
            // That it has none: nothing is read for it, so nothing can fail.
            return try? message.answer(from: nil)
        } catch {
            logger.error("a snapshot can't be read, and is not offered any more", metadata: ["error": "\(error)"])
            drop(digest)
            onUnreadable(error)
            return nil
        }
    }

    private func drop(_ digest: Digest) { kept.withLock { $0.shelf.drop(digest) } }
}
