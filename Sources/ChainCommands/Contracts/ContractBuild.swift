import CommandSupport
import Cryptography
import Foundation
import ProgramSupport
import WebAssembly

/// Makes a contract's module from the C or Swift files of its folder, and checks that the chain would take it.
///
/// The bytes depend on the sources and the compiler alone, not on where they lie.
struct ContractBuild {
    let folder: URL

    struct Result {
        let path: String
        let code: [UInt8]
        let module: Module
    }

    private static let stackSize = 32_768

    /// - Parameter isQuiet: whether the compiler's warnings are kept back.
    func run(isQuiet: Bool = false) throws -> Result {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else {
            throw UsageError("\(folder.path) is no folder that can be read")
        }
        let output = folder.lastPathComponent + ".wasm"
        let c = names.filter { $0.hasSuffix(".c") }.sorted()
        let swift = names.filter { $0.hasSuffix(".swift") }.sorted()
        switch (c.isEmpty, swift.isEmpty) {
        case (false, true): try compileC(c, to: output, isQuiet)
        case (true, false): try compileSwift(swift, to: output, isQuiet)
        case (true, true): throw UsageError("\(folder.path) holds no .c and no .swift file")
        case (false, false): throw UsageError("\(folder.path) holds .c and .swift files: a contract is in one language")
        }
        let path = folder.appending(path: output).path
        let code = try Contracts.read(path)
        let module: Module
        do { module = try Module(parsing: code) } catch { throw Refused("module", "\(output): \(error)") }
        try check(module, output)
        return Result(path: path, code: code, module: module)
    }

    /// What the chain asks of a contract beyond a valid module.
    private func check(_ module: Module, _ name: String) throws {
        guard module.hasMemoryExport("memory") else {
            throw Refused("module", "\(name) does not export its memory as \"memory\"")
        }
        for entry in ["init", "action", "scheduled", "query", "upgrade", "retire"] {
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

    // MARK: Compilers

    private func compileC(_ sources: [String], to output: String, _ isQuiet: Bool) throws {
        let linker = try Self.tool("wasm-ld")
        try Self.run(
            try Self.tool("clang"),
            [
                "--target=wasm32", "-std=c11", "-Os", isQuiet ? "-w" : "-Wall", "-Wextra", "-ffreestanding", "-nostdlib",
                "-fuse-ld=\(linker.path)", "-ffile-prefix-map=\(folder.path)=.",
                "-Wl,--no-entry,--gc-sections,--strip-all,--stack-first,--allow-undefined",
                "-Wl,-z,stack-size=\(Self.stackSize)", "-o", output,
            ] + sources, in: folder)
    }

    /// One module with the SDK, whole: the optimiser sees through it, and the linker drops what is unused.
    private func compileSwift(_ sources: [String], to output: String, _ isQuiet: Bool) throws {
        let linker = try Self.tool("wasm-ld")
        let compiler = try Self.tool("swiftc")
        let unicode = compiler.resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "../lib/swift/embedded/wasm32-unknown-none-wasm/libswiftUnicodeDataTables.a").standardizedFileURL
        guard FileManager.default.fileExists(atPath: unicode.path) else {
            throw UsageError("this toolchain has no Embedded Swift for wasm32: \(unicode.path) is missing; swift.org has one, from 6.2 on")
        }
        let sdk = (try? FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "sdk").path)) ?? []
        let library = sdk.filter { $0.hasSuffix(".swift") }.sorted().map { "sdk/" + $0 }
        guard !library.isEmpty else {
            throw UsageError("\(folder.path)/sdk holds no .swift file: the SDK that 'contract new --language swift' writes")
        }
        let work = FileManager.default.temporaryDirectory.appending(path: "contract-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: work, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: work) }
        let object = work.appending(path: "contract.o").path
        try Self.run(
            compiler,
            [
                "-target", "wasm32-unknown-none-wasm", "-swift-version", "6", "-parse-as-library",
                "-enable-experimental-feature", "Embedded", "-enable-experimental-feature", "Extern", "-wmo", "-Osize",
                "-Xfrontend", "-disable-stack-protector", "-Xfrontend", "-disable-incremental-llvm-codegen",
                "-file-prefix-map", "\(folder.path)=.", "-module-name", "ContractProject",
            ] + (isQuiet ? ["-suppress-warnings"] : []) + ["-c"] + library + sources + ["-o", object], in: folder)
        try Self.run(
            linker,
            [
                "--no-entry", "--gc-sections", "--strip-all", "--stack-first", "-z", "stack-size=\(Self.stackSize)",
                "--compress-relocations", "--wrap=free", object, unicode.path, "-o", output,
            ], in: folder)
    }

    private static func run(_ program: URL, _ arguments: [String], in folder: URL) throws {
        let process = Process()
        process.executableURL = program
        process.currentDirectoryURL = folder
        process.arguments = arguments
        // Standard output is the command's own.
        process.standardOutput = FileHandle.standardError
        do { try process.run() } catch { throw UsageError("\(program.path) can't be run: \(Reason.text(error))") }
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Refused("compiler", "the source does not compile: see above") }
    }

    /// In the PATH, or beside the Swift compiler that is.
    private static func tool(_ name: String) throws -> URL {
        var folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { URL(filePath: String($0)) }
        if let compiler = folders.map({ $0.appending(path: "swiftc") }).first(where: { isProgram($0) }) {
            folders.append(compiler.resolvingSymlinksInPath().deletingLastPathComponent())
        }
        guard let found = folders.map({ $0.appending(path: name) }).first(where: { isProgram($0) }) else {
            throw UsageError("\(name) is needed, and in no folder of PATH: it comes with the Swift toolchain (swift.org)")
        }
        return found
    }

    private static func isProgram(_ url: URL) -> Bool { FileManager.default.isExecutableFile(atPath: url.path) }
}
