import Cryptography
import Encoding
import TestSupport
import Testing

func hex(_ text: String) throws -> [UInt8] { try #require(Hexadecimal.decode(text)) }

@Suite(.timeLimit(.minutes(20))) struct SHA256Tests {
    /// FIPS 180-4, examples.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            String(repeating: "a", count: 1_000_000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ])
    func vectors(text: String, expected: String) {
        let bytes = Array(text.utf8)
        #expect(Digest(sha256: bytes).hex == expected)
        var hasher = SHA256Hasher()
        var rest = bytes[...]
        while !rest.isEmpty {
            hasher.update(Array(rest.prefix(4_099)))
            rest = rest.dropFirst(4_099)
        }
        #expect(hasher.finalize().hex == expected)
        #expect(Digest(domain: "a", parts: bytes) == Digest(sha256: [0x61] + bytes))
    }
}

@Suite(.timeLimit(.minutes(20))) struct Bytes32Tests {
    @Test func bytesBitsAndOrder() throws {
        let seed: UInt64 = 0x32
        var generator = SeededGenerator(seed: seed)
        var previous = [UInt8](repeating: 0, count: 32)
        for _ in 0..<200 {
            let bytes = generator.bytes(32)
            let digest = try #require(Digest(bytes))
            #expect(digest.bytes == bytes)
            #expect(Digest(hex: digest.hex) == digest)
            let bits = (0..<256).map { bytes[$0 / 8] >> UInt8(7 - $0 % 8) & 1 == 1 }
            #expect((0..<256).map { digest.bit($0) } == bits, "seed \(seed)")
            let other = try #require(Digest(previous))
            #expect((other < digest) == previous.lexicographicallyPrecedes(bytes), "seed \(seed)")
            previous = bytes
        }
        #expect(Digest([UInt8](repeating: 0, count: 31)) == nil)
        #expect(Digest([UInt8](repeating: 0, count: 33)) == nil)
        #expect(Digest(hex: "00") == nil)
    }
}

@Suite(.timeLimit(.minutes(20))) struct Ed25519Tests {
    /// RFC 8032, section 7.1, tests 1 to 3.
    @Test(arguments: [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ])
    func vectors(seed: String, publicKey: String, message: String, signature: String) throws {
        let key = try #require(PrivateKey(seed: hex(seed)))
        #expect(key.publicKey.hex == publicKey)
        let message = try hex(message)
        let bytes = try hex(signature)
        #expect(key.publicKey.isValid(try #require(Signature(bytes)), message: message))
        #expect(key.publicKey.isValid(try key.sign(message: message), message: message))
        #expect(!key.publicKey.isValid(try #require(Signature(bytes)), message: message + [0]))
        for bit in stride(from: 0, to: 512, by: 3) {
            var changed = bytes
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(!key.publicKey.isValid(try #require(Signature(changed)), message: message), "bit \(bit)")
        }
    }

    @Test func signaturesBindDomainChainBodyAndKey() throws {
        let key = PrivateKey.generate()
        let genesis = Digest(sha256: [1])
        let signature = try key.sign(UInt64(7), domain: .notarize, genesis: genesis)
        #expect(key.publicKey.isValid(signature, over: UInt64(7), domain: .notarize, genesis: genesis))
        #expect(!key.publicKey.isValid(signature, over: UInt64(8), domain: .notarize, genesis: genesis))
        #expect(!key.publicKey.isValid(signature, over: UInt64(7), domain: .finalize, genesis: genesis))
        #expect(!key.publicKey.isValid(signature, over: UInt64(7), domain: .notarize, genesis: .zero))
        #expect(!PrivateKey.generate().publicKey.isValid(signature, over: UInt64(7), domain: .notarize, genesis: genesis))
        #expect(!PublicKey(words: Digest(sha256: []).words).isValid(signature, message: []))
    }

    @Test func wrongLengthsAndSecrets() {
        #expect(Signature([UInt8](repeating: 0, count: 63)) == nil)
        #expect(Signature([UInt8](repeating: 0, count: 65)) == nil)
        #expect(PrivateKey(seed: [1, 2, 3]) == nil)
        let key = PrivateKey.generate()
        #expect(!"\(key)".contains(Hexadecimal.encode(key.seed)))
    }
}

/// The ways around arrays give what the plain definitions give.
@Suite(.timeLimit(.minutes(20))) struct BytesOf32Tests {
    @Test func allWaysToTheSameBytes() throws {
        let seed: UInt64 = 0xb32
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let raw = generator.bytes(32)
            let digest = try #require(Digest(raw), "seed \(seed)")
            #expect(digest.bytes == raw)
            #expect(digest.borsh == raw)
            #expect(Digest((generator.bytes(3) + raw)[3...]) == digest)
            #expect(Digest(raw.lazy.map { $0 }) == digest)
            #expect(try Digest(borsh: raw) == digest)
            let signature = try #require(Signature(raw + raw.reversed()))
            #expect(signature.borsh == signature.bytes)
            #expect(try Signature(borsh: signature.bytes) == signature)
        }
        #expect(Digest([UInt8](repeating: 0, count: 31)) == nil)
        #expect(throws: BorshError(.truncated(needed: 32, available: 31), at: 0)) {
            try Digest(borsh: [UInt8](repeating: 0, count: 31))
        }
        #expect(throws: BorshError(.truncated(needed: 64, available: 63), at: 0)) {
            try Signature(borsh: [UInt8](repeating: 0, count: 63))
        }
    }

    @Test func hashesOfPartsAreHashesOfTheirConcatenation() throws {
        var generator = SeededGenerator(seed: 0xc0c)
        let (left, right) = (try #require(Digest(generator.bytes(32))), try #require(Digest(generator.bytes(32))))
        #expect(MerkleLog.nodeHash(left, right) == Digest(sha256: [1] + left.bytes + right.bytes))
        #expect(MerkleLog.leafHash([4, 5]) == Digest(sha256: [0, 4, 5]))
        #expect(Digest(domain: "dömäne", left, right) == Digest(sha256: Array("dömäne".utf8) + left.bytes + right.bytes))
        #expect(Digest(domain: "d", left, right) == Digest(domain: "d", parts: left.bytes, right.bytes))
    }
}
