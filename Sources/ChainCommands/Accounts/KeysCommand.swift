import ArgumentParser
import Cryptography
import Encoding
import Foundation
import KeyFiles
import Primitives
import ProgramSupport

struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make and keep account keys, encrypted on this machine.",
        discussion: "Example: chain-cli keys new alice",
        subcommands: [New.self, List.self, Show.self, Import.self, Export.self])

    struct KeyDocument: Encodable {
        let name: String
        let account: String
        let publicKey: String
        let purpose: String

        init(name: String, keystore: Keystore) {
            self.name = name
            publicKey = keystore.publicKey
            purpose = keystore.purpose
            account = PublicKey(hex: keystore.publicKey).map { Account($0).description } ?? ""
        }

        var text: String {
            facts([("name", name), ("account", account), ("public key", publicKey), ("purpose", purpose)])
        }
    }

    struct New: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key.",
            discussion: "Example: EDGEPROOF_PASSPHRASE_FILE=secret.txt chain-cli keys new alice")

        @Argument(help: "Name: a-z, 0-9 and '-'.") var name: String
        @OptionGroup var global: GlobalOptions

        func validate() throws { try global.refuseNodes() }

        func run() async throws {
            try save(.generate(), as: name, global)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the keys and their accounts.", discussion: "Example: chain-cli keys list --keys ./keys")

        @OptionGroup var global: GlobalOptions

        func validate() throws { try global.refuseNodes() }

        func run() async throws {
            let keys = try global.keys.list().map { KeyDocument(name: $0.name, keystore: $0.keystore) }
            var table = Table([.left("name"), .left("account"), .left("purpose")])
            for key in keys { table.add(key.name, key.account, key.purpose) }
            global.show(
                ["keys": keys], table.text(none: "no keys in \(global.keys.path); 'chain-cli keys new NAME' makes one"))
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a key's public half and account.", discussion: "Example: chain-cli keys show alice")

        @Argument(help: "Name of the key.") var name: String
        @OptionGroup var global: GlobalOptions

        func validate() throws { try global.refuseNodes() }

        func run() async throws {
            let document = KeyDocument(name: name, keystore: try global.keys.load(name))
            global.show(document, document.text)
        }
    }

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take in a key: an encrypted key file, or a file with a secret seed.",
            discussion: """
                A key file is taken as it is. A seed file holds 64 hexadecimal digits; it is encrypted with the \
                passphrase. '-' reads standard input.

                Example: chain-cli keys import alice alice-backup.json
                """)

        @Argument(help: "Name that the key gets.") var name: String
        @Argument(help: "File, or '-'.") var file: String
        @OptionGroup var global: GlobalOptions

        func validate() throws { try global.refuseNodes() }

        func run() async throws {
            let bytes =
                file == "-"
                ? Array(FileHandle.standardInput.readDataToEndOfFile().prefix(65_536))
                : try Arguments.file(file, limit: 65_536)
            if let keystore = try? JSONDecoder().decode(Keystore.self, from: Data(bytes)) {
                try global.keys.save(keystore, as: name)
                let document = KeyDocument(name: name, keystore: keystore)
                return global.show(document, document.text)
            }
            let text = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
            guard let seed = Hexadecimal.decode(text), let key = PrivateKey(seed: seed) else {
                throw UsageError("\(file) holds neither a key file nor a seed of 64 hexadecimal digits")
            }
            try save(key, as: name, global)
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a key to a file, encrypted as it is, or its secret seed.",
            discussion: "Example: chain-cli keys export alice --output alice-backup.json")

        @Argument(help: "Name of the key.") var name: String
        @Option(help: ArgumentHelp("File to write; standard output without it.", valueName: "file")) var output: String?
        @Flag(help: "The secret seed itself, unencrypted. Whoever has it has the account.") var secretSeed = false
        @OptionGroup var confirmation: ConfirmationOptions
        @OptionGroup var global: GlobalOptions

        func validate() throws {
            try global.refuseNodes()
            guard secretSeed || !confirmation.yes else {
                throw ValidationError("--yes goes with --secret-seed: nothing else is asked here")
            }
        }

        func run() async throws {
            if secretSeed {
                try confirmation.require("showing the secret of '\(name)'")
                let key = try global.keys.open(name, passphrase: try Passphrase.find(for: "key '\(name)'"))
                return try finish(Hexadecimal.encode(key.seed), document: ["seed": Hexadecimal.encode(key.seed)])
            }
            let keystore = try global.keys.load(name)
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
            try finish(String(decoding: try encoder.encode(keystore), as: UTF8.self), document: keystore)
        }

        private func finish(_ text: String, document: some Encodable) throws {
            guard let output else { return global.show(document, text) }
            let path = FilePath.expanded(output)
            guard !FileManager.default.fileExists(atPath: path) else {
                throw UsageError("\(output) exists already; choose another name")
            }
            guard
                FileManager.default.createFile(
                    atPath: path, contents: Data((text + "\n").utf8), attributes: [.posixPermissions: 0o600])
            else { throw UsageError("cannot write \(output)") }
            global.show(["file": output], "written to \(output), readable by you alone")
        }
    }

    private static func save(_ key: PrivateKey, as name: String, _ global: GlobalOptions) throws {
        guard try !global.keys.contains(name) else { throw KeyFileError.exists(path: try global.keys.path(of: name)) }
        let passphrase = try Passphrase.find(for: "new key '\(name)'", confirm: true)
        try global.keys.save(key, purpose: KeyPurpose.account, passphrase: passphrase, as: name)
        let document = KeyDocument(name: name, keystore: try global.keys.load(name))
        global.show(document, document.text)
    }
}
