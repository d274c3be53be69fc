import Cryptography
import Encoding
import Foundation
import FoundationNetworking
import JobProtocol
import Primitives
import Testing
import Training
import WorkerRuntime

/// The door of a worker: who gets in, and what everybody else is told.
@Suite struct ServerTests {
    private struct Door {
        let cloud: Person
        let edge: Person
        let inbox: Inbox
        let members: Members
        let port: Int

        func post(_ body: [UInt8]) async throws -> Int {
            var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)/v1/envelopes")))
            request.httpMethod = "POST"
            request.httpBody = Data(body)
            let (_, response) = try await URLSession.shared.data(for: request)
            return (response as? HTTPURLResponse)?.statusCode ?? 0
        }
    }

    private static let limit = 4_096

    /// The cloud's server, with one edge as a member, and the front of `checkpoint` for those who may have it.
    private func withDoor(checkpoint: Checkpoint? = nil, _ body: @escaping @Sendable (Door) async throws -> Void) async throws {
        let (cloud, edge) = (try Person("cloud"), try Person("edge"))
        let inbox = Inbox()
        let (ports, ready) = AsyncStream.makeStream(of: Int.self)
        let everybody = Everybody()
        let members = Members(pause: .zero) { await everybody.all }
        let server = WorkerServer(
            host: "127.0.0.1", port: 0,
            admission: Admission(genesis: testGenesis, job: testJob, kemKey: cloud.kem.publicKey, members: members),
            inbox: inbox, envelopeLimit: Self.limit
        ) { account in
            guard let checkpoint, let asker = await members.member(account) else { return nil }
            return try? SealedFront(checkpoint, round: 3, job: testJob, receiver: asker.kemPublicKey)
        }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await server.run { ready.yield($0) }
                return false
            }
            group.addTask {
                var iterator = ports.makeAsyncIterator()
                let port = try #require(await iterator.next())
                await everybody.set([
                    cloud.participant(.cloud, endpoint: "127.0.0.1:\(port)"), edge.participant(.edge, index: 1),
                ])
                try await body(Door(cloud: cloud, edge: edge, inbox: inbox, members: members, port: port))
                return true
            }
            _ = try await group.next()
            group.cancelAll()
        }
    }

    private actor Everybody {
        private(set) var all: [JobParticipant] = []
        func set(_ all: [JobParticipant]) { self.all = all }
    }

    @Test func membersGetIn() async throws {
        try await withDoor { door in
            let good = try door.edge.envelope(to: door.cloud, index: 1)
            #expect(try await door.post(good.borsh) == 202)
            #expect(try await door.post(good.borsh) == 202, "once more after a lost answer")
            #expect(await door.inbox.count == 1)
            let postman = Postman(members: door.members)
            let other = try door.edge.envelope(to: door.cloud, step: 1, index: 1)
            try await postman.deliver(other, to: door.cloud.account, until: .now + .seconds(20))
            await postman.shutdown()
            #expect(await door.inbox.next(of: 0, until: .now + .seconds(20)) == good)
            #expect(await door.inbox.next(of: 0, until: .now + .seconds(20)) == other)
        }
    }

    @Test func foreignersStayOutside() async throws {
        try await withDoor { door in
            let stranger = try Person("stranger")
            let (edge, cloud) = (door.edge, door.cloud)
            for (what, envelope) in [
                ("a stranger's", try stranger.envelope(to: cloud, index: 1)),
                ("for another job", try edge.envelope(to: cloud, index: 1, job: stranger.account)),
                ("for another chain", try edge.envelope(to: cloud, index: 1, genesis: Digest(sha256: [9]))),
                ("for another receiver", try edge.envelope(to: stranger, index: 1)),
                ("in another's place", try edge.envelope(to: cloud, index: 0)),
                ("of a kind that the cloud sends", try edge.envelope(to: cloud, kind: .gradient, index: 1)),
                ("of the cloud to itself", try cloud.envelope(to: cloud, index: 1)),
            ] {
                #expect(try await door.post(envelope.borsh) == 403, "\(what)")
            }
            #expect(await door.inbox.count == 0)
        }
    }

    @Test func forgedAndMalformedBytesAreRefused() async throws {
        try await withDoor { door in
            let good = try door.edge.envelope(to: door.cloud, index: 1).borsh
            // The last byte is the signature's, those before it the ciphertext's.
            for place in [good.count - 1, good.count - 70, good.count - 90] {
                var forged = good
                forged[place] ^= 1
                #expect(try await door.post(forged) == 400, "byte \(place)")
            }
            for malformed in [[], [1, 2, 3], good + [0], Array(good.dropLast())] {
                #expect(try await door.post(malformed) == 400)
            }
            #expect(try await door.post(Array(repeating: 0, count: Self.limit + 1)) == 413)
            #expect(await door.inbox.count == 0)
            #expect(try await door.post(good) == 202, "and it still works")
        }
    }

    @Test func aFloodIsToldToWait() async throws {
        try await withDoor { door in
            var statuses: [Int] = []
            for salt in UInt8(0)..<5 {
                statuses.append(try await door.post(try door.edge.envelope(to: door.cloud, index: 1, salt: salt).borsh))
            }
            #expect(statuses == [202, 202, 503, 503, 503])
        }
    }

    @Test func theFrontIsForMembersAndOpensForTheAskerAlone() async throws {
        let checkpoint = try Checkpoint.initial(seed: JobSeed(words: Digest(sha256: [4]).words))
        try await withDoor(checkpoint: checkpoint) { door in
            let postman = Postman(members: door.members)
            let stranger = try Person("stranger")
            let sealed = try await postman.front(of: door.edge.account, from: door.cloud.account)
            let none = try await postman.front(of: stranger.account, from: door.cloud.account)
            await postman.shutdown()
            #expect(none == nil)
            let front = try #require(sealed)
            #expect(try front.open(job: testJob, key: door.edge.kem, checkpoint: checkpoint.digest) == checkpoint.front)
            #expect(throws: (any Error).self) {
                try front.open(job: testJob, key: stranger.kem, checkpoint: checkpoint.digest)
            }
            #expect(throws: (any Error).self) {
                try front.open(job: stranger.account, key: door.edge.kem, checkpoint: checkpoint.digest)
            }
            #expect(throws: WorkerError.self, "of another checkpoint than the chain's") {
                try front.open(job: testJob, key: door.edge.kem, checkpoint: Digest(sha256: [8]))
            }
            let bytes = front.borsh
            for place in stride(from: 0, to: bytes.count, by: 97) {
                var changed = bytes
                changed[place] ^= 0x10
                #expect(throws: (any Error).self, "byte \(place)") {
                    try SealedFront(borsh: changed).open(
                        job: testJob, key: door.edge.kem, checkpoint: checkpoint.digest)
                }
            }
        }
    }

    @Test func aTakenPortIsSaid() async throws {
        try await withDoor { door in
            let second = WorkerServer(
                host: "127.0.0.1", port: door.port,
                admission: Admission(
                    genesis: testGenesis, job: testJob, kemKey: door.cloud.kem.publicKey, members: door.members),
                inbox: Inbox(), envelopeLimit: Self.limit
            ) { _ in nil }
            await #expect(throws: WorkerError.self) { try await second.run { _ in } }
        }
    }

    @Test func strangersDoNotMakeTheWorkerAskForEver() async throws {
        let counter = Counter()
        let members = Members(pause: .seconds(3_600)) {
            await counter.add()
            return []
        }
        for name in ["a", "b", "c"] { #expect(await members.member(try Person(name).account) == nil) }
        #expect(await counter.count == 1)
    }

    private actor Counter {
        private(set) var count = 0
        func add() { count += 1 }
    }

    @Test func endpointsAreHostAndPortAlone() {
        for good in ["127.0.0.1:26700", "edge-1.example.org:1", "[::1]:80", "localhost:65535"] {
            #expect(Endpoint(good)?.description == good)
        }
        for bad in [
            "", ":", "host", "host:", ":1", "host:0", "host:65536", "host:1/path", "user@host:1", "host/path?:1", "a#b:1",
            "host:+1", "[::1:80", "[]:80", "::1:80", "ho st:1", "host:1\r\n",
        ] {
            #expect(Endpoint(bad) == nil, "\(bad)")
        }
    }
}
