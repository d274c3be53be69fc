import Primitives
import Training

/// Envelopes of members that wait for their round. Bounded for each sender and in all: what is too old is dropped,
/// what comes early waits.
package actor Inbox {
    private struct Waiting {
        var envelope: Envelope
        var bytes: Int { envelope.ciphertext.count }
    }

    private var waiting: [Waiting] = []
    private var bytes = 0
    private var round: UInt32 = 0
    private var readers: [UInt64: CheckedContinuation<Void, Never>] = [:]
    private var nextReader: UInt64 = 0

    package init() {}

    package var count: Int { waiting.count }

    /// False when there is no room, or it is too early: the sender shall try again.
    package func offer(_ envelope: Envelope) -> Bool {
        let context = envelope.context
        // For a round that is over: taken, and of no more use.
        if context.round < round { return true }
        // The worker that sends it is further than this one, by a round at most.
        guard context.round - round <= 1 else { return false }
        let own = waiting.indices.filter { waiting[$0].envelope.context.senderKey == context.senderKey }
        // Sent again after a lost answer or a restart: the same content in a new seal.
        if let place = own.first(where: { waiting[$0].envelope.commitment == envelope.commitment }) {
            bytes += envelope.ciphertext.count - waiting[place].bytes
            waiting[place].envelope = envelope
            return true
        }
        guard own.count < WorkerLimits.waitingFromOneSender,
            bytes + envelope.ciphertext.count <= WorkerLimits.waitingBytes
        else { return false }
        waiting.append(Waiting(envelope: envelope))
        bytes += envelope.ciphertext.count
        wakeAll()
        return true
    }

    /// The chain is in this round now.
    package func begin(round: UInt32) {
        self.round = round
        waiting.removeAll { $0.envelope.context.round < round }
        bytes = waiting.reduce(0) { $0 + $1.bytes }
    }

    /// The oldest envelope of a round; nil when none came before the deadline, or the task was cancelled.
    package func next(of round: UInt32, until deadline: ContinuousClock.Instant) async -> Envelope? {
        while !Task.isCancelled {
            if let place = waiting.firstIndex(where: { $0.envelope.context.round == round }) {
                let found = waiting.remove(at: place)
                bytes -= found.bytes
                return found.envelope
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
