import APIModel
import ArgumentParser
import ChainClient
import CommandSupport
import Cryptography
import Encoding
import Foundation
import KeyFiles
import Primitives
import ProgramSupport

/// Options of every command.
package struct GlobalOptions: ParsableArguments {
    package init() {}

    @Option(
        name: [.customLong("node"), .customLong("nodes")],
        help: ArgumentHelp(
            "Address of a node. Several, with commas or given several times: the next one is asked when one fails. "
                + "Default: EDGEPROOF_NODE, else http://127.0.0.1:\(APIModel.defaultPort).", valueName: "url,..."))
    package var nodes: [String] = []

    @Flag(name: .customLong("json"), help: "Print one JSON document and nothing else on standard output.")
    var json = false

    @Option(
        name: .customLong("keys"),
        help: ArgumentHelp("Folder of keys. Default: EDGEPROOF_KEYS, else ~/.edgeproof/keys.", valueName: "dir"))
    var keysPath: String?

    func client() throws -> ChainClient { ChainClient(nodes: try addresses()) }

    /// For what needs no node. EDGEPROOF_NODE is for all commands of a session, and may be there.
    func refuseNodes() throws {
        guard nodes.isEmpty else { throw ValidationError("no node is asked for this: leave --node out") }
    }

    package func addresses(environment: String? = Environment.value("EDGEPROOF_NODE")) throws -> [NodeAddress] {
        let texts = nodes.isEmpty ? [environment].compactMap { $0 } : nodes
        return try texts.flatMap { try NodeAddress.list($0) }
    }

    var keys: KeyDirectory { KeyDirectory(path: FilePath.keys(keysPath)) }

    /// Prints the document, or for people the text.
    func show(_ document: some Encodable, _ text: @autoclosure () -> String) {
        if json { Console.json(document) } else { Console.out(text()) }
    }

    // MARK: Accounts and keys

    /// `edge1...`, or the name of a local key.
    func account(_ text: String) throws -> Account {
        if text.lowercased().hasPrefix("edge1") {
            do { return try Account(address: text) } catch { throw UsageError("\(error)") }
        }
        guard KeyDirectory.isValid(name: text) else {
            throw UsageError("'\(text)' is neither an address (edge1...) nor the name of a key")
        }
        guard try keys.contains(text) else {
            throw UsageError(
                "'\(text)' is no address (edge1...), and there is no key of that name in \(keys.path)"
                    + Spelling.hint(for: text, among: try keys.names()) + "; \(try known())")
        }
        let keystore = try keys.load(text)
        guard let key = PublicKey(hex: keystore.publicKey) else {
            throw UsageError("the key file of '\(text)' in \(keys.path) names no public key")
        }
        return Account(key)
    }

    private func known() throws -> String {
        let names = try keys.names()
        return names.isEmpty
            ? "the folder has none; 'chain-cli keys new NAME' makes one" : "it has: \(names.joined(separator: ", "))"
    }

    /// The key to sign with: the one of this name, else the only one there is.
    func signingKey(_ name: String?) throws -> PrivateKey {
        let chosen: String
        if let name {
            guard try keys.contains(name) else {
                throw UsageError(
                    "there is no key '\(name)' in \(keys.path)" + Spelling.hint(for: name, among: try keys.names())
                        + "; \(try known())")
            }
            chosen = name
        } else {
            let names = try keys.names()
            guard let only = names.first else { throw UsageError("there is no key in \(keys.path): \(try known())") }
            guard names.count == 1 else {
                throw UsageError("say who signs with --from: \(keys.path) has \(names.joined(separator: ", "))")
            }
            chosen = only
        }
        return try keys.open(
            chosen, purpose: KeyPurpose.account, passphrase: try Passphrase.find(for: "key '\(chosen)'"))
    }

    func sender(_ name: String?) async throws -> TransactionSender {
        let key = try signingKey(name)
        return try await TransactionSender(client: try client(), key: key)
    }
}

