import NodeAPI
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(20))) struct DeadlineTests {
    @Test func whatIsCalledOffDoesNotHappen() async {
        let happened = Mutex<[String]>([])
        // A sweep may come before this thread gets to call it off: not each time.
        for _ in 0..<10 where happened.withLock({ $0 }) != ["kept"] {
            happened.withLock { $0 = [] }
            let deadlines = Deadlines()
            let calledOff = deadlines.set(after: .milliseconds(1)) { happened.withLock { $0.append("called off") } }
            deadlines.callOff(calledOff)
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                _ = deadlines.set(after: .milliseconds(2)) {
                    happened.withLock { $0.append("kept") }
                    continuation.resume()
                }
            }
        }
        #expect(happened.withLock { $0 } == ["kept"])
    }

    /// The sweep ends when there is nothing to look at, and begins again.
    @Test func itWorksAgainAfterAnEnd() async {
        let deadlines = Deadlines()
        for round in 0..<3 {
            if round > 0 { try? await Task.sleep(for: Deadlines.sweep * 2) }
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                _ = deadlines.set(after: .milliseconds(1)) { continuation.resume() }
            }
        }
    }
}
