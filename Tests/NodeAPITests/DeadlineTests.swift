import NodeAPI
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(20))) struct DeadlineTests {
    @Test func whatIsCalledOffDoesNotHappen() async {
        let deadlines = Deadlines()
        let happened = Mutex<[String]>([])
        let calledOff = deadlines.set(after: .milliseconds(1)) { happened.withLock { $0.append("called off") } }
        deadlines.callOff(calledOff)
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            _ = deadlines.set(after: .milliseconds(2)) {
                happened.withLock { $0.append("kept") }
                continuation.resume()
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
