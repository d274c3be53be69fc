import ArgumentParser
import CommandSupport
import ContractTemplates
import Cryptography
import Foundation
import ProgramSupport
import WebAssembly

/// Contracts on the developer's machine: a folder to begin with, and its module.
struct NewContractCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Make a folder with a contract that works, and its tests.",
        discussion: """
            In C a contract that counts votes, with edgeproof.h, which says what a contract sees of the chain; in Swift a \
            counter and notary, with the SDK that it is compiled with. NAME.test.yaml tests it. Change them into yours.

            Examples:
              chain-cli contract new hello && chain-cli contract test hello
              chain-cli contract new notary --language swift && chain-cli contract build notary
            """)

    enum Language: String, CaseIterable, ExpressibleByArgument { case c, swift }

    @Argument(help: "Name of the folder, made in the current one: small letters, digits and hyphens.") var name: String
    @Option(help: "What it is written in: \(Language.allCases.map(\.rawValue).joined(separator: ", ")).") var language = Language.c
    @Flag(help: "One JSON document instead of text.") var json = false

    private struct Document: Encodable {
        let folder: String
        let files: [String]
    }

    func run() async throws {
        let isName =
            name.count <= 32 && name.first.map { ("a"..."z").contains($0) } == true
            && name.allSatisfy { ("a"..."z").contains($0) || ("0"..."9").contains($0) || $0 == "-" }
        guard isName else {
            throw UsageError("'\(name)' is no name for a contract: a letter, then letters, digits and hyphens, at most 32")
        }
        guard !FileManager.default.fileExists(atPath: name) else { throw UsageError("\(name) is there already") }
        let files = language == .c ? ContractTemplates.c(name) : ContractTemplates.swift(name)
        do {
            for file in files {
                let url = URL(filePath: "\(name)/\(file.path)")
                try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(file.text.utf8).write(to: url)
            }
        } catch { throw UsageError("cannot write \(name): \(Reason.text(error))") }
        let paths = files.map { "\(name)/\($0.path)" }
        if json { return Console.json(Document(folder: name, files: paths)) }
        Console.out(
            facts([
                ("files", paths.filter { !$0.contains("/sdk/") }.joined(separator: "\n")),
                ("sdk", language == .swift ? "\(name)/sdk" : nil), ("next", "chain-cli contract test \(name)"),
            ]))
    }
}

struct BuildContractCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build",
        abstract: "Compile a contract, and check that the chain would take it.",
        discussion: """
            Compiles DIR/*.c, or DIR/*.swift with DIR/sdk/*.swift, to DIR/NAME.wasm with the compilers and the wasm-ld of the \
            Swift toolchain. The bytes depend on the source and the compiler alone, not on where it lies.

            Example:
              chain-cli contract build hello
            """)

    @Argument(help: "The contract's folder.") var dir: String
    @Flag(help: "One JSON document instead of text.") var json = false

    private struct Document: Encodable {
        var file: String
        var bytes: Int
        var codeHash: String
        /// Of checking the module, and of an instance, before the contract does anything.
        var checkingGas: String
        var instanceGas: String
    }

    func run() async throws {
        let result = try ContractBuild(folder: URL(filePath: dir, directoryHint: .isDirectory).standardizedFileURL).run()
        let document = Document(
            file: result.path, bytes: result.code.count, codeHash: Digest(sha256: result.code).hex,
            checkingGas: String(Gas.parsing(bytes: result.code.count)), instanceGas: String(result.module.instantiationGas))
        if json { return Console.json(document) }
        Console.out(
            facts([
                ("module", result.path), ("size", Format.number(result.code.count) + " bytes"), ("code hash", document.codeHash),
                ("gas", "checking \(document.checkingGas), an instance \(document.instanceGas)"),
            ]))
    }
}
