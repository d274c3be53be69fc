import ArgumentParser
import CommandSupport
import Foundation

/// A contract's own tests, in the VM, on a simulated chain on this machine.
struct TestContractCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Run a contract's own tests, on a chain that is nothing but this machine.",
        discussion: """
            Builds the contract and runs the tests of DIR/*.test.yaml: each on a fresh chain on which the contract has just \
            been registered, by the code that real chains run, with blocks and time as the test says. No network, no node. \
            Docs/contracts.md says what can stand in the file. Ends with 1 if a test fails.

            Example:
              chain-cli contract new hello && chain-cli contract test hello
            """)

    @Argument(help: "The contract's folder.") var dir: String
    @Option(help: ArgumentHelp("Test this module instead of building one.", valueName: "file")) var module: String?
    @Option(help: ArgumentHelp("Only tests whose name has this text in it.", valueName: "text")) var filter: String?
    @Flag(help: "One JSON document instead of text.") var json = false

    struct Document: Encodable {
        struct Test: Encodable {
            let name: String
            let file: String
            let passed: Bool
            /// Absent for a test that passed.
            let line: Int?
            let message: String?
            let gasUsed: String
        }
        var passed = 0
        var failed = 0
        var tests: [Test] = []
    }

    func run() async throws {
        let folder = URL(filePath: dir, directoryHint: .isDirectory).standardizedFileURL
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else {
            throw UsageError("\(dir) is no folder that can be read")
        }
        let files = names.filter { $0.hasSuffix(".test.yaml") }.sorted()
        guard !files.isEmpty else {
            throw UsageError("\(dir) holds no file that ends with .test.yaml; 'contract new' makes one to begin with")
        }
        let parsed = try files.map { name in
            let path = dir.hasSuffix("/") ? dir + name : dir + "/" + name
            let text = String(decoding: try Arguments.file(path, limit: 1_000_000), as: UTF8.self)
            return (path, try ContractTestFile(yaml: text, path: path))
        }
        let code = try module.map { try Contracts.read($0) } ?? ContractBuild(folder: folder).run(isQuiet: true).code

        var document = Document()
        for (path, file) in parsed {
            let others = try file.services.map { service in
                (name: service.name, code: try Contracts.read(folder.appending(path: service.path).path))
            }
            for report in ContractTestRun(file: file, code: code, others: others).run(only: filter) {
                document.tests.append(
                    .init(
                        name: report.name, file: path, passed: report.failure == nil, line: report.failure?.line,
                        message: report.failure?.message, gasUsed: String(report.gasUsed)))
                if report.failure == nil { document.passed += 1 } else { document.failed += 1 }
                if !json { Console.out(Self.text(report, path)) }
            }
        }
        guard document.passed + document.failed > 0 else {
            throw UsageError("no test has '\(filter ?? "")' in its name")
        }
        if json {
            Console.json(document)
        } else {
            Console.out("\(document.passed) passed, \(document.failed) failed")
        }
        if document.failed > 0 { throw ExitCode(1) }
    }

    private static func text(_ report: ContractTestRun.Report, _ path: String) -> String {
        guard let failure = report.failure else { return "passed  \(report.name) (\(Format.number(report.gasUsed)) gas)" }
        let message = failure.message.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\n        ")
        return "FAILED  \(report.name)\n        \(path):\(failure.line): \(message)"
    }
}
