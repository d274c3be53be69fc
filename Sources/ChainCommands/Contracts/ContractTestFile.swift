import CommandSupport
import Encoding
import ModelFiles
import Primitives
import Yams

/// The tests of a contract as its author writes them (`Docs/contracts.md`, testing a contract): accounts, and for each
/// test the steps of its chain with what is expected of them.
package struct ContractTestFile {
    struct Test {
        let name: String
        let line: Int
        let steps: [Step]
    }

    struct Step {
        enum Action {
            case call(action: UInt16, from: String, post: [UInt8], data: ContractTestValue, value: UInt128, gas: UInt64?)
            case query(ContractTestValue)
            case wait(milliseconds: UInt64)
            /// Nothing but a look at what there is.
            case look
        }

        let line: Int
        let action: Action
        var expected = Expectation()
    }

    struct Expectation {
        struct Event {
            let topic: ContractTestValue
            let data: ContractTestValue
        }
        struct Stored {
            let line: Int
            let key: ContractTestValue
            /// Nil where nothing is to be stored.
            let value: ContractTestValue?
        }

        var reply: ContractTestValue?
        /// The contract's own words; between slashes a part of them.
        var error: String?
        var events: [Event]?
        var mostGas: UInt64?
        /// Scheduled calls that ran.
        var calls: Int?
        var stored: [Stored] = []
        var balances: [(account: String, units: UInt128)] = []
    }

    /// In smallest units, by name.
    let accounts: [(name: String, balance: UInt128)]
    let initData: ContractTestValue
    /// What the owner sends along when it registers the service.
    let deposit: UInt128
    let validator: String?
    /// Other services that the contract calls: name and module, seen from the file's folder.
    let services: [(name: String, path: String)]
    let tests: [Test]

    static let owner = "owner"
    static let contract = "contract"
    /// Of an account that says nothing else: enough for many calls.
    static let usualBalance: UInt128 = 1_000_000_000_000
    /// Enough for what a contract stores and schedules in a test.
    static let usualDeposit: UInt128 = 1_000_000_000

    package init(yaml: String, path: String) throws {
        let root: Node?
        do { root = try Yams.compose(yaml: yaml) } catch {
            throw UsageError("\(path) is not YAML: \(YAMLText.reason(error))")
        }
        guard let root else { throw UsageError("\(path) is empty: it needs 'tests'") }
        let reader = Reader(path: path)
        var fields = try reader.fields(root, "the file", ["accounts", "init", "services", "tests"])
        accounts = try reader.accounts(fields.take("accounts"))
        var registration = try fields.take("init").map { try reader.fields($0, "init", ["data", "deposit", "validator"]) }
        initData = try registration?.take("data").map { try reader.value($0) } ?? .bytes([])
        deposit = try registration?.take("deposit").map { try reader.amount($0) } ?? Self.usualDeposit
        validator = try registration?.take("validator").map { try reader.text($0) }
        services = try reader.pairs(fields.take("services"), "services").map { ($0.0, try reader.text($0.1)) }
        guard let listed = fields.take("tests") else { throw UsageError("\(path): 'tests' is missing") }
        tests = try reader.pairs(listed, "tests").map { name, node in
            guard let steps = node.sequence, !steps.isEmpty else {
                throw reader.mistake(node, "the test '\(name)' needs a list of steps")
            }
            return Test(name: name, line: node.mark?.line ?? 0, steps: try steps.map { try reader.step($0) })
        }
        guard !tests.isEmpty else { throw reader.mistake(listed, "there is no test") }
        let known = Set(accounts.map(\.name) + [Self.owner])
        for test in tests {
            for step in test.steps {
                if case .call(_, let from, _, _, _, _) = step.action, !known.contains(from) {
                    throw UsageError("\(path):\(step.line): there is no account '\(from)'; name it under 'accounts'")
                }
            }
        }
    }
}

/// Fields of a mapping, each to be taken once.
private struct Fields {
    fileprivate var open: [String: Node]
    mutating func take(_ name: String) -> Node? { open.removeValue(forKey: name) }
}

/// Reads nodes, and says where a mistake is.
private struct Reader {
    let path: String

    func mistake(_ node: Node, _ message: String) -> UsageError { mistake(line: node.mark?.line, message) }

    func mistake(line: Int?, _ message: String) -> UsageError {
        UsageError("\(path)\(line.map { ":\($0)" } ?? ""): \(message)")
    }

    func fields(_ node: Node, _ what: String, _ names: [String]) throws -> Fields {
        var open: [String: Node] = [:]
        for (name, value) in try pairs(node, what) {
            guard names.contains(name) else {
                throw mistake(value, "\(what) knows no '\(name)'\(Spelling.hint(for: name, among: names)); it knows \(names.joined(separator: ", "))")
            }
            open[name] = value
        }
        return Fields(open: open)
    }

    /// In the order in which they stand.
    func pairs(_ node: Node?, _ what: String) throws -> [(String, Node)] {
        guard let node else { return [] }
        guard let mapping = node.mapping else { throw mistake(node, "\(what) is a mapping: 'name: value' lines") }
        return try mapping.map { key, value in
            guard let name = key.scalar?.string else { throw mistake(key, "a name in \(what) is no text") }
            return (name, value)
        }
    }

    func text(_ node: Node) throws -> String {
        guard let text = node.scalar?.string else { throw mistake(node, "this is to be one text") }
        return text
    }

    func amount(_ node: Node) throws -> UInt128 {
        let text = try text(node)
        guard let amount = UInt128(text.filter { $0 != "," && $0 != "_" }) else {
            throw mistake(node, "'\(text)' is no number of smallest units")
        }
        return amount
    }

