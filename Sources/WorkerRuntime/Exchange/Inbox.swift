import Cryptography
import Primitives
import Training

/// Envelopes of members that wait for their round. Bounded for each sender and in all: what is too old is dropped,
/// what comes early waits.
///
/// A place is asked for with an envelope's head, before its body is read, so that the bodies under way count too. The
/// members divide the room evenly: whatever the others send, each has its share.
package actor Inbox {
    /// What becomes of an envelope whose head was seen.
    package enum Decision: Equatable, Sendable {
        /// Its body may come; the number is for ``fill(_:with:)`` or ``cancel(_:)``.
        case place(UInt64)
        /// It is here already, or of no more use: the sender need not send it again.
        case had
        /// No room, or too early: the sender shall try again.
        case later
    }

    private struct Waiting {
        let place: UInt64
        let sender: Account
        let round: UInt32
        let commitment: Digest
        var bytes: Int
        /// Nil while its body is under way.
        var envelope: Envelope?
    }

    private let shareBytes: Int
    private var waiting: [Waiting] = []
    private var nextPlace: UInt64 = 0
    private var round: UInt32 = 0
    /// Envelopes of earlier rounds are taken from this one on.
    private var oldest: UInt32 = 0
    private var readers: [UInt64: CheckedContinuation<Void, Never>] = [:]
    private var nextReader: UInt64 = 0

    /// - Parameter shareBytes: what one sender may have waiting; a member's part of ``WorkerLimits/waitingBytes``.
    package init(shareBytes: Int = WorkerLimits.waitingBytes) { self.shareBytes = shareBytes }

    /// Envelopes that wait, whole.
    package var count: Int { waiting.count { $0.envelope != nil } }
    /// Places whose body is under way.
    package var expected: Int { waiting.count { $0.envelope == nil } }

    /// - Parameter head: of an envelope that was found good, but for its body.
    package func reserve(_ head: EnvelopeHead) -> Decision {
        let context = head.context
        if context.round < oldest { return .had }
        // The worker that sends it is further than this one, by a round at most.
        guard context.round <= round || context.round - round <= 1 else { return .later }
        // Sent again after a lost answer or a restart: the same content, in a new seal perhaps, opens as well. One whose
        // body stopped on the way is given up for the new one.
        if let known = waiting.firstIndex(where: { $0.commitment == head.commitment && $0.sender == context.senderKey }) {
            if waiting[known].envelope != nil { return .had }
            waiting.remove(at: known)
        }
        let own = waiting.filter { $0.sender == context.senderKey }
        guard own.count < WorkerLimits.waitingFromOneSender,
            own.reduce(0, { $0 + $1.bytes }) + head.ciphertextLength <= shareBytes
        else { return .later }
        nextPlace &+= 1
        waiting.append(
            Waiting(
                place: nextPlace, sender: context.senderKey, round: context.round, commitment: head.commitment,
                bytes: head.ciphertextLength))
        return .place(nextPlace)
    }

    /// Nothing happens where the place was given away meanwhile.
    package func fill(_ place: UInt64, with envelope: Envelope) {
        guard let index = waiting.firstIndex(where: { $0.place == place }) else { return }
        waiting[index].envelope = envelope
        wakeAll()
    }

    /// The body did not come.
    package func cancel(_ place: UInt64) { waiting.removeAll { $0.place == place && $0.envelope == nil } }

    /// The chain is in this round now: older envelopes are of no more use.
    /// - Parameter stale: of so many rounds before, they still are.
    package func begin(round: UInt32, stale: UInt32 = 0) {
        self.round = round
        oldest = round - min(round, stale)
        waiting.removeAll { $0.round < oldest }
    }

    /// The oldest envelope of a round; nil when none came in time or the task is cancelled.
    package func next(of round: UInt32, until deadline: ContinuousClock.Instant) async -> Envelope? {
        await next(of: round...round, until: deadline)
    }

    /// The oldest envelope of some rounds.
    package func next(of rounds: ClosedRange<UInt32>, until deadline: ContinuousClock.Instant) async -> Envelope? {
        while !Task.isCancelled {
            if let place = waiting.firstIndex(where: { rounds.contains($0.round) && $0.envelope != nil }) {
                return waiting.remove(at: place).envelope
            }
            guard ContinuousClock.now < deadline else { return nil }
            await pause(until: deadline)
        }
        return nil
    }

    /// Until something arrives, the deadline passes or the task is cancelled.
    private func pause(until deadline: ContinuousClock.Instant) async {
        nextReader &+= 1
        let number = nextReader
        let timer = Task {
            try? await Task.sleep(until: deadline, clock: .continuous)
            self.wake(number)
        }
        defer { timer.cancel() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { readers[number] = $0 }
        } onCancel: {
            // Runs on this actor, so after the continuation is in its place.
            Task { await self.wake(number) }
        }
    }

    private func wake(_ number: UInt64) { readers.removeValue(forKey: number)?.resume() }

    private func wakeAll() {
        let all = readers
        readers = [:]
        for continuation in all.values { continuation.resume() }
    }
}
