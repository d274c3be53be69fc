import Cryptography
import Encoding
import PeerNetwork
import Primitives
import TestSupport
import Testing

/// What the address book keeps, whoever passes addresses on.
@Suite(.timeLimit(.minutes(20))) struct AddressBookTests {
    private struct Generator: RandomNumberGenerator {
        var seeded: SeededGenerator
        mutating func next() -> UInt64 { seeded.next() }
    }

    private func key(_ number: Int) throws -> PublicKey { try #require(PublicKey(Digest(sha256: UInt32(number).borsh).bytes)) }

    /// Not genuine: the book takes what others have checked.
    private func address(_ number: Int, _ text: String, tls: Int = 1) throws -> EndorsedAddress {
        EndorsedAddress(
            consensusKey: try key(number), tlsKey: try key(tls),
            listenAddress: text, signature: try #require(Signature([UInt8](repeating: 0, count: 64))))
    }

    @Test func whatIsConfirmedGoesFirst() throws {
        var book = AddressBook(limit: 10)
        check(book.add(try address(1, "a:1")))
        check(book.add(try address(1, "b:1")))
        #expect(!book.wants(try address(1, "c:1")), "two wait to be tried")
        #expect(!book.wants(try address(1, "a:1", tls: 2)), "it is there")
        // One that was dialled in vain gives way.
        book.failed(PeerAddress(host: "a", port: 1, consensusKey: try key(1)))
        check(book.add(try address(1, "c:1")))
        #expect(book.targets(of: try key(1)).map(\.host) == ["b", "c"])
        // What the masternode itself says takes the place of all that others said, and does not give way.
        check(book.confirm(try address(1, "d:1")))
        check(!book.confirm(try address(1, "d:1")), "nothing new")
        book.failed(PeerAddress(host: "d", port: 1, consensusKey: try key(1)))
        check(book.add(try address(1, "e:1")))
        #expect(book.targets(of: try key(1)).map(\.host) == ["d", "e"])
        #expect(!book.wants(try address(1, "f:1")))
        book.failed(PeerAddress(host: "e", port: 1, consensusKey: try key(1)))
        check(book.add(try address(1, "f:1")))
        #expect(book.targets(of: try key(1)).map(\.host) == ["d", "f"])
    }

    @Test func boundsHoldWhateverComes() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("AddressBookTests.boundsHoldWhateverComes seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let limit = 1 + random.below(20)
        var book = AddressBook(limit: limit)
        let texts = ["", "x", "h:0", "0.0.0.0:1", "[::]:1", "h:1\u{1b}", String(repeating: "h", count: 300) + ":1"]
        for _ in 0..<3_000 {
            let number = random.below(40)
            let text = random.below(4) == 0 ? texts[random.below(texts.count)] : "host\(random.below(6)):1"
            let entry = try address(number, text, tls: random.below(3))
            let before = book.targets(of: try key(number))
            switch random.below(100) {
            case 0:
                let kept = try Set((0..<40).filter { _ in random.below(2) == 0 }.map { try key($0) })
                _ = book.keep(only: kept)
                #expect(book.all.allSatisfy { kept.contains($0.address.consensusKey) }, "seed \(seed)")
            case 1..<30:
                if book.confirm(entry) { #expect(book.targets(of: try key(number)).count == 1, "seed \(seed)") }
            case 30..<60:
                if let target = before.first { book.failed(target) }
                if let target = before.last { book.failed(target) }
            default:
                let confirmed = book.all.first { $0.address.consensusKey == entry.consensusKey && $0.isConfirmed }
                let wanted = book.wants(entry)
                check(book.add(entry) == wanted, "seed \(seed)")
                #expect(book.targets(of: try key(number)).contains { "\($0)" == text } || !wanted, "seed \(seed)")
                if let confirmed { #expect(book.all.contains { $0.address == confirmed.address }, "seed \(seed)") }
            }
            #expect(book.count <= limit, "seed \(seed)")
            #expect(book.all.count <= book.count * AddressBook.addressesPerKey, "seed \(seed)")
            #expect(book.all.allSatisfy { $0.target.port > 0 && $0.target.host.hasPrefix("host") }, "seed \(seed)")
            for entries in Dictionary(grouping: book.all, by: \.address.consensusKey).values {
                #expect(Set(entries.map(\.target)).count == entries.count, "seed \(seed)")
            }
        }
    }

    @Test func answersAreDrawnAndFit() throws {
        var book = AddressBook(limit: 1_000)
        let long = String(repeating: "h", count: 250)
        for number in 0..<300 { check(book.add(try address(number, "\(long):1"))) }
        var (seen, generator) = (Set<PublicKey>(), Generator(seeded: SeededGenerator(seed: 7)))
        for _ in 0..<40 {
            let answer = book.answer(using: &generator)
            #expect(answer.addresses.count == AddressAnswer.longest)
            #expect(try AddressAnswer(borsh: answer.borsh) == answer)
            #expect(answer.borsh.count < 64_000)
            seen.formUnion(answer.addresses.map(\.consensusKey))
        }
        #expect(seen.count == 300, "each comes in its turn")
        var encoder = BorshEncoder()
        encoder.array((0...AddressAnswer.longest).compactMap { try? address($0, "h:1") })
        #expect(throws: BorshError.self) { try AddressAnswer(borsh: encoder.bytes) }
    }
}
