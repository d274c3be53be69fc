import ArgumentParser
import Cryptography
import Foundation
import WebAssembly

/// Contracts in C on the developer's machine: a folder to begin with, and its module.
struct NewContractCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Make a folder with a contract in C that works.",
        discussion: """
            NAME/NAME.c is a contract that counts votes: change it into yours. NAME/edgeproof.h says what a contract sees of \
            the chain.

            Example:
              chain-cli contract new hello && chain-cli contract build hello
            """)

    @Argument(help: "Name of the folder, made in the current one: small letters, digits and hyphens.") var name: String
    @Flag(help: "One JSON document instead of text.") var json = false

    func run() async throws {
        let isName =
            name.count <= 32 && name.first.map { ("a"..."z").contains($0) } == true
            && name.allSatisfy { ("a"..."z").contains($0) || ("0"..."9").contains($0) || $0 == "-" }
        guard isName else {
            throw UsageError("'\(name)' is no name for a contract: a letter, then letters, digits and hyphens, at most 32")
        }
        guard !FileManager.default.fileExists(atPath: name) else { throw UsageError("\(name) is there already") }
        let source = ContractTemplate.tally.replacing("../C/edgeproof.h", with: "edgeproof.h")
        let files = ["\(name)/\(name).c", "\(name)/edgeproof.h"]
        do {
            try FileManager.default.createDirectory(atPath: name, withIntermediateDirectories: false)
            try Data(source.utf8).write(to: URL(filePath: files[0]))
            try Data(ContractTemplate.header.utf8).write(to: URL(filePath: files[1]))
        } catch { throw UsageError("cannot write \(name): \(error.localizedDescription)") }
        if json {
            Console.json(["folder": name, "source": files[0], "header": files[1]])
        } else {
            Console.out(facts([("source", files[0]), ("header", files[1]), ("next", "chain-cli contract build \(name)")]))
        }
    }
}

struct BuildContractCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build",
        abstract: "Compile a contract in C, and check that the chain would take it.",
        discussion: """
            Compiles DIR/*.c to DIR/NAME.wasm with the clang and wasm-ld of the Swift toolchain, or of the PATH. The bytes \
            depend on the source and the compiler alone, not on where it lies.

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
        let folder = URL(filePath: dir, directoryHint: .isDirectory).standardizedFileURL
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else {
            throw UsageError("\(dir) is no folder that can be read")
        }
        let sources = names.filter { $0.hasSuffix(".c") }.sorted()
        guard !sources.isEmpty else { throw UsageError("\(dir) holds no .c file") }
        let output = folder.lastPathComponent + ".wasm"
        try compile(sources, to: output, in: folder)

        let path = folder.appending(path: output).path
        let code = try Contracts.read(path)
        let module: Module
        do { module = try Module(parsing: code) } catch { throw Refused("module", "\(output): \(error)") }
        try check(module, output)
        let document = Document(
            file: path, bytes: code.count, codeHash: Digest(sha256: code).hex,
            checkingGas: String(Gas.parsing(bytes: code.count)), instanceGas: String(module.instantiationGas))
        if json { return Console.json(document) }
        Console.out(
            facts([
                ("module", path), ("size", Format.number(code.count) + " bytes"), ("code hash", document.codeHash),
                ("gas", "checking \(document.checkingGas), an instance \(document.instanceGas)"),
            ]))
    }

    /// What the chain asks of a contract beyond a valid module.
    private func check(_ module: Module, _ name: String) throws {
        guard module.hasMemoryExport("memory") else {
            throw Refused("module", "\(name) does not export its memory as \"memory\"")
        }
        for entry in ["init", "action", "scheduled", "query"] {
            if let type = module.functionType(ofExport: entry), type != FunctionType() {
                throw Refused("module", "\(name): \(entry) is \(type); it must have no parameters and results")
            }
        }
        guard module.functionType(ofExport: "action") != nil else {
            throw Refused("module", "\(name) exports no function \"action\": put EP_ENTRY(\"action\") before it")
        }
        if let foreign = module.imports.first(where: { $0.module != "edgeproof" }) {
            throw Refused(
                "module",
                "\(name) needs \(foreign.module.debugDescription) \(foreign.name.debugDescription), which the chain does not offer: "
                    + "declare it, or write it; there is no C library")
        }
    }

    private func compile(_ sources: [String], to output: String, in folder: URL) throws {
        guard let clang = Self.find("clang"), let linker = Self.find("wasm-ld") else {
            throw UsageError("clang and wasm-ld are needed, and in no folder of PATH: they come with the Swift toolchain")
        }
        let process = Process()
        process.executableURL = clang
        process.currentDirectoryURL = folder
        process.arguments =
            [
                "--target=wasm32", "-std=c11", "-Os", "-Wall", "-Wextra", "-ffreestanding", "-nostdlib",
                "-fuse-ld=\(linker.path)", "-ffile-prefix-map=\(folder.path)=.",
                "-Wl,--no-entry,--gc-sections,--strip-all,--stack-first,--allow-undefined", "-Wl,-z,stack-size=32768",
                "-o", output,
            ] + sources
        do { try process.run() } catch { throw UsageError("\(clang.path) can't be run: \(error.localizedDescription)") }
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Refused("compiler", "the source does not compile: see above") }
    }

    private static func find(_ program: String) -> URL? {
        for folder in (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":") {
            let url = URL(filePath: String(folder)).appending(path: program)
            if FileManager.default.isExecutableFile(atPath: url.path) { return url }
        }
        return nil
    }
}
