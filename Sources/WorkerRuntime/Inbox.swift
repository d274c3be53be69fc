import Training

/// Envelopes that have arrived and wait for their round. Bounded; what is too old is dropped, what comes early waits.
actor Inbox {
    private var waiting: [Envelope] = []
    private var round: UInt32 = 0
    private var reader: (number: UInt64, continuation: CheckedContinuation<Void, Never>)?
    private var readers: UInt64 = 0

    /// False when there is no room: the sender shall try again.
    func offer(_ envelope: Envelope) -> Bool {
        // Sent again after a lost answer, or for a round that is over: taken, and of no more use.
        if envelope.context.round < round || waiting.contains(envelope) { return true }
        guard waiting.count < WorkerLimits.waitingEnvelopes else { return false }
        waiting.append(envelope)
        wake()
        return true
    }

    func begin(round: UInt32) {
        self.round = round
        waiting.removeAll { $0.context.round < round }
    }

    /// The oldest envelope of the running round; nil when none came before the deadline.
    func next(until deadline: ContinuousClock.Instant) async -> Envelope? {
        while true {
            if let place = waiting.firstIndex(where: { $0.context.round == round }) {
                return waiting.remove(at: place)
            }
            if ContinuousClock.now >= deadline || Task.isCancelled { return nil }
            await pause(until: deadline)
        }
    }

    private func pause(until deadline: ContinuousClock.Instant) async {
        readers &+= 1
        let number = readers
        let timer = Task {
            try? await Task.sleep(until: deadline, clock: .continuous)
            self.wake(number)
        }
        defer { timer.cancel() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { reader = (number, $0) }
        } onCancel: {
            Task { await self.wake(number) }
        }
    }

    private func wake(_ number: UInt64? = nil) {
        guard let reader, number == nil || reader.number == number else { return }
        self.reader = nil
        reader.continuation.resume()
    }
}
