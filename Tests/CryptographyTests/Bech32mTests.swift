import Cryptography
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(20))) struct Bech32mTests {
    /// BIP 350, valid strings whose data is whole bytes.
    @Test(arguments: [
        ("a", "A1LQFN3A", 0), ("a", "a1lqfn3a", 0), ("?", "?1v759aa", 0),
        (
            "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber1",
            "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6", 0
        ),
        ("abcdef", "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx", 20),
        ("split", "split1checkupstagehandshakeupstreamerranterredcaperredlc445v", 30),
    ])
    func valid(prefix: String, text: String, count: Int) throws {
        let bytes = try Bech32m.decode(prefix: prefix, text)
        #expect(bytes.count == count)
        #expect(Bech32m.encode(prefix: prefix, bytes: bytes) == text.lowercased())
    }

    /// BIP 350, invalid strings, and the same for Bech32 with its other constant.
    @Test(arguments: [
        ("", "qyrz8wqd2c9m"), ("y", "y1b0jsk6g"), ("lt", "lt1igcx5c0"), ("in", "in1muywd"), ("mm", "mm1crxm3i"),
        ("au", "au1s5cgom"), ("m", "M1VUXWEZ"), ("", "16plkw9"), ("\u{20}", "\u{20}1xj0phk"), ("\u{7f}", "\u{7f}1g6xzxy"),
        ("a", "A12UEL5L"), ("a", "a12uel5l"), ("a", "A1lqfn3a"),
    ])
    func invalid(prefix: String, text: String) {
        #expect(throws: Bech32m.Failure.self) { try Bech32m.decode(prefix: prefix.isEmpty ? "edge" : prefix, text) }
    }

    @Test func everySingleMistypedCharacterIsRefused() throws {
        let seed: UInt64 = 0xbec4
        var generator = SeededGenerator(seed: seed)
        let alphabet = Array("qpzry9x8gf2tvdw0s3jn54khce6mua7l")
        for _ in 0..<5 {
            let bytes = generator.bytes(32)
            let address = Array(Bech32m.encode(prefix: "edge", bytes: bytes))
            #expect(try Bech32m.decode(prefix: "edge", String(address)) == bytes)
            #expect(try Bech32m.decode(prefix: "edge", String(address).uppercased()) == bytes)
            for position in 5..<address.count {
                for letter in alphabet where letter != address[position] {
                    var typo = address
                    typo[position] = letter
                    if (try? Bech32m.decode(prefix: "edge", String(typo))) != nil {
                        Issue.record("seed \(seed): \(String(typo)) was accepted")
                    }
                }
                var swapped = address
                if position > 5, swapped[position] != swapped[position - 1] {
                    swapped.swapAt(position, position - 1)
                    #expect(throws: Bech32m.Failure.self) { try Bech32m.decode(prefix: "edge", String(swapped)) }
                }
            }
            #expect(throws: Bech32m.Failure.self) { try Bech32m.decode(prefix: "edge", String(address.dropLast())) }
            #expect(throws: Bech32m.Failure.wrongPrefix(expected: "other", found: "edge")) {
                try Bech32m.decode(prefix: "other", String(address))
            }
        }
        for text in ["", "edge1", "edge", "1", "edge1é€𝄞aaaaaaa", String(repeating: "q", count: 100_000)] {
            #expect(throws: Bech32m.Failure.self) { try Bech32m.decode(prefix: "edge", text) }
        }
    }
}
