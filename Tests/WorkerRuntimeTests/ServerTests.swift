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
@Suite(.timeLimit(.minutes(20))) struct ServerTests {
    struct Door: Sendable {
        let cloud: Person
        let edge: Person
        let inbox: Inbox
        let members: Members
        let port: Int

        func post(_ head: [UInt8], _ body: [UInt8]) async throws -> Int {
            var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)/v1/envelopes")))
            request.httpMethod = "POST"
            request.setValue(Hexadecimal.encode(head), forHTTPHeaderField: "edgeproof-envelope")
            request.httpBody = Data(body)
            let (_, response) = try await URLSession.shared.data(for: request)
            return (response as? HTTPURLResponse)?.statusCode ?? 0
        }

        func post(_ envelope: Envelope) async throws -> Int {
            try await post(envelope.head.borsh, envelope.ciphertext)
        }

        func postman(_ person: Person) -> Postman {
            Postman(members: members, key: person.key, genesis: testGenesis, job: testJob)
        }
    }

    private static let limit = 4_096

    /// The cloud's server, with one edge as a member, and a model for those who may have it.
    private func withDoor(model: JobModel? = nil, _ body: @escaping @Sendable (Door) async throws -> Void) async throws
    {
        let (cloud, edge) = (try Person("cloud"), try Person("edge"))
        let inbox = Inbox()
        let (ports, ready) = AsyncStream.makeStream(of: Int.self)
        let everybody = Everybody()
        let members = Members(pause: .zero) { await everybody.all }
        let server = WorkerServer(
            host: "127.0.0.1", port: 0,
            admission: Admission(
                genesis: testGenesis, job: testJob, account: cloud.account, keys: try cloud.ring(), members: members),
            mailroom: Mailroom(inbox: inbox), envelopeLimit: Self.limit, introductionMs: 300_000
        ) { request in
            guard let model, let (digest, key) = SealedModel.read(request.argument), digest == model.digest,
                let asker = await members.member(request.asker)
            else { return nil }
            return try? SealedModel.seal(model.part(for: asker.role), digest: digest, for: key, job: testJob)
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
            #expect(try await door.post(good) == 202)
            #expect(try await door.post(good) == 202, "once more after a lost answer")
            #expect(await door.inbox.count == 1)
            let postman = door.postman(door.edge)
            let other = try door.edge.envelope(to: door.cloud, step: 1, index: 1)
            try await postman.deliver(other, to: door.cloud.account, until: .now + .seconds(120))
            await postman.shutdown()
            #expect(await door.inbox.next(of: 0, until: .now + .seconds(120)) == good)
            #expect(await door.inbox.next(of: 0, until: .now + .seconds(120)) == other)
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
                #expect(try await door.post(envelope) == 403, "\(what)")
            }
            #expect(await door.inbox.count == 0)
        }
    }

    @Test func forgedAndMalformedBytesAreRefused() async throws {
        try await withDoor { door in
            let good = try door.edge.envelope(to: door.cloud, index: 1)
            let head = good.head.borsh
            // The signature, the length, the digest of what is sealed, the commitment.
            for place in [head.count - 1, head.count - 68, head.count - 80, 180] {
                var forged = head
                forged[place] ^= 1
                #expect(try await door.post(forged, good.ciphertext) == 400, "byte \(place)")
            }
            for malformed in [[], [1, 2, 3], head + [0], Array(head.dropLast())] {
                #expect(try await door.post(malformed, good.ciphertext) == 400)
            }
            var other = good.ciphertext
            other[0] ^= 1
            #expect(try await door.post(head, other) == 400, "another body than the head speaks of")
            #expect(try await door.post(head, other + [0]) == 400)
            let large = try door.edge.envelope(
                to: door.cloud, index: 1, payload: Array(repeating: 0, count: Self.limit + 1))
            #expect(try await door.post(large) == 413)
            #expect(await door.inbox.count == 0)
            #expect(await door.inbox.expected == 0, "no place stays behind")
            #expect(try await door.post(good) == 202, "and it still works")
        }
    }

    @Test func aFloodIsToldToWait() async throws {
        try await withDoor { door in
            var statuses: [Int] = []
            for salt in UInt8(0)..<5 {
                statuses.append(try await door.post(try door.edge.envelope(to: door.cloud, index: 1, salt: salt)))
            }
            #expect(statuses == [202, 202, 503, 503, 503])
        }
    }

    /// A stranger announces a large body and is refused before it sends any of it.
    @Test func aStrangersBodyIsNotWaitedFor() async throws {
        try await withDoor { door in
            let stranger = try Person("stranger")
            let envelope = try stranger.envelope(to: door.cloud, index: 1, payload: Array(repeating: 0, count: 3_000))
            let answer = try await RawConnection.ask(
                door.port,
                "POST /v1/envelopes HTTP/1.1\r\nhost: x\r\ncontent-length: \(envelope.ciphertext.count)\r\n"
                    + "edgeproof-envelope: \(Hexadecimal.encode(envelope.head.borsh))\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 403"), "\(answer)")
            #expect(answer.contains("connection: close"))
        }
    }

    /// A member that stops in the middle of a message holds up nobody, and takes no place from itself: the same message
    /// comes in by another connection.
    @Test func whoStallsInMidMessageHoldsUpNobody() async throws {
        try await withDoor { door in
            let envelope = try door.edge.envelope(to: door.cloud, index: 1, payload: Array(repeating: 0, count: 3_000))
            let stalled = try await RawConnection(port: door.port)
            defer { stalled.close() }
            try stalled.say(
                "POST /v1/envelopes HTTP/1.1\r\nhost: x\r\ncontent-length: \(envelope.ciphertext.count)\r\n"
                    + "edgeproof-envelope: \(Hexadecimal.encode(envelope.head.borsh))\r\n\r\n"
                    + String(repeating: "x", count: 100))
            let end = ContinuousClock.now + .seconds(120)
            while await door.inbox.expected == 0, ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(10))
            }
            #expect(await door.inbox.expected == 1)
            #expect(try await door.post(envelope) == 202)
            #expect(await door.inbox.count == 1)
            #expect(await door.inbox.next(of: 0, until: .now + .seconds(120)) == envelope)
        }
    }

    /// Idle connections, more than a worker holds, do not keep a member out.
    @Test func idleConnectionsShutNobodyOut() async throws {
        try await withDoor { door in
            var idle: [RawConnection] = []
            for _ in 0..<300 { idle.append(try await RawConnection(port: door.port)) }
            let postman = door.postman(door.edge)
            try await postman.deliver(
                try door.edge.envelope(to: door.cloud, index: 1), to: door.cloud.account, until: .now + .seconds(120))
            await postman.shutdown()
            #expect(await door.inbox.count == 1)
            for connection in idle { connection.close() }
        }
    }

    @Test func theModelIsForMembersAndOpensForTheAskerAlone() async throws {
        let checkpoint = try Checkpoint.initial(seed: JobSeed(words: Digest(sha256: [4]).words))
        let model = JobModel.split(checkpoint)
        try await withDoor(model: model) { door in
            let stranger = try Person("stranger")
            func ask(_ person: Person, for digest: Digest) async throws -> [UInt8]? {
                let postman = door.postman(person)
                let answer = try await postman.ask(
                    .model, SealedModel.question(digest, key: person.kem.publicKey), of: door.cloud.account,
                    limit: 1 << 20)
                await postman.shutdown()
                return answer
            }
            #expect(try await ask(stranger, for: model.digest) == nil)
            #expect(try await ask(door.edge, for: Digest(sha256: [8])) == nil)
            let answer = try #require(try await ask(door.edge, for: model.digest))
            func open(_ bytes: [UInt8], _ key: KEMPrivateKey, job: Account = testJob) throws -> JobModel {
                try SealedModel.open(bytes, digest: model.digest, key: key, job: job)
            }
            // An edge gets its half, and what proves that it is the half of the model that the chain names.
            #expect(try open(answer, door.edge.kem) == .front(checkpoint.front, back: checkpoint.back.digest))
            #expect(throws: (any Error).self) { try open(answer, stranger.kem) }
            #expect(throws: (any Error).self) { try open(answer, door.edge.kem, job: stranger.account) }
            for place in stride(from: 0, to: answer.count, by: 97) {
                var changed = answer
                changed[place] ^= 0x10
                #expect(throws: (any Error).self, "byte \(place)") { try open(changed, door.edge.kem) }
            }
        }
    }

    @Test func theCommitteeMayAskForTheModelAndForAuditsAndNothingElse() async throws {
        let (cloud, member) = (try Person("cloud"), try Person("committee"))
        let evaluators = Evaluators()
        let members = Members(pause: .zero) { [cloud.participant(.cloud)] }
        let admission = Admission(
            genesis: testGenesis, job: testJob, account: cloud.account, keys: try cloud.ring(), members: members,
            evaluators: evaluators)
        func refusal(_ kind: WorkerRequest.Kind) async throws -> Admission.Refusal? {
            let request = try WorkerRequest(
                kind, job: testJob, receiver: cloud.account, time: Time(9), key: member.key, genesis: testGenesis)
            do { try await admission.check(request, now: Time(9)) } catch { return error }
            return nil
        }
        #expect(try await refusal(.model) == .stranger)
        evaluators.set([member.account])
        #expect(try await refusal(.model) == nil)
        #expect(try await refusal(.audit) == nil)
        for kind in [WorkerRequest.Kind.overlap, .samples, .sameKey] { #expect(try await refusal(kind) == .stranger) }
        // A juror of a dispute gets what it is about, and no model.
        evaluators.set([])
        #expect(try await refusal(.audit) == .stranger)
        evaluators.setJurors([member.account])
        #expect(try await refusal(.audit) == nil)
        #expect(try await refusal(.model) == .stranger)
    }

    @Test func aRequestIsForOneReceiverAndOneMoment() async throws {
        let (cloud, edge) = (try Person("cloud"), try Person("edge"))
        let members = Members(pause: .zero) { [cloud.participant(.cloud), edge.participant(.edge)] }
        let admission = Admission(
            genesis: testGenesis, job: testJob, account: cloud.account, keys: try cloud.ring(), members: members)
        func refusal(
            _ person: Person, to receiver: Person, kind: WorkerRequest.Kind = .model, at time: UInt64 = 1_000_000,
            genesis: Digest = testGenesis
        ) async throws -> Admission.Refusal? {
            let request = try WorkerRequest(
                kind, job: testJob, receiver: receiver.account, time: Time(time), key: person.key, genesis: genesis)
            do { try await admission.check(request, now: Time(1_000_000)) } catch { return error }
            return nil
        }
        #expect(try await refusal(edge, to: cloud) == nil)
        #expect(try await refusal(edge, to: edge) == .elsewhere)
        #expect(try await refusal(edge, to: cloud, at: 1_000_000 + WorkerLimits.clockToleranceMs + 1) == .stale)
        #expect(try await refusal(edge, to: cloud, at: 1_000_000 - WorkerLimits.clockToleranceMs - 1) == .stale)
        #expect(try await refusal(try Person("stranger"), to: cloud) == .stranger)
        #expect(try await refusal(edge, to: cloud, genesis: Digest(sha256: [7])) == .badSignature)
        #expect(try await refusal(edge, to: cloud, kind: .sameKey) == .stranger)
        #expect(try await refusal(cloud, to: cloud, kind: .sameKey) == nil)
        let request = try WorkerRequest(
            .model, argument: [1, 2], job: testJob, receiver: cloud.account, time: Time(9), key: edge.key,
            genesis: testGenesis)
        #expect(try WorkerRequest(borsh: request.borsh) == request)
        #expect(request.borsh.count * 2 <= 4_096)
    }

    /// Samples are for the fog node that their device has named, and for no other.
    @Test func devicesSendToTheirOwnFogNodeAlone() async throws {
        let (fog, own, other) = (try Person("fog"), try Person("device"), try Person("other device"))
        let members = Members(pause: .zero) {
            [
                fog.participant(.fog), own.participant(.device, index: 1, slot: 1, parent: fog.account),
                other.participant(.device, index: 2, slot: 2, parent: own.account),
            ]
        }
        let admission = Admission(
            genesis: testGenesis, job: testJob, account: fog.account, keys: try fog.ring(), members: members)
        func refusal(_ device: Person, _ index: UInt16) async throws -> Admission.Refusal? {
            let envelope = try device.envelope(to: fog, kind: .deviceSamples, index: index)
            do { try await admission.check(envelope.head) } catch { return error }
            return nil
        }
        #expect(try await refusal(own, 1) == nil)
        #expect(try await refusal(own, 2) == .notItsPart)
        #expect(try await refusal(other, 2) == .notItsPart)
    }

    @Test func aTakenPortIsSaid() async throws {
        try await withDoor { door in
            let second = WorkerServer(
                host: "127.0.0.1", port: door.port,
                admission: Admission(
                    genesis: testGenesis, job: testJob, account: door.cloud.account, keys: try door.cloud.ring(),
                    members: door.members),
                mailroom: Mailroom(inbox: Inbox()), envelopeLimit: Self.limit
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
            "", ":", "host", "host:", ":1", "host:0", "host:65536", "host:1/path", "user@host:1", "host/path?:1",
            "a#b:1",
            "host:+1", "[::1:80", "[]:80", "::1:80", "ho st:1", "host:1\r\n",
        ] {
            #expect(Endpoint(bad) == nil, "\(bad)")
        }
    }
}
