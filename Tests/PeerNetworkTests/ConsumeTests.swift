import Encoding
import PeerNetwork
import Primitives
import Synchronization
import Testing

/// Consumers with a thread of their own.
@Suite(.timeLimit(.minutes(20))) struct ConsumeTests {
    private final class Consumer: Sendable {
        private let wakes = Mutex(0)
        let network: PeerNetwork
        let rank: PeerRank

        init(_ network: PeerNetwork, _ rank: PeerRank) {
            self.network = network
            self.rank = rank
            network.consume(rank) { self.wakes.withLock { $0 += 1 } }
        }

        var wakeCount: Int { wakes.withLock { $0 } }
        var next: PeerEvent? { network.next(of: rank) }

        /// All that waits.
        var all: [PeerEvent] {
            var all: [PeerEvent] = []
            while let event = next { all.append(event) }
            return all
        }
    }

    private func numbers(_ events: [PeerEvent]) -> [UInt8] {
        events.compactMap { if case .message(_, _, let payload) = $0 { payload.first } else { nil } }
    }

    /// Two nodes, the first of which has these consumers and has told the urgent one of the second; with the identity of the first.
    private func connected(
        _ body: (_ a: TestNode, _ b: TestNode, _ id: PeerId, _ urgent: Consumer, _ bulk: Consumer) async throws -> Void
    ) async throws {
        let keys = try Keys(2)
        let a = try await TestNode(key: keys.keys[0], set: keys.set, consumes: false)
        let b = try await TestNode(key: keys.keys[1], set: keys.set, dial: [a.address(keys.keys[0].publicKey)])
        try await withNodes([a, b]) {
            let (urgent, bulk) = (Consumer(a.network, .urgent), Consumer(a.network, .bulk))
            try await until("told of the connection") { urgent.wakeCount == 1 && b.isConnected(keys.id(0)) }
            try await body(a, b, keys.id(0), urgent, bulk)
        }
    }

    @Test func whoTakesUntilThereIsNothingIsWokenOnceForWhatComesAfter() async throws {
        try await connected { a, b, id, urgent, bulk in
            for number in UInt8(0)..<50 { b.network.send(kind: 16, [number], to: id, priority: .urgent) }
            try await until("all there") { a.network.metrics.messagesReceived == 50 }
            #expect(bulk.wakeCount == 0 && bulk.next == nil, "messages are shown after their connection")
            #expect(urgent.all.count == 1)
            #expect(urgent.wakeCount == 1 && bulk.wakeCount == 1)
            #expect(numbers(bulk.all) == Array(0..<50))
            // It knows that there is nothing.
            b.network.send(kind: 16, [50], to: id, priority: .urgent)
            try await until("one more") { bulk.wakeCount == 2 }
            #expect(bulk.next != nil)
            // It does not, and asks once more anyway.
            b.network.send(kind: 16, [51], to: id, priority: .urgent)
            try await until("one that it comes to by itself") { a.network.metrics.messagesReceived == 52 }
            #expect(bulk.wakeCount == 2)
            #expect(numbers(bulk.all) == [51])
        }
    }

    @Test func whatComesAfterAConsumerLeftIsKeptForTheNext() async throws {
        try await connected { a, b, id, urgent, first in
            #expect(urgent.all.count == 1)
            a.network.leave(.bulk)
            b.network.send(kind: 16, [1], to: id, priority: .urgent)
            try await until("there") { a.network.metrics.messagesReceived == 1 }
            #expect(first.wakeCount == 0 && first.next == nil)
            let second = Consumer(a.network, .bulk)
            #expect(second.wakeCount == 1)
            #expect(numbers(second.all) == [1])
        }
    }

    @Test func whatMayWaitWakesNobodyUntilThereIsMuchOfItOrSomethingElse() async throws {
        try await connected { a, b, id, urgent, bulk in
            #expect(urgent.all.count == 1)
            #expect(bulk.next == nil)
            var sent: UInt64 = 0
            func arrives(_ kind: UInt8, _ number: UInt8, bytes: Int = 1) async throws {
                let payload = [number] + [UInt8](repeating: 0, count: bytes - 1)
                b.network.send(kind: kind, payload, to: id, priority: .urgent)
                sent += 1
                try await until("message \(number)") { [sent] in a.network.metrics.messagesReceived == sent }
            }
            a.network.letWait(17, of: .bulk, upTo: 10, bytes: 100)
            try await arrives(17, 0, bytes: 50)
            try await arrives(17, 1, bytes: 50)
            #expect(bulk.wakeCount == 0)
            try await arrives(17, 2)
            #expect(bulk.wakeCount == 1, "more than may wait")
            #expect(numbers(bulk.all) == [0, 1, 2])
            try await arrives(17, 3, bytes: 50)
            #expect(bulk.wakeCount == 1, "what was taken does not count")
            try await arrives(16, 4)
            #expect(bulk.wakeCount == 2, "of another kind")
            #expect(numbers(bulk.all) == [3, 4])
            try await arrives(17, 5)
            #expect(bulk.wakeCount == 2)
            a.network.waitNoMore(.bulk)
            #expect(numbers(bulk.all) == [5], "the consumer comes by itself")
            try await arrives(17, 6)
            #expect(bulk.wakeCount == 3)
            #expect(numbers(bulk.all) == [6])
            a.network.letWait(17, of: .bulk, upTo: 2, bytes: 100)
            for number in UInt8(7)...8 { try await arrives(17, number) }
            #expect(bulk.wakeCount == 3)
            try await arrives(17, 9)
            #expect(bulk.wakeCount == 4, "more messages than may wait")
            #expect(numbers(bulk.all) == [7, 8, 9])
            for number in UInt8(10)...11 { try await arrives(17, number) }
            #expect(bulk.wakeCount == 4, "what was taken does not count")
            #expect(numbers(bulk.all) == [10, 11])
        }
    }

    @Test func theEndIsTold() async throws {
        let keys = try Keys(1)
        let a = try await TestNode(key: keys.keys[0], set: keys.set, consumes: false)
        async let ended: Void = a.network.ended()
        await a.network.shutdown()
        await ended
        // Whoever is called off need not wait for it.
        let other = try await TestNode(key: keys.keys[0], set: keys.set, consumes: false)
        let waiting = Task { await other.network.ended() }
        waiting.cancel()
        await waiting.value
        await other.network.shutdown()
    }
}
