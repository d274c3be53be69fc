import ArgumentParser
import ChainCommands
import CommandSupport
import Foundation
import Testing

@Suite(.timeLimit(.minutes(20))) struct WasmTests {
    /// (module (func (export "f") (result i32) i32.const 7) (func (export "t") unreachable))
    private static let module: [UInt8] =
        [
            0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 8, 2, 0x60, 0, 1, 0x7f, 0x60, 0, 0, 3, 3, 2, 0, 1, 7, 9, 2, 1, 0x66, 0,
            0, 1,
        ]
        + [0x74, 0, 1, 10, 10, 2, 4, 0, 0x41, 7, 0x0b, 3, 0, 0x00, 0x0b]
    /// A function that leaves a value too many.
    private static let invalid: [UInt8] =
        [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 10, 6, 1, 4, 0, 0x41, 7, 0x0b]
    /// A module with a start function, which the engine refuses on purpose.
    private static let starting: [UInt8] =
        [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 8, 1, 0, 10, 4, 1, 2, 0, 0x0b]

    /// What a run over these commands of `wast2json` reports.
    private func run(_ commands: String) throws -> SpecificationSuite.Report {
        let folder = FileManager.default.temporaryDirectory.appending(path: "wasm-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, bytes) in [("good", Self.module), ("bad", Self.invalid), ("start", Self.starting)] {
            try Data(bytes).write(to: folder.appending(path: "\(name).wasm"))
        }
        let document = folder.appending(path: "suite.json")
        try Data(#"{"source_filename": "suite.wast", "commands": [\#(commands)]}"#.utf8).write(to: document)
        return try SpecificationSuite.run(document)
    }

    private static func invoke(_ field: String) -> String {
        #""action": {"type": "invoke", "field": "\#(field)", "args": []}"#
    }

    @Test func countsWhatPassesFailsAndIsSkipped() throws {
        let good = #"{"type": "module", "line": 1, "filename": "good.wasm"}"#
        let report = try run(
            [
                good,
                #"{"type": "assert_return", "line": 2, \#(Self.invoke("f")), "expected": [{"type": "i32", "value": "7"}]}"#,
                #"{"type": "assert_trap", "line": 3, \#(Self.invoke("t")), "text": "unreachable"}"#,
                #"{"type": "assert_invalid", "line": 4, "filename": "bad.wasm", "text": "type mismatch", "module_type": "binary"}"#,
                #"{"type": "assert_malformed", "line": 5, "filename": "x.wat", "text": "", "module_type": "text"}"#,
            ].joined(separator: ","))
        #expect(report.passed == 4)
        #expect(report.failed == 0, "\(report.failures)")
        #expect(report.skipped == ["text format": 1])
    }

    /// A wrong answer, a trap that doesn't come or is another one, a bad module that is taken: each is a failure.
    @Test func failuresAreFailures() throws {
        let report = try run(
            [
                #"{"type": "module", "line": 1, "filename": "good.wasm"}"#,
                #"{"type": "assert_return", "line": 2, \#(Self.invoke("f")), "expected": [{"type": "i32", "value": "8"}]}"#,
                #"{"type": "assert_trap", "line": 3, \#(Self.invoke("f")), "text": "unreachable"}"#,
                #"{"type": "assert_trap", "line": 4, \#(Self.invoke("t")), "text": "integer overflow"}"#,
                #"{"type": "assert_invalid", "line": 5, "filename": "good.wasm", "text": "", "module_type": "binary"}"#,
                #"{"type": "module", "line": 6, "filename": "bad.wasm"}"#,
            ].joined(separator: ","))
        #expect(report.passed == 1)
        #expect(report.failed == 5)
        #expect(report.failures.map { $0.prefix(7) } == ["line 2:", "line 3:", "line 4:", "line 5:", "line 6:"])
    }

    /// A file of another form is told in the product's words, not in the decoder's.
    @Test func whatIsNoSuiteIsSaid() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "wasm-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data("{}".utf8).write(to: folder.appending(path: "suite.json"))
        let parsed = try ChainCLI.parseAsRoot(["wasm", "spectest", folder.path])
        var command = try #require(parsed as? any AsyncParsableCommand)
        do {
            try await command.run()
            Issue.record("it was taken")
        } catch let error as UsageError {
            #expect(
                error.description == "suite.json is no output of wast2json: it has another form than it must have")
        }
    }

    @Test func whatIsRefusedOnPurposeIsSkipped() throws {
        let report = try run(
            [
                #"{"type": "module", "line": 1, "filename": "start.wasm"}"#,
                #"{"type": "assert_return", "line": 2, \#(Self.invoke("f")), "expected": []}"#,
            ].joined(separator: ","))
        #expect(report.passed == 0 && report.failed == 0)
        #expect(report.skippedCount == 2)
        #expect(report.skipped.keys.allSatisfy { $0.contains("start function") })
    }
}
