import Foundation
import Glibc
import Synchronization

/// Threads below all others of the process: what strangers ask for is worked on with what a masternode's own duties leave.
///
/// They are the process's, since a thread whose priority was lowered can't have it back; whoever works on them may wait
/// for the disk there.
final class LowThreads: Sendable {
    static let shared = LowThreads(count: 4)

    /// Of the operating system's steps: a thread's part of a busy processor becomes a third of another one's. With less of
    /// it, whoever waits for something that such a thread holds would wait for long.
    private static let niceness: Int32 = 5

    /// Jobs that were done and have not been let go of.
    private static let kept = 256

    private struct Work {
        var jobs: [@Sendable () -> Void] = []
        var next = 0
    }

    /// Set on these threads alone.
    private static let mark: pthread_key_t = {
        var key = pthread_key_t()
        pthread_key_create(&key, nil)
        return key
    }()
    /// Whether the caller is on one of them: it may wait there, and needs no other thread to read on.
    static var isCurrent: Bool { pthread_getspecific(mark) != nil }

    private let work = Mutex(Work())
    private let waiting = DispatchSemaphore(value: 0)

    private init(count: Int) {
        for number in 0..<count {
            let thread = Thread { [self] in
                // Of this thread alone, on Linux.
                pthread_setspecific(Self.mark, UnsafeRawPointer(bitPattern: 1))
                _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.niceness)
                while true {
                    waiting.wait()
                    next()?()
                }
            }
            thread.name = "edgeproof.low.\(number)"
            thread.start()
        }
    }

    /// Runs jobs in their order, as many at a time as there are threads.
    func run(_ job: @escaping @Sendable () -> Void) {
        work.withLock { $0.jobs.append(job) }
        waiting.signal()
    }

    private func next() -> (@Sendable () -> Void)? {
        work.withLock { work in
            guard work.next < work.jobs.count else { return nil }
            let job = work.jobs[work.next]
            work.next += 1
            if work.next == work.jobs.count {
                work = Work()
            } else if work.next == Self.kept {
                work.jobs.removeFirst(Self.kept)
                work.next = 0
            }
            return job
        }
    }

    /// Processor time that the calling thread has had, in nanoseconds.
    static var processorTime: UInt64 {
        var time = timespec()
        guard clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0 else { return 0 }
        return UInt64(max(0, time.tv_sec)) &* 1_000_000_000 &+ UInt64(max(0, time.tv_nsec))
    }
}
