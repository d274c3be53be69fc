import APIModel
import Cryptography
import Dispatch
import Encoding
import Foundation
import NodeAPI
import Primitives
import ProgramSupport
import Testing

/// One address does not get all that a node has for everybody.
@Suite(.timeLimit(.minutes(20))) struct AddressTests {
    /// Two addresses of this machine, each with as much as an address may have.
    private static let first = "127.0.0.1"
    private static let second = "127.0.0.2"
    private static let audit = "/v1/accounts/\(Account(FakeNode.alice.publicKey))/audit"

    /// Nothing is cut off for being slow while the test looks.
    private static func patient(_ configuration: inout APIConfiguration) {
        configuration.limitsLoopback = true
        configuration.writeTimeout = .seconds(1_000)
        configuration.streamGrace = .seconds(1_000)
        configuration.idleTimeoutSeconds = 1_000
    }

    @Test func oneAddressHoldsNotAllAudits() async throws {
        let node = try FakeNode()
        // More than the sockets' buffers take: whoever does not read goes on holding its place.
        node.state.withLock { $0.auditPieces = 1_000 }
        try await serving(
            node,
            configure: {
                Self.patient(&$0)
                $0.streamedAnswers = 4
                $0.streamedAnswersPerAddress = 2
            }
        ) { live in
            let held = [
                try await live.get(Self.audit, from: Self.first), try await live.get(Self.audit, from: Self.first),
            ]
            #expect(held.allSatisfy { $0.status == 200 })
            let refused = try await live.get(Self.audit, from: Self.first)
            #expect(refused.status == 429)
            #expect(
                refused.head.lowercased().contains("retry-after: 5") && refused.head.contains("\"address_limit\""),
                "\(refused.head)")
            #expect(refused.head.contains("one address may have 2 audit files under way"), "\(refused.head)")
            let other = try await live.get(Self.audit, from: Self.second)
            #expect(other.status == 200)
            // Who has ended has room again.
            held[0].end()
            try await eventuallyTrue("the place is free again") {
                let again = try await live.get(Self.audit, from: Self.first)
                defer { again.end() }
                return again.status == 200
            }
            for answer in [held[1], refused, other] { answer.end() }
        }
    }

    @Test func oneAddressHoldsNotAllEventStreams() async throws {
        try await serving(
            try FakeNode(),
            configure: {
                Self.patient(&$0)
                $0.eventClients = 4
                $0.eventClientsPerAddress = 3
            }
        ) { live in
            // No more than half, whatever the configuration says.
            let held = [
                try await live.get("/v1/events", from: Self.first), try await live.get("/v1/events", from: Self.first),
            ]
            #expect(held.allSatisfy { $0.status == 200 })
            let refused = try await live.get("/v1/events", from: Self.first)
            #expect(
                refused.status == 429 && refused.head.contains("one address may have 2 event streams"),
                "\(refused.head)")
            let other = try await live.get("/v1/events", from: Self.second)
            #expect(other.status == 200)
            for answer in held + [refused, other] { answer.end() }
        }
    }

    /// Connections that say nothing: the address that has too many is told so, and others are served.
    @Test func oneAddressHoldsNotAllConnections() async throws {
        try await serving(
            try FakeNode(),
            configure: {
                Self.patient(&$0)
                $0.maxConnections = 40
                $0.connectionsPerAddress = 2
            }
        ) { live in
            // Answered once, so that the node has counted them; then they say nothing.
            var held: [HeldAnswer] = []
            for _ in 0..<2 { held.append(try await live.get("/v1/status", from: Self.first)) }
            #expect(held.map(\.status) == [200, 200])
            let refused = try await live.once("/v1/status", from: Self.first)
            #expect(refused.status == 429)
            #expect(refused.head.contains("one address may have 2 connections"), "\(refused.head)")
            #expect(try await live.once("/health", from: Self.first).status == 200)
            #expect(try await live.once("/v1/status", from: Self.second).status == 200)
            for answer in held { answer.end() }
        }
    }

    /// However many more an address opens, they leave the places of others alone.
    @Test func whatIsTooManyIsClosedAtOnce() async throws {
        try await serving(
            try FakeNode(),
            configure: {
                Self.patient(&$0)
                $0.maxConnections = 4
                $0.connectionsPerAddress = 2
            }
        ) { live in
            // More than the node takes on in all, and again whenever it has ended them.
            var held: [Int32] = []
            for _ in 0..<200 { held.append(try live.hold(from: Self.first)) }
            defer { for descriptor in held { close(descriptor) } }
            try await eventuallyTrue("the other address is served") {
                try await live.once("/v1/status", from: Self.second).status == 200
            }
        }
    }

    /// Whoever sends a body slowly, or not at all, keeps nobody from what reads much.
    @Test func aBodyThatDoesNotComeHoldsNoPlace() async throws {
        let node = try FakeNode()
        node.produceBlock()
        try await serving(
            node,
            configure: {
                Self.patient(&$0)
                $0.limitsLoopback = false
                $0.bodyTimeout = .seconds(1_000)
                $0.expensiveRequests = 1
                $0.expensiveWaiting = 0
            }
        ) { live in
            let held = try (0..<3).map { _ in try live.hold(from: Self.first) }
            defer { for descriptor in held { close(descriptor) } }
            let request = "POST /v1/proofs HTTP/1.1\r\nhost: a\r\ncontent-length: 40\r\n\r\n"
            for descriptor in held {
                #expect(request.withCString { send(descriptor, $0, strlen($0), Int32(MSG_NOSIGNAL)) } > 0)
            }
            for _ in 0..<20 {
                #expect(try await live.request("/v1/blocks/1").status == 200)
                try await Task.sleep(for: .milliseconds(10))
            }
        }
    }

    /// A long answer that nobody reads holds no place of what is still to be made, and few of its own.
    @Test func longAnswersThatNobodyReadsAreFew() async throws {
        let node = try FakeNode(blockPerTransaction: false)
        // More than the sockets' buffers take.
        let text = String(repeating: "x", count: 60_000)
        for sender in 0..<10 as Range<UInt8> {
            for sequence in 0..<40 as Range<UInt64> {
                _ = try await node.submit(
                    .record(text, sequence: sequence, key: FakeNode.key(sender), genesis: node.genesisHash))
            }
        }
        node.produceBlock()
        let height = node.head
        try await serving(
            node,
            configure: {
                Self.patient(&$0)
                $0.expensiveRequests = 1
                $0.expensiveWaiting = 0
                $0.longAnswers = 4
                $0.longAnswersPerAddress = 1
            }
        ) { live in
            let path = "/v1/blocks/\(height)/raw"
            let held = try await live.get(path, from: Self.first, headOnly: true)
            #expect(held.status == 200)
            #expect(try await live.once("/v1/blocks/\(height)/finality", from: Self.first).status == 200)
            let refused = try await live.once(path, from: Self.first)
            #expect(refused.status == 429)
            #expect(refused.head.contains("one address may have 1 long answers"), "\(refused.head)")
            let other = try await live.get(path, from: Self.second, headOnly: true)
            #expect(other.status == 200)
            for answer in [held, other] { answer.end() }
        }
    }

    /// Nobody pays for the check of a wrong signature: an address that sends many is not listened to for a while.
    @Test func wrongSignaturesAreNotCheckedForEver() async throws {
        let node = try FakeNode(blockPerTransaction: false)
        try await serving(
            node,
            configure: {
                Self.patient(&$0)
                $0.wrongSignaturesPerSecond = 1
                // So many that none of the test's time makes up for them.
                $0.wrongSignaturesAtOnce = 4
            }
        ) { live in
            func submit(_ transactions: [SignedTransaction], from address: String) async throws -> HeldAnswer {
                var body = BorshEncoder()
                body.array(transactions)
                return try await live.once(
                    "/v1/transactions", body: body.bytes, type: "application/vnd.edgeproof.transactions", from: address)
            }
            let wrong = try (0..<60 as Range<UInt64>).map {
                try SignedTransaction.record("x", sequence: $0, genesis: Digest(sha256: [1]))
            }
            let right = try SignedTransaction.record("x", sequence: 0, genesis: node.genesisHash)
            let first = try await submit(wrong, from: Self.first)
            #expect(first.status == 200 && first.head.contains("bad_signature"), "\(first.head)")
            let refused = try await submit([right], from: Self.first)
            #expect(refused.status == 429 && refused.head.contains("wrong_signatures"), "\(refused.head)")
            #expect(node.state.withLock { $0.pool.isEmpty })
            // Another address is listened to, and this one may ask for all else.
            #expect(try await submit([right], from: Self.second).status == 200)
            #expect(node.state.withLock { $0.pool.count } == 1)
            #expect(try await live.once("/v1/status", from: Self.first).status == 200)
        }
    }

    @Test func wrongSignaturesAreMadeUpFor() throws {
        let few = WrongSignatures(
            perSecond: 1_000, burst: 10, all: .init(perSecond: 1_000_000, burst: 100_000_000), limitsLoopback: false)
        let one = try #require(AddressHolder("203.0.113.7"))
        few.add(5, by: one)
        #expect(few.silence(of: one) == nil)
        few.add(1_000_000, by: one)
        let silence = try #require(few.silence(of: one))
        #expect(silence.duration > .seconds(1) && silence.duration <= .seconds(60), "however many they were")
        #expect(few.silence(of: AddressHolder("203.0.113.8")) == nil)
        few.add(1_000_000, by: AddressHolder("127.0.0.1"))
        #expect(few.silence(of: AddressHolder("127.0.0.1")) == nil)
    }

    private static func signatures(perSecond: Int, burst: Int, all: Int = 1_000_000_000) -> WrongSignatures {
        WrongSignatures(
            perSecond: perSecond, burst: burst, all: .init(perSecond: 1, burst: all), limitsLoopback: false)
    }

    /// However many others send something wrong, whoever sent much is not forgotten for it.
    @Test func manyAddressesMakeItForgetNobody() throws {
        let few = Self.signatures(perSecond: 1, burst: 1)
        let liar = try #require(AddressHolder("203.0.113.7"))
        few.add(1_000_000, by: liar)
        for high in 0..<80 {
            for low in 0..<256 { few.add(1, by: AddressHolder("10.1.\(high).\(low)")) }
        }
        #expect(few.silence(of: liar) != nil)
        #expect(few.totals.wrong == 1_000_000 + 80 * 256)
    }

    /// Each network of a site sends as many as it may: the site has no more than a few networks' worth.
    @Test func aSiteIsNotListenedToForEver() throws {
        let few = Self.signatures(perSecond: 1, burst: 10)
        for network in 1...100 { few.add(10, by: AddressHolder("2001:db8:5:\(network)::1")) }
        #expect(few.silence(of: AddressHolder("2001:db8:5:ffff::1")) != nil, "another network of the same site")
        #expect(few.silence(of: AddressHolder("2001:db8:6:1::1")) == nil, "another site")
    }

    /// One network alone silences itself and none of its neighbours.
    @Test func aSiteDoesNotAnswerForOneNetwork() throws {
        let few = Self.signatures(perSecond: 1, burst: 10)
        for _ in 0..<100 { few.add(500, by: AddressHolder("2001:db8:5:1::1")) }
        #expect(few.silence(of: AddressHolder("2001:db8:5:1::2")) != nil)
        #expect(few.silence(of: AddressHolder("2001:db8:5:2::1")) == nil)
        // Whoever sends right ones alone is heard in a site that is silent.
        let known = AddressHolder("2001:db8:5:3::1")
        few.right(from: known)
        for network in 4...100 { few.add(10, by: AddressHolder("2001:db8:5:\(network)::1")) }
        #expect(few.silence(of: AddressHolder("2001:db8:5:2::1")) != nil && few.silence(of: known) == nil)
    }

    /// Wrong ones from everywhere: only those are listened to that sent something right, and nothing wrong.
    @Test func allTogetherHaveABound() throws {
        let few = Self.signatures(perSecond: 1_000, burst: 1_000, all: 100)
        let (known, spoilt) = (AddressHolder("198.51.100.1"), AddressHolder("198.51.100.2"))
        for one in [known, spoilt] { few.right(from: one) }
        few.add(1, by: spoilt)
        few.right(from: spoilt)
        #expect(few.silence(of: AddressHolder("192.0.2.1")) == nil)
        for number in 0..<200 { few.add(1, by: AddressHolder("10.0.0.\(number)")) }
        for stranger in [AddressHolder("192.0.2.1"), spoilt] {
            few.add(200, by: AddressHolder("10.0.1.1"))
            guard case .everybody = few.silence(of: stranger) else {
                Issue.record("\(String(describing: stranger)) is listened to")
                continue
            }
        }
        #expect(few.silence(of: known) == nil && few.silence(of: AddressHolder("127.0.0.1")) == nil)
        #expect(few.totals.silenced == 2)
    }

    /// A reverse proxy on the node's machine has one address for all of its clients.
    @Test func loopbackIsLeftAlone() async throws {
        try await serving(
            try FakeNode(),
            configure: {
                Self.patient(&$0)
                $0.limitsLoopback = false
                $0.eventClientsPerAddress = 1
            }
        ) { live in
            var held: [HeldAnswer] = []
            for _ in 0..<3 { held.append(try await live.get("/v1/events", from: Self.first)) }
            #expect(held.map(\.status) == [200, 200, 200])
            for answer in held { answer.end() }
        }
    }

    @Test func sharesEndWithTheirHolders() throws {
        let shares = AddressShares(limit: 2)
        let one = try #require(AddressHolder("203.0.113.7"))
        var held = [shares.take(one), shares.take(one)]
        #expect(held.allSatisfy { $0 != nil } && shares.take(one) == nil)
        #expect(shares.take(AddressHolder("203.0.113.8")) != nil)
        // One subscriber has 2^64 addresses of IPv6.
        let six = [shares.take(AddressHolder("2001:db8::1")), shares.take(AddressHolder("2001:db8::2:3"))]
        #expect(six.allSatisfy { $0 != nil } && shares.take(AddressHolder("2001:db8::4")) == nil)
        let other = AddressHolder("2001:db8:0:1::1")
        #expect(shares.take(other) != nil)
        #expect(other?.name == "2001:db8:0:1::/64" && other?.site == "2001:db8:0::/48")
        #expect(AddressHolder("2001:db8:1:a5b6::1")?.wider == ["2001:db8:1:a500::/56", "2001:db8:1::/48"])
        #expect(one.site == one.name && one.wider.isEmpty)
        // IPv4 in IPv6's form is the same address.
        #expect(shares.take(AddressHolder("::ffff:203.0.113.7")) == nil)
        for loopback in ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"] {
            let many = (0..<5).map { _ in shares.take(AddressHolder(loopback)) }
            #expect(many.allSatisfy { $0 != nil })
        }
        held[0] = nil
        #expect(shares.take(one) != nil)
        held = []
        #expect(shares.holderCount == 1)
        withExtendedLifetime(six) {}
    }
}

