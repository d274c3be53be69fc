import Crypto
import Cryptography
import Encoding
import TestSupport
import Testing

/// The rule for signatures (ZIP 215), one by one and in batches.
@Suite(.timeLimit(.minutes(20))) struct SignatureRuleTests {
    private func claim(_ key: [UInt8], _ signature: [UInt8], _ message: [UInt8]) throws -> SignatureClaim {
        SignatureClaim(
            key: try #require(PublicKey(key)), signature: try #require(Signature(signature)), message: message)
    }

    @Test func wycheproof() throws {
        var claims: [SignatureClaim] = []
        var expected: [Bool] = []
        var seen = 0
        for line in Wycheproof.ed25519.split(separator: "\n") {
            let fields = line.split(separator: " ").map(String.init)
            try #require(fields.count == 5)
            func field(_ index: Int) throws -> [UInt8] { fields[index] == "." ? [] : try hex(fields[index]) }
            seen += 1
            guard let signature = Signature(try field(4)) else {
                #expect(fields[1] == "-", "case \(fields[0])")
                continue
            }
            let claim = SignatureClaim(
                key: try #require(PublicKey(try field(2))), signature: signature, message: try field(3))
            #expect(claim.isValid == (fields[1] == "+"), "case \(fields[0])")
            claims.append(claim)
            expected.append(fields[1] == "+")
        }
        #expect(seen == 150)
        #expect(SignatureBatch.check(claims) == expected)
    }

    /// The 14 encodings of the 8 points of small order: canonical ones first, then those with y >= p or x = -0.
    static let smallOrder = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ]

    /// ZIP 215's own vectors: every pair of these as A and R with s = 0 is a valid signature of any message (the message
    /// is "Zcash"), whatever other libraries say.
    @Test func zip215EdgeCases() throws {
        var claims: [SignatureClaim] = []
        for key in Self.smallOrder {
            let point = try #require(PublicKey(hex: key))
            #expect(point.isSmallOrder)
            for nonce in Self.smallOrder {
                claims.append(
                    try claim(try hex(key), try hex(nonce) + [UInt8](repeating: 0, count: 32), Array("Zcash".utf8)))
            }
        }
        #expect(claims.count == 196)
        let alone = claims.map(\.isValid)
        #expect(!alone.contains(false))
        #expect(SignatureBatch.check(claims) == [Bool](repeating: true, count: 196))
        #expect(SignatureBatch.allHold(claims))
    }

    /// y = 2 belongs to no point; neither as a key nor as R does it pass, and it has no order.
    @Test func noPoint() throws {
        let none = [2] + [UInt8](repeating: 0, count: 31)
        let one = try hex(Self.smallOrder[0]), zero = [UInt8](repeating: 0, count: 32)
        let claims = [try claim(none, one + zero, []), try claim(one, none + zero, [])]
        #expect(!claims[0].isValid && !claims[1].isValid)
        #expect(SignatureBatch.check(claims) == [false, false])
        let key = try #require(PublicKey(none))
        #expect(!key.isSmallOrder)
        #expect(!PrivateKey.generate().publicKey.isSmallOrder)
    }

    /// s + L is another encoding of the same answer: refused, else anybody could change a signature's bytes.
    @Test func answersAreBelowTheOrder() throws {
        let order: [UInt8] = try hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
        let key = PrivateKey.generate(), message = Array("message".utf8)
        let signature = try key.sign(message: message).bytes
        var raised = Array(signature[0..<32]), carry = 0
        for index in 0..<32 {
            let sum = Int(signature[32 + index]) + Int(order[index]) + carry
            raised.append(UInt8(sum & 255))
            carry = sum >> 8
        }
        let good = try claim(key.publicKey.bytes, signature, message)
        let bad = try claim(key.publicKey.bytes, raised, message)
        #expect(good.isValid && !bad.isValid)
        #expect(SignatureBatch.check([good, bad, good]) == [true, false, true])
        let top = try claim(
            key.publicKey.bytes, Array(signature[0..<32]) + [UInt8](repeating: 255, count: 32), message)
        #expect(!top.isValid && !SignatureBatch.allHold([good, top]))
    }

    /// What swift-crypto takes, the rule takes; of a mutated signature both say no, alone and in batches of every size,
    /// with one signer or many.
    @Test(arguments: [2, 15, 17, 64, 199, 200, 201, 450, 2_100])
    func batchesAgreeWithSwiftCrypto(count: Int) throws {
        let seed = UInt64(count)
        var generator = SeededGenerator(seed: seed)
        let keys = try (0..<1 + generator.below(count)).map { _ in
            try #require(PrivateKey(seed: generator.bytes(32)))
        }
        var claims: [SignatureClaim] = []
        for _ in 0..<count {
            let key = keys[generator.below(keys.count)]
            let message = generator.bytes(generator.below(300))
            claims.append(
                SignatureClaim(key: key.publicKey, signature: try key.sign(message: message), message: message))
        }
        #expect(SignatureBatch.allHold(claims), "seed \(seed)")
        #expect(!SignatureBatch.check(claims).contains(false), "seed \(seed)")
        for _ in 0..<1 + generator.below(5) {
            let index = generator.below(count)
            var bytes = claims[index].signature.bytes
            bytes[generator.below(64)] ^= UInt8(1 << generator.below(8))
            claims[index] = try claim(claims[index].key.bytes, bytes, claims[index].message)
        }
        let expected = try claims.map { claim in
            let key = try Curve25519.Signing.PublicKey(rawRepresentation: claim.key.bytes)
            return key.isValidSignature(claim.signature.bytes, for: claim.message)
        }
        #expect(expected.contains(false), "seed \(seed)")
        #expect(claims.map(\.isValid) == expected, "seed \(seed)")
        #expect(SignatureBatch.check(claims) == expected, "seed \(seed)")
        #expect(!SignatureBatch.allHold(claims), "seed \(seed)")
    }

    /// Two false claims whose errors cancel in a plain sum must not cancel in the batch's.
    @Test func errorsDoNotCancel() throws {
        let key = PrivateKey.generate()
        func shifted(_ message: [UInt8], by amount: Int) throws -> SignatureClaim {
            var bytes = try key.sign(message: message).bytes
            // Far from the ends, so that no carry leaves the byte.
            bytes[32] = UInt8(clamping: Int(bytes[32]) + amount)
            return try claim(key.publicKey.bytes, bytes, message)
        }
        var first = [UInt8](repeating: 0, count: 1)
        while try !(10...245).contains(Int(key.sign(message: first).bytes[32])) { first[0] += 1 }
        var second = [UInt8](repeating: 0, count: 2)
        while try !(10...245).contains(Int(key.sign(message: second).bytes[32])) { second[0] += 1 }
        let claims = [try shifted(first, by: 1), try shifted(second, by: -1)]
        #expect(SignatureBatch.check(claims) == [false, false])
    }

    /// Keys and nonces with a part of small order, for which the equation holds because it is the cofactored one.
    private static let mixedOrder = [
        (
            "196ff6520ea45597d0ee37724245bb5df41a1b4e54b526f9cb2971ad00179165",
            "72e6529f8c273f1fc66688cf15ab63195702c173034b6346c210131b79979127"
                + "316861f028d735fd1c7fba1852f21ee18950bee7fe7ef402b5344400b4457d06"
        ),
        (
            "a29bbd5c9a509ee020ab95d1e5afddf95c4cbc48f0f8e607ace497e73fd4d7d1",
            "24721ba993580dd8022f5517ff58867148e89d2e5fd7a59937b68c7d9690d488"
                + "18f7cc791f58370c8c54f0b787a5b3a9ba4ce812b12d563a913fcf7cdbea280b"
        ),
        (
            "5fed367ae1e9d9aed10c00b35e8427e4185817fdb07c051fade2753151b2c154",
            "4594a113a9a8ba1de700bc23eee08fdb6ccafa19e6fa462003185f0e897eaa65"
                + "1a2507fb6173ab0c5903c179951f52b0d4022f32e472915c98f7b763a403cc03"
        ),
        (
            "68e4aca8c9eab0e9cadbe0a47e393b117f019e9b5942e9ff2e77ed811e454a64",
            "666e0952f6d499855a7a2a47adf5fb2fdd12dbfecc0b2491d0f82bcde26c803d"
                + "950e86ed8600c0901b3f318133e56ae270e4b6dd7d7342b052abc0c960be1b0d"
        ),
        (
            "939b02154b2b59757c175d53e7ea383f89b10c31f6ae889d2dd56f5302a6d371",
            "91f3f3248c97d409af408279dd1e185d3ff2f63175e6951dbe564002b21ade24"
                + "deedf9782696ac72e6c30fd8dfecfd0a87046e1bad88b4b2b04982bd41c94a05"
        ),
    ]

    /// Answers don't change when a key is prepared, which it is when it has come some times.
    @Test func preparedKeysChangeNothing() throws {
        var claims: [SignatureClaim] = []
        for (index, (key, signature)) in Self.mixedOrder.enumerated() {
            claims.append(try claim(try hex(key), try hex(signature), Array("mixed order \(index)".utf8)))
            claims.append(try claim(try hex(key), try hex(signature), Array("something else".utf8)))
        }
        for key in Self.smallOrder.prefix(8) {
            claims.append(try claim(try hex(key), try hex(Self.smallOrder[9]) + [UInt8](repeating: 0, count: 32), []))
            // y = 2 belongs to no point.
            claims.append(try claim(try hex(key), [2] + [UInt8](repeating: 0, count: 63), []))
        }
        let expected = claims.indices.map { $0 % 2 == 0 }
        for _ in 0..<20 {
            #expect(claims.map(\.isValid) == expected)
            #expect(SignatureBatch.check(claims) == expected)
        }
    }

    /// Many more keys than are kept prepared, each come as often as it takes: whichever is at hand is the right one.
    @Test func keysTakePlacesFromEachOther() throws {
        let seed: UInt64 = 0x71
        var generator = SeededGenerator(seed: seed)
        var claims: [SignatureClaim] = []
        for index in 0..<1_500 {
            let key = try #require(PrivateKey(seed: generator.bytes(32)))
            let message = generator.bytes(20)
            let signature = try key.sign(message: message)
            claims.append(SignatureClaim(key: key.publicKey, signature: signature, message: index % 50 == 3 ? [] : message))
        }
        for _ in 0..<4 {
            for first in stride(from: 0, to: claims.count, by: 300) {
                // Each thrice in a row; these are checked as sums at first, and by prepared keys then.
                let part = Array(claims[first..<first + 300])
                for _ in 0..<3 {
                    #expect(SignatureBatch.check(part) == (first..<first + 300).map { $0 % 50 != 3 }, "seed \(seed)")
                }
            }
        }
    }

    @Test func emptyAndSingle() throws {
        #expect(SignatureBatch.check([]).isEmpty)
        #expect(SignatureBatch.allHold([]))
        let key = PrivateKey.generate()
        let good = SignatureClaim(key: key.publicKey, signature: try key.sign(message: [1]), message: [1])
        let bad = SignatureClaim(key: key.publicKey, signature: good.signature, message: [2])
        #expect(SignatureBatch.check([good]) == [true])
        #expect(SignatureBatch.check([bad]) == [false])
        #expect(!SignatureBatch.allHold([bad]))
    }
}
