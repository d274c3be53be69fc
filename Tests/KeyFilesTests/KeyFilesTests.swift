import Cryptography
import Foundation
import KeyFiles
import Testing

/// A folder that is gone when the test is over.
private final class TemporaryFolder {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("edgeproof-keys-\(UUID().uuidString)").path
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }
    func file(_ name: String) -> String { path + "/" + name }
}

private func mode(_ path: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
}

@Suite(.timeLimit(.minutes(20))) struct KeyFilesTests {
    /// Weak, so that the tests are quick.
    private static let cost = 10
    private let secret = "correct horse"

    @Test func directoryRoundTrip() throws {
        let folder = try TemporaryFolder()
        let keys = KeyDirectory(path: folder.file("keys"))
        #expect(try keys.list().isEmpty)
        let passphrase = try Passphrase(secret)
        let (alice, bob) = (PrivateKey.generate(), PrivateKey.generate())
        try keys.save(bob, purpose: "account", passphrase: passphrase, as: "bob-2", logCost: Self.cost)
        try keys.save(alice, purpose: "consensus", passphrase: passphrase, as: "alice", logCost: Self.cost)
        try Data().write(to: URL(fileURLWithPath: folder.file("keys/.hidden.json")))
        try Data().write(to: URL(fileURLWithPath: folder.file("keys/README")))
        #expect(try keys.names() == ["alice", "bob-2"])
        #expect(try keys.list().map(\.keystore.publicKey) == [alice.publicKey.hex, bob.publicKey.hex])
        #expect(try keys.open("alice", purpose: "consensus", passphrase: passphrase).seed == alice.seed)
        #expect(try mode(keys.path(of: "alice")) == 0o600)
        #expect(try mode(keys.path) == 0o700)
        #expect(try keys.contains("alice") && !keys.contains("carol"))
        #expect(throws: KeyFileError.notFound(path: try keys.path(of: "carol"))) { try keys.load("carol") }
        #expect(throws: KeyFileError.exists(path: try keys.path(of: "alice"))) {
            try keys.save(bob, purpose: "account", passphrase: passphrase, as: "alice", logCost: Self.cost)
        }
        #expect(try keys.load("alice").publicKey == alice.publicKey.hex)
        #expect(try FileManager.default.contentsOfDirectory(atPath: keys.path).allSatisfy { !$0.contains(".new") })
    }

    @Test func namesAreChecked() throws {
        for name in ["a", "0-9", "devnet-1", String(repeating: "x", count: 32)] {
            #expect(KeyDirectory.isValid(name: name))
        }
        for name in ["", "A", "a.b", "../a", "a/b", "ä", "a b", "a\0", String(repeating: "x", count: 33)] {
            #expect(!KeyDirectory.isValid(name: name))
            #expect(throws: KeyFileError.invalidName(name)) { try KeyDirectory(path: "/nowhere").load(name) }
        }
    }

    @Test func othersMayNotRead() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("key")
        let passphrase = try Passphrase(secret)
        try KeyFile.save(.generate(), purpose: "account", passphrase: passphrase, to: path, logCost: Self.cost)
        for open in [0o644, 0o640, 0o604, 0o660, 0o601] {
            try FileManager.default.setAttributes([.posixPermissions: open], ofItemAtPath: path)
            let error = #expect(throws: KeyFileError.self) { try KeyFile.open(path, passphrase: passphrase) }
            #expect(error?.description.contains("chmod 600 '\(path)'") == true)
        }
        try FileManager.default.setAttributes([.posixPermissions: 0o400], ofItemAtPath: path)
        _ = try KeyFile.open(path, passphrase: passphrase)
    }

    @Test func clearErrors() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("key")
        let passphrase = try Passphrase(secret)
        try KeyFile.save(.generate(), purpose: "account", passphrase: passphrase, to: path, logCost: Self.cost)
        let other = try Passphrase("wrong")
        #expect(throws: KeyFileError.wrongPassphrase(path: path)) { try KeyFile.open(path, passphrase: other) }
        #expect(throws: KeyFileError.wrongPurpose(path: path, found: "account", expected: "consensus")) {
            try KeyFile.open(path, purpose: "consensus", passphrase: passphrase)
        }
        #expect(throws: KeyFileError.notFound(path: folder.file("no"))) { try KeyFile.load(folder.file("no")) }
        #expect(throws: KeyFileError.notAFile(path: folder.path)) { try KeyFile.load(folder.path) }
        #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
        #expect(throws: KeyFileError.notAFile(path: folder.file("pipe"))) { try KeyFile.load(folder.file("pipe")) }
        let text = try String(contentsOfFile: path, encoding: .utf8)
        for (name, content) in [
            ("torn", String(text.dropLast(20))), ("empty", ""), ("huge", String(repeating: " ", count: 100_000)),
            ("version", text.replacingOccurrences(of: "\"version\" : 1", with: "\"version\" : 2")),
            ("purpose", text.replacingOccurrences(of: "\"account\"", with: "\"consensus\"")),
            ("cost", text.replacingOccurrences(of: "\"scryptLogCost\" : 10", with: "\"scryptLogCost\" : 60")),
        ] {
            let file = folder.file(name)
            #expect(
                FileManager.default.createFile(
                    atPath: file, contents: Data(content.utf8), attributes: [.posixPermissions: 0o600]))
            let error = #expect(throws: KeyFileError.self) { try KeyFile.open(file, passphrase: passphrase) }
            #expect(error?.description.contains(file) == true && error?.description.contains(secret) == false)
        }
    }

    /// Sealed as it should be, by somebody who wants the owner to sign with another key than the file names.
    @Test func aSecretOfAnotherKeyIsRefused() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("key")
        let (named, sealed) = (PrivateKey.generate(), PrivateKey.generate())
        let passphrase = try Passphrase(secret)
        let keystore = try Keystore(
            sealing: sealed.seed, publicKey: named.publicKey.bytes, purpose: "account", passphrase: secret,
            logCost: Self.cost)
        try KeyFile.save(keystore, to: path)
        #expect(throws: KeyFileError.damaged(path: path, detail: "its secret belongs to another public key")) {
            try KeyFile.open(path, passphrase: passphrase)
        }
    }

    @Test func passphraseSources() throws {
        let folder = try TemporaryFolder()
        let file = folder.file("passphrase")
        #expect(
            FileManager.default.createFile(
                atPath: file, contents: Data("from file\r\nsecond line".utf8), attributes: [.posixPermissions: 0o600]))
        let both = [KeyFiles.passphraseVariable: "from variable", KeyFiles.passphraseFileVariable: file]
        #expect(try Passphrase.find(for: "x", environment: both).text == "from file")
        #expect(try Passphrase.find(file: file, for: "x", environment: [:]).text == "from file")
        let variable = [KeyFiles.passphraseVariable: "from variable"]
        #expect(try Passphrase.find(for: "x", environment: variable).text == "from variable")
        #expect(throws: KeyFileError.emptyPassphrase(source: KeyFiles.passphraseVariable)) {
            try Passphrase.find(for: "x", environment: [KeyFiles.passphraseVariable: ""])
        }
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        #expect(throws: KeyFileError.othersMayRead(path: file, mode: 0o644)) {
            try Passphrase.find(for: "x", environment: both)
        }
    }

    @Test func secretsDoNotPrint() throws {
        let passphrase = try Passphrase(secret)
        var dumped = ""
        dump(passphrase, to: &dumped)
        for text in ["\(passphrase)", String(reflecting: passphrase), String(describing: [passphrase]), dumped] {
            #expect(!text.contains(secret))
        }
    }
}
