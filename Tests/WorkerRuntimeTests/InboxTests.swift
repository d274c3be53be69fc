import Testing
import Training
import WorkerRuntime

extension Inbox {
    /// What the door does with an envelope that comes whole; false when the sender shall try again.
    func offer(_ envelope: Envelope) -> Bool {
        switch reserve(envelope.head) {
        case .had: return true
        case .later: return false
        case .place(let place):
            fill(place, with: envelope)
            return true
        }
    }
}

@Suite(.timeLimit(.minutes(20))) struct InboxTests {
    private static let soon = ContinuousClock.now + .milliseconds(20)
    private static let late = ContinuousClock.now + .seconds(900)

    @Test func oneSenderTakesItsOwnPlacesOnly() async throws {
        let (cloud, edge, other) = (try Person("cloud"), try Person("edge"), try Person("other"))
        let inbox = Inbox()
        for salt in UInt8(0)..<UInt8(WorkerLimits.waitingFromOneSender) {
            #expect(await inbox.offer(try edge.envelope(to: cloud, salt: salt)))
        }
        #expect(await !inbox.offer(try edge.envelope(to: cloud, salt: 99)), "a flood must end")
        #expect(await inbox.offer(try other.envelope(to: cloud)), "others still have theirs")
        #expect(await inbox.count == WorkerLimits.waitingFromOneSender + 1)
    }

    @Test func theSameMessageAgainTakesNoSecondPlace() async throws {
        let (cloud, edge) = (try Person("cloud"), try Person("edge"))
        let inbox = Inbox()
        // HPKE seals anew each time; the commitment stays.
        let (first, again) = (try edge.envelope(to: cloud), try edge.envelope(to: cloud))
        #expect(first != again && first.commitment == again.commitment)
        for envelope in [first, first, again] { #expect(await inbox.offer(envelope)) }
        #expect(await inbox.count == 1)
        #expect(await inbox.next(of: 0, until: Self.soon) == first)
        #expect(await inbox.next(of: 0, until: Self.soon) == nil)
    }

    @Test func bodiesUnderWayCountAndMakeWay() async throws {
        let (cloud, edge, other) = (try Person("cloud"), try Person("edge"), try Person("other"))
        let inbox = Inbox(shareBytes: 3_000)
        let (first, second) = (
            try edge.envelope(to: cloud, payload: Array(repeating: 1, count: 2_000)),
            try edge.envelope(to: cloud, step: 1, payload: Array(repeating: 1, count: 2_000))
        )
        guard case .place(let lost) = await inbox.reserve(first.head) else { return #expect(Bool(false)) }
        #expect(await inbox.reserve(second.head) == .later, "its share is taken by what is under way")
        let others = try other.envelope(to: cloud, payload: Array(repeating: 1, count: 2_000))
        #expect(await inbox.offer(others), "which is nobody else's")
        // The connection broke; the sender comes again with the same.
        guard case .place(let again) = await inbox.reserve(first.head) else { return #expect(Bool(false)) }
        await inbox.fill(lost, with: first)
        #expect(await inbox.expected == 1, "the first body was given up")
        await inbox.cancel(again)
        #expect(await inbox.expected == 0)
        #expect(await inbox.offer(second))
    }

    @Test func roundsAreKeptApart() async throws {
        let (cloud, edge) = (try Person("cloud"), try Person("edge"))
        let inbox = Inbox()
        await inbox.begin(round: 5)
        #expect(await inbox.offer(try edge.envelope(to: cloud, round: 4)), "the past is taken, so that nobody sends it again")
        #expect(await inbox.count == 0)
        for far in [7, UInt32.max] { #expect(await !inbox.offer(try edge.envelope(to: cloud, round: far))) }
        let (now, next) = (try edge.envelope(to: cloud, round: 5), try edge.envelope(to: cloud, round: 6))
        #expect(await inbox.offer(next))
        #expect(await inbox.offer(now))
        #expect(await inbox.next(of: 5, until: Self.soon) == now)
        #expect(await inbox.next(of: 5, until: Self.soon) == nil)
        await inbox.begin(round: 6)
        #expect(await inbox.next(of: 6, until: Self.soon) == next)
    }

    @Test func aCancelledReaderEndsAndTakesNothing() async throws {
        let (cloud, edge) = (try Person("cloud"), try Person("edge"))
        let inbox = Inbox()
        let readers = (0..<3).map { _ in Task { await inbox.next(of: 0, until: Self.late) } }
        for _ in 0..<50 { await Task.yield() }
        for reader in readers { reader.cancel() }
        for reader in readers { #expect(await reader.value == nil) }
        let envelope = try edge.envelope(to: cloud)
        #expect(await inbox.offer(envelope))
        #expect(await inbox.next(of: 0, until: Self.late) == envelope)
    }

    @Test func noWakeUpIsLost() async throws {
        let (cloud, edge) = (try Person("cloud"), try Person("edge"))
        let inbox = Inbox()
        let count: UInt32 = 200
        let sender = Task {
            for step in 0..<count {
                let envelope = try edge.envelope(to: cloud, step: step)
                while await !inbox.offer(envelope) { await Task.yield() }
            }
        }
        for step in 0..<count {
            let found = await inbox.next(of: 0, until: Self.late)
            #expect(found?.context.step == step)
        }
        try await sender.value
    }
}
