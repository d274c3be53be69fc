import Cryptography
import Encoding
import Foundation

/// One encrypted key in a JSON file of mode 0600.
public enum KeyFile {
    /// Reads the file; refuses one that others may read.
    public static func load(_ path: String) throws(KeyFileError) -> Keystore {
        let bytes = try SecretFile.read(path)
        do { return try JSONDecoder().decode(Keystore.self, from: Data(bytes)) } catch {
            throw .damaged(path: path, detail: "it is not the JSON of a key file")
        }
    }

    /// Writes a new file; one that exists is never replaced.
    public static func save(_ keystore: Keystore, to path: String) throws(KeyFileError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let json: Data
        do { json = try encoder.encode(keystore) } catch {
            throw .inputOutput(path: path, detail: "the key cannot be encoded")
        }
        try SecretFile.create(Array(json) + [UInt8(ascii: "\n")], at: path)
    }

    /// Reads the file and opens its secret: a seed of a beacon's hash chain, say.
    ///
    /// - Parameter purpose: what the key must be for; nil takes any.
    public static func openSecret(
        _ path: String, purpose: String? = nil, passphrase: Passphrase
    ) throws(KeyFileError) -> [UInt8] {
        try secret(of: load(path), path: path, purpose: purpose, passphrase: passphrase)
    }

    /// Reads the file and opens its Ed25519 key, whose public half must be the one that the file names.
    public static func open(
        _ path: String, purpose: String? = nil, passphrase: Passphrase
    ) throws(KeyFileError) -> PrivateKey {
        let keystore = try load(path)
        let seed = try secret(of: keystore, path: path, purpose: purpose, passphrase: passphrase)
        guard let key = PrivateKey(seed: seed) else { throw .damaged(path: path, detail: "it holds no Ed25519 key") }
        guard key.publicKey.hex == keystore.publicKey else {
            throw .damaged(path: path, detail: "its secret belongs to another public key")
        }
        return key
    }

    private static func secret(
        of keystore: Keystore, path: String, purpose: String?, passphrase: Passphrase
    ) throws(KeyFileError) -> [UInt8] {
        if let purpose, keystore.purpose != purpose {
            throw .wrongPurpose(path: path, found: keystore.purpose, expected: purpose)
        }
        do { return try keystore.open(passphrase: passphrase.text) } catch Keystore.Failure.wrongPassphrase {
            throw .wrongPassphrase(path: path)
        } catch {
            throw .damaged(path: path, detail: "\(error)")
        }
    }

    /// Encrypts the key and writes it to a new file.
    ///
    /// - Parameter logCost: scrypt's cost; the standard takes about 0.1 s.
    public static func save(
        _ key: PrivateKey, purpose: String, passphrase: Passphrase, to path: String,
        logCost: Int = Keystore.standardLogCost
    ) throws(KeyFileError) {
        let keystore: Keystore
        do {
            keystore = try Keystore(
                sealing: key.seed, publicKey: key.publicKey.bytes, purpose: purpose, passphrase: passphrase.text,
                logCost: logCost)
        } catch {
            throw .inputOutput(path: path, detail: "the key cannot be encrypted")
        }
        try save(keystore, to: path)
    }
}
