import Dispatch
import Foundation
import Glibc
import Synchronization

/// A thread that does what it is given, one thing after another and in the order in which it came; an actor may run on it.
///
/// A dispatch queue does the same by way of a pool: its work wakes a thread of the pool, whichever it is, and its timers wake
/// a manager first when they are set and again when they run out. At thousands of messages a second that is most of what
/// they cost. Here whoever brings work wakes this thread if it sleeps, and nobody else; and it sleeps no longer than until its
/// next alarm, which costs nothing to set. Nothing here waits behind tasks of the shared pool either, which has two threads on
/// a two-core machine.
package final class WorkThread: SerialExecutor {
    /// Which threads go first when there are more than cores: a wish, which the system may not grant.
    package enum Urgency: Int32, Sendable {
        case prompt = -2
        case patient = 2
    }

    private let work: Work

    /// - Parameter name: at most 15 characters of it are shown by tools.
    package init(_ name: String, _ urgency: Urgency = .prompt) { work = Work(name, urgency) }

    /// The thread ends once it has done what it was given.
    deinit { work.end() }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // Holds the executor until the job has ended: a job may let go of its actor, and with it of this.
        work.add { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    package func checkIsolated() { precondition(work.isCurrent, "this is not the thread that the actor runs on") }

    /// Runs the body on the thread, after what was put there before.
    package func async(_ body: @escaping @Sendable () -> Void) { work.add(body) }

    /// Runs the body on the thread, and waits for it. Not to be called on the thread itself.
    package func sync(_ body: @escaping @Sendable () -> Void) {
        precondition(!work.isCurrent, "a thread that waits for itself")
        let done = DispatchSemaphore(value: 0)
        work.add {
            body()
            done.signal()
        }
        done.wait()
    }

    /// Runs the body on the thread whenever the alarm goes off.
    package func alarm(_ body: @escaping @Sendable () -> Void) -> Alarm { Alarm(work, body) }

    /// Goes off once for each time that it is set, before what waits for the thread then.
    package final class Alarm: Sendable {
        private let work: Work
        private let number: Int
        private let body: @Sendable () -> Void

        fileprivate init(_ work: Work, _ body: @escaping @Sendable () -> Void) {
            self.work = work
            self.body = body
            number = work.nextAlarm()
        }

        deinit { work.callOff(number) }

        /// Goes off once this time is over, and not at the one that it was set to before.
        package func set(afterMs milliseconds: Int) {
            set(at: WorkThread.now &+ UInt64(max(0, milliseconds)) &* 1_000_000)
        }

        /// - Parameter nanoseconds: of ``WorkThread/now``.
        package func set(at nanoseconds: UInt64) { work.set(number, at: nanoseconds, body) }

        /// Does not go off until it is set again.
        package func callOff() { work.callOff(number) }
    }

    /// Nanoseconds that never go back.
    package static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// What waits for a ``WorkThread``, and what the thread does. The thread holds this alone, so that it ends with its owner.
private final class Work: @unchecked Sendable {  // All that changes is looked at under the lock.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let name: String
    private let urgency: WorkThread.Urgency

    private var waiting: [@Sendable () -> Void] = []
    private var alarms: [(number: Int, at: UInt64, body: @Sendable () -> Void)] = []
    /// The first of them, which is all that is looked at each time the thread has done what it was given.
    private var nextAlarmAt = UInt64.max
    private var alarmsMade = 0
    private var isAsleep = false
    private var isEnding = false
    private let thread = Atomic<pthread_t>(0)

    init(_ name: String, _ urgency: WorkThread.Urgency) {
        self.name = name
        self.urgency = urgency
        pthread_mutex_init(mutex, nil)
        // Alarms keep their time when the wall clock is set.
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
        start()
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    private func start() {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let failure = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        pthread_attr_destroy(&attributes)
        precondition(failure == 0, "the system gives no thread for \(name): \(failure)")
    }

    private func locked<Value>(_ body: () -> Value) -> Value {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    var isCurrent: Bool { thread.load(ordering: .relaxed) == pthread_self() }

    func add(_ body: @escaping @Sendable () -> Void) {
        let wakes = locked {
            waiting.append(body)
            return wake()
        }
        // Outside the lock, which the thread would else wait for first.
        if wakes { pthread_cond_signal(condition) }
    }

    func end() {
        let wakes = locked {
            isEnding = true
            return wake()
        }
        if wakes { pthread_cond_signal(condition) }
    }

    /// Whether the thread has to be woken; once is enough.
    private func wake() -> Bool {
        defer { isAsleep = false }
        return isAsleep
    }

    // MARK: Alarms

    func nextAlarm() -> Int {
        locked {
            alarmsMade += 1
            return alarmsMade
        }
    }

    func set(_ number: Int, at: UInt64, _ body: @escaping @Sendable () -> Void) {
        let wakes = locked {
            takeOff(number)
            alarms.append((number, at, body))
            nextAlarmAt = min(nextAlarmAt, at)
            // It may sleep for longer. From the thread itself, which is the rule, this is never so.
            return wake()
        }
        if wakes { pthread_cond_signal(condition) }
    }

    func callOff(_ number: Int) { locked { takeOff(number) } }

    private func takeOff(_ number: Int) {
        guard let place = alarms.firstIndex(where: { $0.number == number }) else { return }
        alarms.remove(at: place)
        nextAlarmAt = alarms.reduce(.max) { min($0, $1.at) }
    }

    private func takeDue() -> [@Sendable () -> Void] {
        guard nextAlarmAt < .max else { return [] }
        let now = WorkThread.now
        guard nextAlarmAt <= now else { return [] }
        let due = alarms.filter { $0.at <= now }.sorted { ($0.at, $0.number) < ($1.at, $1.number) }
        for alarm in due { takeOff(alarm.number) }
        return due.map(\.body)
    }

    // MARK: The thread

    private func run() {
        Thread.current.name = String(name.prefix(15))
        // Of this thread alone, on Linux.
        let which = __priority_which_t(PRIO_PROCESS.rawValue)
        setpriority(which, 0, getpriority(which, 0) + urgency.rawValue)
        thread.store(pthread_self(), ordering: .relaxed)
        while let (due, taken) = next() {
            for body in due { body() }
            for body in taken { body() }
        }
    }

    /// What is to be done now: alarms first, then all that waits. Nil at the end.
    private func next() -> (due: [@Sendable () -> Void], taken: [@Sendable () -> Void])? {
        locked {
            while true {
                let due = takeDue()
                if !due.isEmpty || !waiting.isEmpty {
                    defer { waiting = [] }
                    return (due, waiting)
                }
                if isEnding { return nil }
                sleep()
            }
        }
    }

    private func sleep() {
        isAsleep = true
        if nextAlarmAt < .max {
            var until = timespec(tv_sec: Int(nextAlarmAt / 1_000_000_000), tv_nsec: Int(nextAlarmAt % 1_000_000_000))
            pthread_cond_timedwait(condition, mutex, &until)
        } else {
            pthread_cond_wait(condition, mutex)
        }
        isAsleep = false
    }
}
