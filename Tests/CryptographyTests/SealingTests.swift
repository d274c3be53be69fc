import Cryptography
import Encoding
import Testing

@Suite(.timeLimit(.minutes(20))) struct HPKETests {
    /// RFC 9180, appendix A.2.1.1, sequence number 0: base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
    /// ChaCha20-Poly1305.
    @Test func recipientVector() throws {
        let key = try #require(
            KEMPrivateKey(bytes: hex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb")))
        #expect(key.publicKey.hex == "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a")
        let message = SealedMessage(
            encapsulatedKey: try hex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"),
            ciphertext: try hex(
                "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"))
        let plaintext = try key.open(
            message, info: Array("Ode on a Grecian Urn".utf8), authenticating: Array("Count-0".utf8))
        #expect(plaintext == Array("Beauty is truth, truth beauty".utf8))
    }

    @Test func everythingIsBound() throws {
        let key = KEMPrivateKey.generate()
        let info: [UInt8] = [1, 2, 3]
        let context: [UInt8] = [4, 5]
        for length in [0, 1, 1_000] {
            let plaintext = [UInt8](repeating: 7, count: length)
            let sealed = try key.publicKey.seal(plaintext, info: info, authenticating: context)
            #expect(sealed.ciphertext.count == length + 16 && sealed.encapsulatedKey.count == 32)
            #expect(try key.open(sealed, info: info, authenticating: context) == plaintext)
            #expect(throws: CryptographyError.cannotOpen) { try key.open(sealed, info: [9], authenticating: context) }
            #expect(throws: CryptographyError.cannotOpen) { try key.open(sealed, info: info, authenticating: []) }
            #expect(throws: CryptographyError.cannotOpen) {
                try KEMPrivateKey.generate().open(sealed, info: info, authenticating: context)
            }
            for position in [0, sealed.ciphertext.count / 2, sealed.ciphertext.count - 1] {
                var ciphertext = sealed.ciphertext
                ciphertext[position] ^= 1
                let changed = SealedMessage(encapsulatedKey: sealed.encapsulatedKey, ciphertext: ciphertext)
                #expect(throws: CryptographyError.cannotOpen) {
                    try key.open(changed, info: info, authenticating: context)
                }
            }
        }
        // Short, empty and low-order inputs from a hostile sender.
        for encapsulated in [[], [UInt8](repeating: 0, count: 31), [UInt8](repeating: 0, count: 32)] {
            let hostile = SealedMessage(encapsulatedKey: encapsulated, ciphertext: [UInt8](repeating: 0, count: 17))
            #expect(throws: CryptographyError.cannotOpen) { try key.open(hostile, info: info, authenticating: context) }
        }
        for point in [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        ] {
            let key = try #require(KEMPublicKey(hex: point))
            #expect(throws: CryptographyError.cannotSeal) { try key.seal([1], info: [], authenticating: []) }
        }
    }
}

@Suite(.timeLimit(.minutes(20))) struct KeystoreTests {
    private let secret = (0..<32).map { UInt8($0) }
    private let owner = [UInt8](repeating: 0xaa, count: 32)

    private func sealed() throws -> Keystore {
        try Keystore(sealing: secret, publicKey: owner, purpose: "account", passphrase: "correct horse", logCost: 10)
    }

    @Test func opensWithThePassphraseOnly() throws {
        let store = try sealed()
        #expect(try store.open(passphrase: "correct horse") == secret)
        #expect(throws: Keystore.Failure.wrongPassphrase) { try store.open(passphrase: "correct hors") }
        #expect(throws: Keystore.Failure.wrongPassphrase) { try store.open(passphrase: "") }
        #expect(try sealed().ciphertext != store.ciphertext)
        #expect(store.publicKey == Hexadecimal.encode(owner))
    }

    /// Whatever field of the file somebody changes, it does not open.
    @Test func changedFieldsAreRefused() throws {
        let store = try sealed()
        func flip(_ text: String) -> String { (text.first == "0" ? "1" : "0") + text.dropFirst() }
        let changes: [(inout Fields) -> Void] = [
            { $0.version = 2 }, { $0.purpose = "consensus" }, { $0.publicKey = flip($0.publicKey) },
            { $0.scryptLogCost = 11 }, { $0.scryptLogCost = 9 }, { $0.scryptLogCost = 63 }, { $0.scryptLogCost = -1 },
            { $0.salt = flip($0.salt) }, { $0.salt = "xy" }, { $0.nonce = flip($0.nonce) }, { $0.nonce = "00" },
            { $0.ciphertext = flip($0.ciphertext) }, { $0.ciphertext = "00" }, { $0.publicKey = "0" },
        ]
        for (index, change) in changes.enumerated() {
            var fields = Fields(store)
            change(&fields)
            #expect(throws: Keystore.Failure.self, "change \(index)") {
                try fields.keystore().open(passphrase: "correct horse")
            }
        }
        #expect(throws: (any Error).self) {
            try Keystore(sealing: secret, publicKey: owner, purpose: "account", passphrase: "p", logCost: 99)
        }
    }
}
