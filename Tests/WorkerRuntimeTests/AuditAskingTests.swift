import Foundation
import JobProtocol
import Primitives
import Synchronization
import Testing
import WorkerRuntime

/// How an auditor asks many workers: at the same time, and without taking more than there is room for.
@Suite(.timeLimit(.minutes(20))) struct AuditAskingTests {
    /// A port where connections are taken and nobody ever says anything.
    private final class SilentPort: Sendable {
        let port: Int
        private let descriptor: Int32

        init() throws {
            let made = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            try #require(made >= 0)
            descriptor = made
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isListening = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(made, $0, length) == 0 && listen(made, 16) == 0 && getsockname(made, $0, &length) == 0
                }
            }
            try #require(isListening)
            port = Int(UInt16(bigEndian: address.sin_port))
        }

        deinit { Foundation.close(descriptor) }
    }

    /// Counts those that have come, and lets nobody on before all have.
    private final class Barrier: Sendable {
        private let wanted: Int
        private let come = Mutex(0)

        init(_ wanted: Int) { self.wanted = wanted }

        func pass() async throws {
            come.withLock { $0 += 1 }
            while come.withLock({ $0 }) < wanted { try await Task.sleep(for: .milliseconds(5)) }
        }
    }

    /// One after the other they would never all be asked: each waits here until all are. Nor does one that never begins to
    /// answer have the whole answer's time, which no test would live to see.
    @Test func silentWorkersAreWaitedForTogether() async throws {
        let count = 8
        let ports = try (0..<count).map { _ in try SilentPort() }
        let people = try (0..<count).map { try Person("silent \($0)") }
        let participants = zip(people, ports).map { person, port in
            person.participant(.edge, endpoint: "127.0.0.1:\(port.port)")
        }
        let members = Members(pause: .zero) { participants }
        let auditor = try Person("auditor")
        let postman = Postman(members: members, key: auditor.key, genesis: testGenesis, job: testJob)
        let barrier = Barrier(count)
        let answers = try await together(people.map(\.account), most: count) { account -> String in
            try await barrier.pass()
            do {
                let answer = try await postman.ask(
                    .audit, [1], of: account, limit: 1_000, within: .seconds(100_000), silence: .milliseconds(300))
                return "answered \(answer?.count ?? 0)"
            } catch { return "silent" }
        }
        #expect(answers == Array(repeating: "silent", count: count))
        await postman.shutdown()
        withExtendedLifetime(ports) {}
    }

    @Test func aBoundedNumberAtATime() async throws {
        let running = Mutex((now: 0, most: 0))
        let results = try await together(Array(0..<50), most: 4) { item -> Int in
            running.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
            // The later ones are quicker: what comes back is in order all the same.
            try await Task.sleep(for: .milliseconds(item % 2 == 0 ? 4 : 1))
            running.withLock { $0.now -= 1 }
            return item * 2
        }
        #expect(results == (0..<50).map { $0 * 2 })
        #expect(running.withLock { $0.most } <= 4)
        #expect(try await together([Int](), most: 4) { $0 }.isEmpty)
        struct Wrong: Error {}
        await #expect(throws: Wrong.self) {
            _ = try await together([0, 1, 2], most: 2) { item -> Int in
                if item == 0 { throw Wrong() }
                try await Task.sleep(for: .seconds(100_000))
                return item
            }
        }
    }

    /// What all of them hold is bounded; the one that was first always gets on.
    @Test func answersFindRoomOrWait() {
        let room = AnswerRoom(most: 100)
        var first: AnswerRoom.Place? = room.place()
        let second = room.place()
        #expect(second.take(60) && room.bytes == 60)
        #expect(!second.take(41) && second.take(40))
        #expect(first?.take(500) == true && first?.take(500) == true, "no two wait for each other for ever")
        #expect(!second.take(1))
        #expect(room.bytes == 1_100)
        first = nil
        #expect(room.bytes == 100)
        // Now it is the first one.
        #expect(second.take(1_000))
        let third = room.place()
        #expect(!third.take(1) && third.take(0) == false)
        withExtendedLifetime(second) {}
    }
}
