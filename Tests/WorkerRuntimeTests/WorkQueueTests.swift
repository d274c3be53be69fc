import Foundation
import Testing
import WorkerRuntime

/// Training must not take the threads on which everything else runs.
@Suite(.timeLimit(.minutes(20))) struct WorkQueueTests {
    @Test func computingHoldsUpNobody() async throws {
        let started = DispatchSemaphore(value: 0)
        let release = DispatchSemaphore(value: 0)
        // More queues than the machine has cooperative threads: if they took those, nothing below would ever run.
        let count = 4 * ProcessInfo.processInfo.activeProcessorCount
        let work = (0..<count).map { _ in
            Task {
                let queue = TrainingQueue()
                return try await queue.run {
                    started.signal()
                    release.wait()
                    return TrainingQueue.isCurrent
                }
            }
        }
        await withCheckedContinuation { continuation in
            Thread {
                for _ in 0..<count { started.wait() }
                continuation.resume()
            }.start()
        }
        // All of them compute now, and tasks still run.
        let answer = await Task.detached { 42 }.value
        #expect(answer == 42)
        #expect(!TrainingQueue.isCurrent)
        for _ in 0..<count { release.signal() }
        for task in work { #expect(try await task.value) }
    }

    @Test func aTaskComesBackToItsQueueAfterItWaited() async throws {
        let queue = TrainingQueue()
        let places = await Task.detached(executorPreference: queue) {
            var places = [TrainingQueue.isCurrent]
            try? await Task.sleep(for: .milliseconds(1))
            places.append(TrainingQueue.isCurrent)
            return places
        }.value
        #expect(places == [true, true])
    }
}
