import Dispatch
import Foundation
import NodeHost
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(20))) struct WorkThreadTests {
    private final class Record: Sendable {
        private let entries = Mutex<[Int]>([])
        func add(_ entry: Int) { entries.withLock { $0.append(entry) } }
        var all: [Int] { entries.withLock { $0 } }
    }

    @Test func allIsDoneOnceAndInTheOrderOfWhoeverBroughtIt() {
        let (thread, record) = (WorkThread("test"), Record())
        let (senders, each) = (4, 5_000)
        DispatchQueue.concurrentPerform(iterations: senders) { sender in
            for number in 0..<each { thread.async { record.add(sender * each + number) } }
        }
        thread.sync {}
        #expect(record.all.count == senders * each)
        for sender in 0..<senders {
            #expect(record.all.filter { $0 / each == sender } == Array(sender * each..<(sender + 1) * each))
        }
    }

    @Test func whatItPutsThereItselfComesAfterWhatWaits() {
        let (thread, record) = (WorkThread("test"), Record())
        thread.sync {
            thread.async {
                record.add(1)
                thread.async { record.add(3) }
            }
            thread.async { record.add(2) }
        }
        thread.sync {}
        thread.sync {}
        #expect(record.all == [1, 2, 3])
    }

    @Test func anAlarmGoesOffOnceForTheLastTimeThatItWasSetTo() async {
        let (thread, record) = (WorkThread("test"), Record())
        let (rings, rung) = AsyncStream.makeStream(of: Void.self)
        let alarm = thread.alarm {
            record.add(1)
            rung.yield()
        }
        // Set by the thread, and by another one while it sleeps until the first time.
        thread.sync { alarm.set(afterMs: 3_600_000) }
        alarm.set(afterMs: 1)
        var ringing = rings.makeAsyncIterator()
        await ringing.next()
        thread.sync {
            alarm.set(afterMs: 1)
            alarm.set(afterMs: 3_600_000)
        }
        alarm.set(afterMs: 2)
        await ringing.next()
        #expect(record.all == [1, 1])
    }

    @Test func alarmsGoOffInTheirOrderAndNotOnceTheyAreGone() async {
        let (thread, record) = (WorkThread("test"), Record())
        let (rings, rung) = AsyncStream.makeStream(of: Void.self)
        let late = thread.alarm {
            record.add(2)
            rung.yield()
        }
        let early = thread.alarm { record.add(1) }
        thread.sync {
            late.set(afterMs: 2)
            early.set(afterMs: 1)
            // Gone before the thread looks at its alarms again.
            thread.alarm { record.add(3) }.set(afterMs: 0)
        }
        var ringing = rings.makeAsyncIterator()
        await ringing.next()
        #expect(record.all == [1, 2])
    }

    @Test func anAlarmThatIsCalledOffIsSilentUntilItIsSetAgain() async {
        let (thread, record) = (WorkThread("test"), Record())
        let (rings, rung) = AsyncStream.makeStream(of: Void.self)
        let late = thread.alarm {
            record.add(2)
            rung.yield()
        }
        let early = thread.alarm { record.add(1) }
        thread.sync {
            let now = WorkThread.now
            early.set(at: now)
            late.set(at: now + 1_000_000)
            early.callOff()
        }
        var ringing = rings.makeAsyncIterator()
        await ringing.next()
        #expect(record.all == [2])
        thread.sync {
            let now = WorkThread.now
            early.set(at: now)
            late.set(at: now + 1)
        }
        await ringing.next()
        #expect(record.all == [2, 1, 2])
    }

    private actor Counter {
        private nonisolated let thread: WorkThread
        nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
        private var count = 0

        init(_ thread: WorkThread) { self.thread = thread }

        func add() { count += 1 }
        nonisolated func post() { thread.async { self.assumeIsolated { $0.count += 1 } } }
        var now: Int { count }
    }

    @Test func anActorRunsOnIt() async {
        let counter = Counter(WorkThread("test"))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<100 {
                group.addTask {
                    await counter.add()
                    counter.post()
                }
            }
        }
        #expect(await counter.now == 200)
    }

    /// Threads of this process with this name.
    private func threads(named name: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count { thread in
            // Others come and go.
            (try? String(contentsOfFile: "/proc/self/task/\(thread)/comm", encoding: .utf8))?.hasPrefix(name) == true
        }
    }

    @Test func itDoesWhatItWasGivenAndEndsWithItsOwner() async throws {
        let record = Record()
        let name = "wt-\(UInt32.random(in: 1_000_000...UInt32.max))"
        do {
            let thread = WorkThread(name)
            thread.sync {}
            #expect(try threads(named: name) == 1)
            thread.async { record.add(1) }
        }
        while try threads(named: name) > 0 { try await Task.sleep(for: .milliseconds(5)) }
        #expect(record.all == [1])
    }
}
