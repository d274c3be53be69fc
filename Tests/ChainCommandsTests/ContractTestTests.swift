import ChainCommands
import CommandSupport
import ContractTemplates
import Foundation
import Testing

/// `contract test`: the tests of the repository's own contracts, what a failing one says, and mistakes in the file.
@Suite(.timeLimit(.minutes(20))) struct ContractTestTests {
    private static let contracts = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Contracts")

    private func code(_ name: String) throws -> [UInt8] {
        let file = Self.contracts.appending(path: ".build/\(name).wasm")
        return Array(try #require(try? Data(contentsOf: file), "Contracts/build makes \(file.path)"))
    }

    private func run(_ yaml: String, _ name: String = "tally") throws -> [ContractTestRun.Report] {
        ContractTestRun(file: try ContractTestFile(yaml: yaml, path: "t.yaml"), code: try code(name)).run()
    }

    @Test(arguments: ["Tally", "Counter"]) func theExamplesPassTheirOwnTests(name: String) throws {
        let file = Self.contracts.appending(path: "\(name)/\(name.lowercased()).test.yaml")
        let reports = try run(String(contentsOf: file, encoding: .utf8), name.lowercased())
        #expect(reports.count >= 3)
        for report in reports { #expect(report.failure == nil, "\(report.name): \(report.failure?.message ?? "")") }
    }

    /// A test that fails says where, what was expected and what came.
    @Test(
        arguments: [
            (
                "- {call: 256, from: alice, data: red}\n    - {query: red, reply: {u64: 2}}", 5,
                "query: reply\n  expected  0x0200000000000000\n  it was    0x0100000000000000"
            ),
            ("- {call: 257, from: alice}", 4, "call 257 by alice failed: the only action is 256, vote"),
            ("- {call: 256, from: alice, data: red, error: no}", 4, "call 256 by alice did not fail; expected: no"),
            (
                "- {call: 256, from: alice, error: no}", 4,
                "call 256 by alice: error\n  expected  no\n  it was    a choice is missing"
            ),
            (
                "- {call: 256, from: alice, error: /no/}", 4,
                "call 256 by alice: error\n  expected  /no/\n  it was    a choice is missing"
            ),
            (
                "- {call: 256, from: alice, data: red, events: []}", 4,
                "call 256 by alice: events\n  expected  none\n  it was    {vote: red}"
            ),
            (
                "- {call: 256, from: alice, data: red, state: {n/red: null}}", 4,
                "call 256 by alice: state at n/red\n  expected  nothing\n  it was    0x0100000000000000"
            ),
            ("- {state: {n/red: x}}", 4, "look: state at n/red\n  expected  x\n  it was    nothing"),
            ("- {balance: {alice: 5}}", 4, "look: balance of alice\n  expected  5\n  it was    1000000000000"),
            ("- {wait: 5s, calls: 1}", 4, "wait of 5 s: 0 scheduled calls ran, expected 1"),
        ] as [(String, Int, String)])
    func whatAFailureSays(steps: String, line: Int, message: String) throws {
        let reports = try run("accounts: [alice]\ntests:\n  t:\n    \(steps)\n  fine:\n    - {query: red}\n")
        #expect(reports.map { $0.failure == nil } == [false, true])
        #expect(reports[0].failure?.message == message)
        #expect(reports[0].failure?.line == line)
    }

    @Test(arguments: [
        ("", "is empty"),
        ("accounts: [alice]", "'tests' is missing"),
        ("tests: {}", "there is no test"),
        ("tests:\n  t: []", "t.yaml:2: the test 't' needs a list of steps"),
        ("tests:\n  t:\n    - {call: 256}", "t.yaml:3: a call needs 'from'"),
        ("tests:\n  t:\n    - {call: 256, from: bob}", "t.yaml:3: there is no account 'bob'"),
        ("tests:\n  t:\n    - {call: 70000, from: owner}", "'70000' is no number from 0 to 65535"),
        ("tests:\n  t:\n    - {wait: 10}", "'10' is no time: say for example"),
        ("tests:\n  t:\n    - {query: 5}", "5 is a number: say {u64: 5}, or \"5\" for the text"),
        ("tests:\n  t:\n    - {query: {u8: 256}}", "'256' is no u8: a number from 0 to 255"),
        ("tests:\n  t:\n    - {query: {hex: abc}}", "no even number of hexadecimal digits"),
        ("tests:\n  t:\n    - {query: {u63: 1}}", "there is no form 'u63'"),
        ("tests:\n  t:\n    - {query: red, repyl: x}", "a query knows no 'repyl' (did you mean 'reply'?)"),
        ("accounts: [owner, owner]\ntests: {t: [{query: a}]}", "the account 'owner' stands twice"),
        ("accounts: {alice: ten}\ntests: {t: [{query: a}]}", "'ten' is no number of smallest units"),
        ("tests: [", "t.yaml"),
    ]) func mistakesInTheFile(yaml: String, message: String) throws {
        do {
            _ = try ContractTestFile(yaml: yaml, path: "t.yaml")
            Issue.record("it was taken")
        } catch let error as UsageError {
            #expect(error.description.contains(message), "\(error)")
        }
    }

    /// Whoever names an account that is nobody, or schedules without end, is told in the report.
    @Test func mistakesThatShowWhenItRuns() throws {
        let reports = try run("accounts: [a]\ntests:\n  t:\n    - {query: {account: b}}\n")
        #expect(reports[0].failure?.message == "there is no account 'b'")
        let poor = try run("accounts: {a: 10}\ntests:\n  t:\n    - {call: 256, from: a, data: red}\n")
        #expect(poor[0].failure != nil)
        let refused = try run("init: {data: [{u64: 1}, {u64: 2}]}\ntests:\n  t:\n    - {query: a}\n", "counter")
        #expect(refused[0].failure?.message.contains("the chain refuses to register") == true, "\(refused)")
    }

    @Test func aNewProjectIsTheExample() throws {
        let files = ContractTemplates.c("hello")
        #expect(files.map(\.path) == ["hello.c", "edgeproof.h", "hello.test.yaml"])
        let source = try String(contentsOf: Self.contracts.appending(path: "Tally/tally.c"), encoding: .utf8)
        #expect(files[0].text == source.replacingOccurrences(of: "../C/edgeproof.h", with: "edgeproof.h"))
        #expect(
            files[1].text == (try String(contentsOf: Self.contracts.appending(path: "C/edgeproof.h"), encoding: .utf8)))
        let sdk = try FileManager.default.contentsOfDirectory(atPath: Self.contracts.appending(path: "SDK").path)
        // Every file of the SDK, none forgotten.
        #expect(
            Set(ContractTemplates.swift("hello").map(\.path))
                == Set(["hello.swift", "hello.test.yaml"] + sdk.map { "sdk/\($0)" }))
    }
}
