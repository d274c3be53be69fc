import Dispatch

/// Threads of the worker's own. A machine with two cores has two cooperative threads; training, evaluation and waiting
/// for the disk would take both for as long as they last, and nobody would hear a peer or the chain meanwhile.
///
/// As a task executor it runs training; see ``TrainingQueue``. As an actor's executor it runs what waits for the disk.
package final class LoopQueue: SerialExecutor {
    private let queue: DispatchQueue

    package init(label: String) { queue = DispatchQueue(label: label) }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // Holds the executor until the job has ended, which may let go of its actor, and with it of this.
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    package func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }
}

/// Runs tasks that compute, one step at a time.
package final class TrainingQueue: TaskExecutor {
    private static let mark = DispatchSpecificKey<Bool>()
    private let queue: DispatchQueue

    package init(label: String = "edgeproof.training") {
        queue = DispatchQueue(label: label)
        queue.setSpecific(key: Self.mark, value: true)
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedTaskExecutor()
        queue.async { job.runSynchronously(on: executor) }
    }

    package func asUnownedTaskExecutor() -> UnownedTaskExecutor { UnownedTaskExecutor(ordinary: self) }

    /// Whether the caller runs on a thread for training.
    package static var isCurrent: Bool { DispatchQueue.getSpecific(key: mark) == true }

    /// Computes on the queue.
    package func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withTaskExecutorPreference(self) { try await Self.here(body) }
    }

    @concurrent private static func here<Value: Sendable>(_ body: @Sendable () throws -> Value) async throws -> Value {
        try body()
    }
}
