import ArgumentParser
import Foundation
import ProgramSupport
import WebAssembly

/// The chain's WebAssembly engine on its own, without a chain.
struct WasmCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wasm",
        abstract: "Run WebAssembly in the engine that runs contracts.",
        subcommands: [RunWasmCommand.self, SpectestCommand.self])
}

struct RunWasmCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Call an exported function of a module.",
        discussion: """
            The module is checked and metered as a contract's is. It gets no imports: one that needs the chain is run by \
            the chain.

            Example:
              chain-cli wasm run fib.wasm fib 30 --gas 100000000
            """)

    @Argument(help: "The module.") var file: String
    @Argument(help: "The exported function.") var function: String
    @Argument(parsing: .captureForPassthrough, help: "Its arguments, as decimal numbers; --gas N and --json after them.")
    var rest: [String] = []

    mutating func run() async throws {
        var arguments: [String] = []
        var gas: UInt64 = 1_000_000_000
        var asJSON = false
        var left = rest[...]
        while let next = left.popFirst() {
            switch next {
            case "--json": asJSON = true
            case "--gas":
                guard let text = left.popFirst(), let number = UInt64(text), number > 0 else {
                    throw UsageError("--gas needs a positive number")
                }
                gas = number
            default: arguments.append(next)
            }
        }
        let bytes = try Arguments.file(file, limit: Limits.contract.moduleBytes)
        let module: Module
        do { module = try Module(parsing: bytes) } catch { throw Refused("module", "\(file): \(error)") }
        guard let type = module.functionType(ofExport: function) else {
            let functions = module.exports.filter { if case .function = $0.item { true } else { false } }.map(\.name)
            throw UsageError(
                "\(file) exports no function '\(function)'; it exports "
                    + (functions.isEmpty ? "none" : functions.joined(separator: ", ")))
        }
        guard arguments.count == type.parameters.count else {
            throw UsageError("\(function) is \(type): \(type.parameters.count) arguments, \(arguments.count) are given")
        }
        let values = try zip(arguments, type.parameters).map { try Self.value($0, $1) }
        let host = NoHost()
        let instance: Instance
        do {
            instance = try Instance(module: module, host: host, hostImports: [], gasLimit: gas)
        } catch { throw Refused("module", "\(file): \(error)") }
        do {
            let results = try instance.invoke(function, values)
            let document = WasmRunDocument(
                results: results.map { WasmValueDocument(type: "\($0.type)", value: Self.text($0)) },
                gasUsed: String(instance.gasUsed))
            if asJSON {
                Console.json(document)
            } else {
                for result in document.results { Console.out("\(result.type) \(result.value)") }
                Console.error("gas used: \(instance.gasUsed) of \(gas)")
            }
        } catch {
            throw Refused("trap", "\(function) trapped: \(error), after \(instance.gasUsed) of \(gas) gas")
        }
    }

    private static func value(_ text: String, _ type: ValueType) throws -> Value {
        let value: Value? =
            switch type {
            case .i32: (UInt32(text) ?? Int32(text).map { UInt32(bitPattern: $0) }).map { .i32($0) }
            case .i64: (UInt64(text) ?? Int64(text).map { UInt64(bitPattern: $0) }).map { .i64($0) }
            case .f32: Float(text).map { .f32(bits: $0.bitPattern) }
            case .f64: Double(text).map { .f64(bits: $0.bitPattern) }
            }
        guard let value else { throw UsageError("'\(text)' is no \(type)") }
        return value
    }

    private static func text(_ value: Value) -> String {
        switch value {
        case .i32(let bits): String(Int32(bitPattern: bits))
        case .i64(let bits): String(Int64(bitPattern: bits))
        case .f32(let bits): String(Float(bitPattern: bits))
        case .f64(let bits): String(Double(bitPattern: bits))
        }
    }
}

private struct WasmRunDocument: Encodable {
    var results: [WasmValueDocument]
    var gasUsed: String
}

private struct WasmValueDocument: Encodable {
    var type: String
    var value: String
}

/// A host that offers nothing.
private final class NoHost: HostFunctions {
    func call(_ function: Int, _ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64? { nil }
}

struct SpectestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "spectest",
        abstract: "Run the official WebAssembly test suite.",
        discussion: """
            DIR holds what wast2json (WebAssembly Binary Toolkit) makes of the suite's .wast files: NAME.json and its \
            modules. scripts/spectest fetches and converts the suite. What the engine refuses on purpose is skipped, by \
            reason. The exit code is 1 if anything failed.

            Example:
              wast2json i32.wast -o suite/i32.json && chain-cli wasm spectest suite
            """)

    @Argument(help: "A folder with the output of wast2json.") var dir: String
    @Flag(help: "One JSON document instead of text.") var json = false

    mutating func run() async throws {
        let folder = URL(filePath: FilePath.expanded(dir), directoryHint: .isDirectory)
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else {
            throw UsageError("\(dir) is no folder that can be read")
        }
        let documents = names.filter { $0.hasSuffix(".json") }.sorted()
        guard !documents.isEmpty else {
            throw UsageError("\(dir) holds no .json file; make them with wast2json, see --help")
        }
        var reports: [SpecificationSuite.Report] = []
        for name in documents {
            do {
                reports.append(try SpecificationSuite.run(folder.appending(path: name)))
            } catch { throw UsageError("\(name) is no output of wast2json: \(Reason.text(error))") }
        }
        let total = reports.reduce(into: SpecificationSuite.Report(file: "all")) { total, report in
            total.passed += report.passed
            total.failed += report.failed
            total.skipped.merge(report.skipped, uniquingKeysWith: +)
        }
        if json {
            Console.json(SpectestDocument(files: reports, total: total))
        } else {
            show(reports, total)
        }
        guard total.failed == 0 else { throw FailedSuite(count: total.failed) }
    }

    private func show(_ reports: [SpecificationSuite.Report], _ total: SpecificationSuite.Report) {
        for report in reports {
            for failure in report.failures { Console.out("\(report.file) \(failure)") }
        }
        let complete = reports.count { $0.failed == 0 && $0.skippedCount == 0 }
        Console.out("files    \(reports.count), \(complete) of them without a skip or failure")
        Console.out("passed   \(total.passed)")
        Console.out("failed   \(total.failed)")
        Console.out("skipped  \(total.skippedCount)")
        for (reason, count) in total.skipped.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            Console.out("  \(count)  \(reason)")
        }
    }
}

/// Commands of the suite failed; the report was printed.
struct FailedSuite: Error, CustomStringConvertible {
    var count: Int
    var description: String { "\(count) commands of the suite failed" }
}

private struct SpectestDocument: Encodable {
    var files: [SpecificationSuite.Report]
    var total: SpecificationSuite.Report
}
