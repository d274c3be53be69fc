import Cryptography
import Foundation

/// A folder of named keys: `NAME.json`, each an encrypted key file.
public struct KeyDirectory: Sendable {
    public struct Entry: Sendable, Equatable {
        public let name: String
        public let keystore: Keystore
    }

    public let path: String
    private static let suffix = ".json"

    public init(path: String) { self.path = path }

    /// 1 to 32 of the characters a-z, 0-9 and '-'.
    public static func isValid(name: String) -> Bool {
        (1...32).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || $0 == UInt8(ascii: "-")
            }
    }

    public func path(of name: String) throws(KeyFileError) -> String {
        guard Self.isValid(name: name) else { throw .invalidName(name) }
        return (path as NSString).appendingPathComponent(name + Self.suffix)
    }

    /// Names of the keys, sorted; empty where the folder does not exist. The files are not opened.
    public func names() throws(KeyFileError) -> [String] {
        guard FileManager.default.fileExists(atPath: path) else { return [] }
        let files: [String]
        do { files = try FileManager.default.contentsOfDirectory(atPath: path) } catch {
            throw .inputOutput(path: path, detail: "the folder can't be listed; check its permissions")
        }
        return files.filter { $0.hasSuffix(Self.suffix) }.map { String($0.dropLast(Self.suffix.count)) }
            .filter(Self.isValid(name:)).sorted()
    }

    /// All keys, by name, still encrypted.
    public func list() throws(KeyFileError) -> [Entry] {
        var entries: [Entry] = []
        for name in try names() { entries.append(Entry(name: name, keystore: try load(name))) }
        return entries
    }

    public func contains(_ name: String) throws(KeyFileError) -> Bool {
        FileManager.default.fileExists(atPath: try path(of: name))
    }

    public func load(_ name: String) throws(KeyFileError) -> Keystore { try KeyFile.load(try path(of: name)) }

    public func open(_ name: String, purpose: String? = nil, passphrase: Passphrase) throws(KeyFileError) -> PrivateKey
    {
        try KeyFile.open(try path(of: name), purpose: purpose, passphrase: passphrase)
    }

    /// Saves under a new name; makes the folder, readable by its owner alone, where there is none.
    public func save(_ keystore: Keystore, as name: String) throws(KeyFileError) {
        let file = try path(of: name)
        try makeFolder()
        try KeyFile.save(keystore, to: file)
    }

    public func save(
        _ key: PrivateKey, purpose: String, passphrase: Passphrase, as name: String,
        logCost: Int = Keystore.standardLogCost
    ) throws(KeyFileError) {
        let file = try path(of: name)
        try makeFolder()
        try KeyFile.save(key, purpose: purpose, passphrase: passphrase, to: file, logCost: logCost)
    }

    private func makeFolder() throws(KeyFileError) {
        guard !FileManager.default.fileExists(atPath: path) else { return }
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw .inputOutput(path: path, detail: "the folder can't be made; check the path and its permissions")
        }
    }
}