enum KeyPurpose {
    static let account = "account"
}

/// What arguments say.
package enum Arguments {
    static func service(_ text: String) throws -> ServiceId {
        guard let name = LabelText<ServiceId>(text: text) else {
            throw UsageError(
                "'\(text)' is not a service name: it takes at most \(ChainLimits.labelBytes) bytes, or 0x and hexadecimal digits"
            )
        }
        return name.wrappedValue
    }

    static func post(_ text: String) throws -> PostId {
        guard let name = LabelText<PostId>(text: text) else {
            throw UsageError(
                "'\(text)' is not a post name: it takes at most \(ChainLimits.labelBytes) bytes, or 0x and hexadecimal digits"
            )
        }
        return name.wrappedValue
    }

    /// A moment in milliseconds since 1970: a span before `now`, or a date in UTC.
    package static func time(_ text: String, now: Date, _ what: String) throws -> UInt64 {
        let present = UInt64(max(0, now.timeIntervalSince1970 * 1_000))
        if text.hasSuffix("d"), let days = UInt64(text.dropLast()) {
            let (span, overflow) = days.multipliedReportingOverflow(by: 86_400_000)
            return overflow ? 0 : present - min(present, span)
        }
        if let span = Decimals.milliseconds(text) { return present - min(present, span) }
        let full = text.count == 10 ? text + "T00:00:00Z" : text
        // The parser takes an hour of 25 for the next day: what it read must be what was written.
        if let date = try? Date(full, strategy: .iso8601), date.timeIntervalSince1970 >= 0,
            date.formatted(.iso8601) == full
        {
            return UInt64(date.timeIntervalSince1970 * 1_000)
        }
        throw UsageError(
            "\(what) '\(text)' is neither a span, as 30s, 5min, 2h or 3d, nor a date, as 2026-03-01 or 2026-03-01T12:00:00Z"
        )
    }

    static func digest(_ text: String, _ what: String) throws -> Digest {
        guard let digest = Digest(hex: text) else { throw UsageError("\(what) '\(text)' is not 64 hexadecimal digits") }
        return digest
    }

    /// See ``Money/units(_:_:)``.
    package static func amount(_ text: String, _ what: String) throws -> UInt128 { try Money.units(text, what) }

    static func file(_ path: String, limit: Int) throws -> [UInt8] {
        try InputFile.read(path, limit: limit)
    }

    static func write(_ bytes: [UInt8], to path: String) throws {
        let full = FilePath.expanded(path)
        do { try Data(bytes).write(to: URL(fileURLWithPath: full), options: .atomic) } catch {
            let folder = NSString(string: full).deletingLastPathComponent
            throw UsageError(
                FileManager.default.fileExists(atPath: folder.isEmpty ? "." : folder)
                    ? "cannot write \(path): check its permissions and the disk's space"
                    : "cannot write \(path): there is no folder \(folder)")
        }
    }
}

/// `--data`, `--data-hex`, `--data-file`: what a transaction or a query carries.
struct DataOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Data as text.", valueName: "text"))
    var data: String?

    @Option(help: ArgumentHelp("Data as hexadecimal digits.", valueName: "hex"))
    var dataHex: String?

    @Option(help: ArgumentHelp("File that holds the data.", valueName: "file"))
    var dataFile: String?

    func bytes() throws -> [UInt8] {
        guard [data, dataHex, dataFile].compactMap({ $0 }).count <= 1 else {
            throw UsageError("give one of --data, --data-hex and --data-file")
        }
        if let data { return Array(data.utf8) }
        if let dataHex {
            let digits = dataHex.hasPrefix("0x") ? String(dataHex.dropFirst(2)) : dataHex
            guard let bytes = Hexadecimal.decode(digits) else {
                throw UsageError("--data-hex takes an even number of hexadecimal digits")
            }
            return bytes
        }
        if let dataFile { return try Arguments.file(dataFile, limit: ChainLimits.transactionDataBytes) }
        return []
    }
}