    func number<Number: FixedWidthInteger>(_ node: Node, as type: Number.Type = Number.self) throws -> Number {
        let text = try text(node)
        guard let number = Number(text.filter { $0 != "," && $0 != "_" }) else {
            throw mistake(node, "'\(text)' is no number from \(Number.min) to \(Number.max)")
        }
        return number
    }

    func accounts(_ node: Node?) throws -> [(name: String, balance: UInt128)] {
        let all: [(name: String, balance: UInt128)]
        if let names = node?.sequence {
            all = try names.map { (try text($0), ContractTestFile.usualBalance) }
        } else {
            all = try pairs(node, "accounts").map { ($0.0, try amount($0.1)) }
        }
        var seen: Set<String> = [ContractTestFile.contract]
        for (name, _) in all where !seen.insert(name).inserted {
            throw UsageError("\(path): the account '\(name)' stands twice, or is the contract's own name")
        }
        return all
    }

    func duration(_ node: Node) throws -> UInt64 {
        let text = try text(node)
        let units: [(String, UInt64)] = [("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)]
        for (unit, factor) in units where text.hasSuffix(unit) {
            guard let number = UInt64(text.dropLast(unit.count).trimmingSuffix(" ")) else { continue }
            let (milliseconds, overflow) = number.multipliedReportingOverflow(by: factor)
            if !overflow { return milliseconds }
        }
        throw mistake(node, "'\(text)' is no time: say for example 500ms, 10s, 5min, 2h or 1d")
    }

    func value(_ node: Node) throws -> ContractTestValue {
        do { return try ContractTestValue(node) } catch let error as ContractTestValue.Mistake {
            throw mistake(line: error.line, error.message)
        }
    }

    func step(_ node: Node) throws -> ContractTestFile.Step {
        let looks = ["state", "balance"]
        let results = ["reply", "error", "events", "gas"]
        let names = try pairs(node, "a step").map(\.0)
        let line = node.mark?.line ?? 0
        var step: ContractTestFile.Step
        var fields: Fields
        if names.contains("call") {
            fields = try self.fields(node, "a call", ["call", "from", "post", "data", "value", "limit"] + results + looks)
            guard let action = fields.take("call") else { throw mistake(node, "which action?") }
            guard let from = fields.take("from") else { throw mistake(node, "a call needs 'from': who sends it") }
            step = ContractTestFile.Step(
                line: line,
                action: .call(
                    action: try number(action), from: try text(from), post: try fields.take("post").map { Array(try text($0).utf8) } ?? [],
                    data: try fields.take("data").map { try value($0) } ?? .bytes([]),
                    value: try fields.take("value").map { try amount($0) } ?? 0, gas: try fields.take("limit").map { try number($0) }))
        } else if names.contains("query") {
            fields = try self.fields(node, "a query", ["query", "reply", "error", "gas"] + looks)
            step = ContractTestFile.Step(line: line, action: .query(try fields.take("query").map { try value($0) } ?? .bytes([])))
        } else if names.contains("wait") {
            fields = try self.fields(node, "a wait", ["wait", "calls", "events", "error"] + looks)
            guard let time = fields.take("wait") else { throw mistake(node, "how long?") }
            step = ContractTestFile.Step(line: line, action: .wait(milliseconds: try duration(time)))
        } else {
            fields = try self.fields(node, "a step (call, query or wait)", looks)
            step = ContractTestFile.Step(line: line, action: .look)
        }
        step.expected = try expectation(&fields)
        return step
    }

    private func expectation(_ fields: inout Fields) throws -> ContractTestFile.Expectation {
        var expected = ContractTestFile.Expectation()
        expected.reply = try fields.take("reply").map { try value($0) }
        expected.error = try fields.take("error").map { try text($0) }
        expected.mostGas = try fields.take("gas").map { try number($0) }
        expected.calls = try fields.take("calls").map { try number($0) }
        if let node = fields.take("events") {
            guard let list = node.sequence else { throw mistake(node, "events are a list: [{topic: data}, ...]") }
            expected.events = try list.map { event in
                guard let mapping = event.mapping, mapping.count == 1, let (topic, data) = mapping.first(where: { _ in true }) else {
                    throw mistake(event, "an event is {topic: data}")
                }
                return .init(topic: try value(topic), data: try value(data))
            }
        }
        if let node = fields.take("state") { expected.stored = try stored(node) }
        expected.balances = try pairs(fields.take("balance"), "balance").map { ($0.0, try amount($0.1)) }
        return expected
    }

    private func stored(_ node: Node) throws -> [ContractTestFile.Expectation.Stored] {
        func entry(_ key: ContractTestValue, _ node: Node) throws -> ContractTestFile.Expectation.Stored {
            let isNothing = node.scalar.map { $0.style == .plain && ["null", "~", ""].contains($0.string) } ?? false
            return .init(line: node.mark?.line ?? 0, key: key, value: isNothing ? nil : try value(node))
        }
        if let list = node.sequence {
            return try list.map { item in
                var fields = try self.fields(item, "an entry of the state", ["key", "is"])
                guard let key = fields.take("key"), let content = fields.take("is") else {
                    throw mistake(item, "an entry of the state is {key: ..., is: ...}")
                }
                return try entry(try value(key), content)
            }
        }
        return try pairs(node, "state").map { try entry(.bytes(Array($0.0.utf8)), $0.1) }
    }
}

extension Substring {
    fileprivate func trimmingSuffix(_ character: Character) -> Substring {
        var text = self
        while text.last == character { text.removeLast() }
        return text
    }
}
