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
    private static let smallOrder = [
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
