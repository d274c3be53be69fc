import Dispatch

/// Runs an actor on a dispatch queue of its own, so that its work never waits behind other tasks of the two
/// cooperative threads that a two-core machine has, and outside events reach it in the order in which they came.
final class QueueExecutor: SerialExecutor {
    private let queue: DispatchQueue

    init(label: String, qos: DispatchQoS = .userInitiated) { queue = DispatchQueue(label: label, qos: qos) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // Holds the executor until the job has ended: a job may let go of its actor, and with it of this.
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }

    /// Runs the body on the queue, after what was put there before.
    func async(_ body: @escaping @Sendable () -> Void) { queue.async(execute: body) }

    /// Runs the body on the queue whenever the alarm goes off.
    func alarm(_ body: @escaping @Sendable () -> Void) -> Alarm { Alarm(queue, body) }
}

/// Wakes its queue, once for each time that it is set: without a thread in between, and without slack. To be called on that
/// queue alone.
final class Alarm {
    private let source: any DispatchSourceTimer

    fileprivate init(_ queue: DispatchQueue, _ body: @escaping @Sendable () -> Void) {
        source = DispatchSource.makeTimerSource(flags: .strict, queue: queue)
        source.setEventHandler(handler: body)
        source.activate()
    }

    deinit { source.cancel() }

    /// Goes off once this time is over, and not at the one that it was set to before.
    func set(afterMs milliseconds: Int) {
        source.schedule(deadline: .now() + .milliseconds(milliseconds), leeway: .nanoseconds(0))
    }
}