/// The beginning of an answer on a connection that stays open.
struct HeldAnswer: Sendable {
    let descriptor: Int32
    /// As much as has come: the head, and for short answers the body.
    let head: String
    var status: Int { head.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0 }

    func end() { _ = close(descriptor) }
}

extension LiveNode {
    /// Asks from one of this machine's addresses, reads the beginning of the answer, and holds the connection.
    func get(_ path: String, from address: String, headOnly: Bool = false) async throws -> HeldAnswer {
        try await ask(Array("GET \(path) HTTP/1.1\r\nhost: a\r\n\r\n".utf8), from: address, headOnly: headOnly)
    }

    /// Sends a body, and does not hold the connection.
    func once(_ path: String, body: [UInt8], type: String, from address: String) async throws -> HeldAnswer {
        let head = "POST \(path) HTTP/1.1\r\nhost: a\r\ncontent-type: \(type)\r\ncontent-length: \(body.count)\r\n\r\n"
        let answer = try await ask(Array(head.utf8) + body, from: address, headOnly: false)
        answer.end()
        return answer
    }

    private func ask(_ request: [UInt8], from address: String, headOnly: Bool) async throws -> HeldAnswer {
        let descriptor = try hold(from: address)
        let head = await Self.aside {
            guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else { return "" }
            return Self.beginning(descriptor, headOnly)
        }
        return HeldAnswer(descriptor: descriptor, head: head)
    }

    /// The same, without holding it.
    func once(_ path: String, from address: String) async throws -> HeldAnswer {
        let answer = try await get(path, from: address)
        answer.end()
        return answer
    }

    /// Up to the end of the head, and of the body where its length is said.
    private static func beginning(_ descriptor: Int32, _ headOnly: Bool) -> String {
        var found: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1_024)
        while true {
            let text = String(decoding: found, as: UTF8.self)
            if let end = found.firstRange(of: Array("\r\n\r\n".utf8)) {
                let lines = String(decoding: found[..<end.lowerBound], as: UTF8.self).lowercased()
                let length = lines.split(whereSeparator: \.isNewline).first { $0.hasPrefix("content-length:") }
                    .flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) }
                guard let length, !headOnly, found.count - end.upperBound < length else { return text }
            }
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let count = poll(&waiting, 1, 120_000) > 0 ? read(descriptor, &chunk, chunk.count) : 0
            guard count > 0 else { return text }
            found += chunk[0..<count]
        }
    }
}
