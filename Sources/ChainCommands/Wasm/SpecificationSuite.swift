import Foundation
import ProgramSupport
import WebAssembly

/// Runs files of the official WebAssembly test suite, as `wast2json` of the WebAssembly Binary Toolkit writes them: a
/// JSON document of commands beside the modules that they use.
///
/// What the engine refuses on purpose (imports other than functions, start functions, reference types beyond the
/// MVP's, SIMD, ...) is skipped with that reason, and so is what depends on a module that was not taken. Nothing else
/// is: a command that is neither skipped nor passed has failed.
package struct SpecificationSuite {
    package struct Report: Encodable {
        package var file: String
        package var passed = 0
        package var failed = 0
        /// How many commands were skipped for each reason.
        package var skipped: [String: Int] = [:]
        package var failures: [String] = []

        package var skippedCount: Int { skipped.values.reduce(0, +) }
    }

    private struct Document: Decodable {
        var commands: [Command]
    }

    private struct Command: Decodable {
        var type: String
        var line: Int
        var name: String?
        var filename: String?
        var `as`: String?
        var action: Action?
        var expected: [Constant]?
        var text: String?
        var module_type: String?
    }

    private struct Action: Decodable {
        var type: String
        var module: String?
        var field: String
        var args: [Constant]?
    }

    private struct Constant: Decodable {
        var type: String
        var value: String?

        private enum Keys: CodingKey { case type, value }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Keys.self)
            type = try container.decode(String.self, forKey: .type)
            // Vectors have a list here; the engine takes none.
            value = try? container.decodeIfPresent(String.self, forKey: .value)
        }
    }

    /// Why a command was not carried out as the suite expects.
    private enum Verdict: Error {
        case skip(String)
        case fail(String)
    }

    /// A module under a name, or why there is none.
    private enum Slot {
        case instance(Instance)
        case absent(String)
    }

    private let folder: URL
    private var report: Report
    private var current = Slot.absent("no module yet")
    private var named: [String: Slot] = [:]
    private var registered: [String: Slot] = [:]
    private var instances: [Instance] = []
    /// Instances that a skipped module would have changed: what they do then is not what the suite expects.
    private var altered: Set<ObjectIdentifier> = []

    /// What a module of the suite may ask for: more than a contract, since its modules are about the specification.
    private static let limits: Limits = {
        var limits = Limits()
        limits.moduleBytes = 1 << 24
        limits.types = 1 << 16
        limits.parametersPerType = 1_000
        limits.resultsPerType = 1_000
        limits.blockValues = 1_000
        limits.functions = 1 << 16
        limits.exports = 1 << 16
        limits.nameBytes = 1 << 16
        limits.tableEntries = 1 << 16
        limits.branchTableTargets = 1 << 16
        limits.localsPerFunction = 1 << 15
        limits.memoryPages = 1 << 10
        limits.workPerByte = 1 << 12
        limits.valueStackSlots = 1 << 20
        limits.callDepth = 1 << 12
        return limits
    }()

    private init(_ folder: URL, _ file: String) {
        self.folder = folder
        report = Report(file: file)
    }

    /// Runs one document of `wast2json`.
    package static func run(_ document: URL) throws -> Report {
        let commands = try JSONDecoder().decode(Document.self, from: Data(contentsOf: document)).commands
        var suite = Self(document.deletingLastPathComponent(), document.lastPathComponent)
        for command in commands {
            do {
                if try suite.carryOut(command) { suite.report.passed += 1 }
            } catch Verdict.skip(let reason) {
                suite.report.skipped[reason, default: 0] += 1
            } catch Verdict.fail(let reason) {
                suite.report.failed += 1
                suite.report.failures.append("line \(command.line): \(command.type): \(reason)")
            } catch {
                suite.report.failed += 1
                suite.report.failures.append("line \(command.line): \(command.type): \(Reason.text(error))")
            }
        }
        return suite.report
    }

    /// Whether the command counts as passed; those that only prepare others don't count.
    private mutating func carryOut(_ command: Command) throws -> Bool {
        switch command.type {
        case "module":
            let slot = try load(command)
            current = slot
            if case .instance(let instance) = slot { instances.append(instance) }
            if let name = command.name { named[name] = slot }
            if case .absent(let reason) = slot {
                noteSkip(reason)
                throw Verdict.skip(reason)
            }
            return true
        case "register":
            registered[command.as ?? ""] = command.name.flatMap { named[$0] } ?? current
            return false
        case "action":
            _ = try perform(command.action)
            return true
        case "assert_return":
            let results = try perform(command.action)
            let expected = command.expected ?? []
            guard results.count == expected.count, zip(results, expected).allSatisfy(Self.matches) else {
                throw Verdict.fail("\(results) instead of \(expected.map { "\($0.type) \($0.value ?? "?")" })")
            }
            return true
        case "assert_trap", "assert_exhaustion":
            try expectTrap(command)
            return true
        case "assert_invalid", "assert_malformed":
            try expectRefusal(command)
            return true
        case "assert_unlinkable", "assert_uninstantiable":
            guard case .failure(let why) = try instantiate(command) else { throw Verdict.fail("it was instantiated") }
            if let reason = why.skip {
                noteSkip(reason)
                throw Verdict.skip(reason)
            }
            return true
        default: throw Verdict.skip("command \(command.type)")
        }
    }

    /// A skipped module might have changed a table, memory or global of any module that is there.
    private mutating func noteSkip(_ reason: String) {
        guard reason.hasPrefix("import of "), !registered.isEmpty else { return }
        for instance in instances { altered.insert(ObjectIdentifier(instance)) }
    }

    // MARK: Modules

    /// Why a module has no instance.
    private struct Refusal: Error {
        /// Why this says nothing about the engine's correctness; nil if the module is at fault.
        var skip: String?
        var description: String
    }

    private func bytes(_ command: Command) throws -> [UInt8] {
        guard let filename = command.filename else { throw Verdict.fail("no file is named") }
        if command.module_type == "text" || filename.hasSuffix(".wat") { throw Verdict.skip("text format") }
        return [UInt8](try Data(contentsOf: folder.appending(path: filename)))
    }

    private func instantiate(_ command: Command) throws -> Result<Instance, Refusal> {
        let module: Module
        do {
            module = try Module(parsing: try bytes(command), limits: Self.limits)
        } catch let error as ModuleError {
            return .failure(Refusal(skip: Self.skipReason(error), description: error.description))
        }
        let host = LinkedHost()
        for wanted in module.imports {
            if wanted.module == "spectest" {
                guard wanted.name.hasPrefix("print"), wanted.type.results.isEmpty else { continue }
                host.add(HostImport(module: wanted.module, name: wanted.name, type: wanted.type), nil)
            } else if case .instance(let other)? = registered[wanted.module],
                let type = other.module.functionType(ofExport: wanted.name)
            {
                guard type.results.count <= 1 else {
                    return .failure(Refusal(skip: "import of a function with several results", description: wanted.name))
                }
                host.add(HostImport(module: wanted.module, name: wanted.name, type: type), other)
            } else if case .absent(let reason)? = registered[wanted.module] {
                return .failure(Refusal(skip: reason, description: reason))
            }
        }
        do throws(InstantiationError) {
            return .success(
                try Instance(module: module, host: host, hostImports: host.imports, gasLimit: .max))
        } catch {
            return .failure(Refusal(skip: nil, description: error.description))
        }
    }

    private func load(_ command: Command) throws -> Slot {
        switch try instantiate(command) {
        case .success(let instance): return .instance(instance)
        case .failure(let refusal):
            guard let reason = refusal.skip else { throw Verdict.fail(refusal.description) }
            return .absent(reason)
        }
    }

    private static func skipReason(_ error: ModuleError) -> String? {
        switch error.kind {
        // The suite asks for a refusal of every version but 1, and gets it.
        case .unsupported where error.offset == 4: return nil
        case .unsupported:
            var reason = error.reason
            if let range = reason.range(of: " is a ") { reason = "import of " + reason[range.upperBound...] }
            // What differs from one module to the next does not make another reason.
            return reason.split(separator: "(").first.map { $0.trimmingCharacters(in: .whitespaces) } ?? reason
        case .limitExceeded: return "larger than the limits"
        case .malformed, .invalid: return nil
        }
    }

    private func expectRefusal(_ command: Command) throws {
        do {
            _ = try Module(parsing: try bytes(command), limits: Self.limits)
        } catch let error as ModuleError {
            if let reason = Self.skipReason(error) { throw Verdict.skip(reason) }
            return
        }
        throw Verdict.fail("the module was taken; expected: \(command.text ?? "")")
    }

    // MARK: Actions

    private func perform(_ action: Action?) throws -> [Value] {
        guard let action else { throw Verdict.fail("no action") }
        let slot = action.module.map { named[$0] ?? .absent("unknown module \($0)") } ?? current
        guard case .instance(let instance) = slot else {
            if case .absent(let reason) = slot { throw Verdict.skip(reason) }
            throw Verdict.fail("no module")
        }
        guard !altered.contains(ObjectIdentifier(instance)) else {
            throw Verdict.skip("shares state with a module that was skipped")
        }
        switch action.type {
        case "invoke":
            let arguments = try (action.args ?? []).map { constant -> Value in
                guard let value = Self.value(constant) else { throw Verdict.skip("argument of type \(constant.type)") }
                return value
            }
            do throws(Trap) { return try instance.invoke(action.field, arguments) } catch {
                throw Verdict.fail(error.description)
            }
        case "get":
            guard let value = instance.exportedGlobal(action.field) else {
                throw Verdict.fail("no global \(action.field)")
            }
            return [value]
        default: throw Verdict.skip("action \(action.type)")
        }
    }

    private func expectTrap(_ command: Command) throws {
        guard command.action != nil else { throw Verdict.fail("no action") }
        do {
            let results = try perform(command.action)
            throw Verdict.fail("\(results) instead of a trap: \(command.text ?? "")")
        } catch Verdict.fail(let reason) {
            let wanted = command.text ?? ""
            guard Self.texts(reason).contains(where: { wanted.hasPrefix($0) || $0.hasPrefix(wanted) }) else {
                throw Verdict.fail("\(reason); expected: \(wanted)")
            }
        }
    }

    /// The suite's words for a trap.
    private static func texts(_ trap: String) -> [String] {
        switch trap {
        case Trap.unreachable.description: ["unreachable"]
        case Trap.memoryOutOfBounds.description: ["out of bounds memory access"]
        case Trap.tableOutOfBounds.description: ["out of bounds table access"]
        case Trap.divideByZero.description: ["integer divide by zero"]
        case Trap.integerOverflow.description: ["integer overflow"]
        case Trap.invalidConversion.description: ["invalid conversion to integer"]
        case Trap.undefinedElement.description: ["undefined element", "out of bounds table access"]
        case Trap.uninitializedElement.description: ["uninitialized element"]
        case Trap.indirectCallTypeMismatch.description: ["indirect call type mismatch"]
        case Trap.callStackExhausted.description: ["call stack exhausted"]
        default: []
        }
    }

    // MARK: Values

    private static func value(_ constant: Constant) -> Value? {
        guard let text = constant.value else { return nil }
        switch constant.type {
        case "i32": return UInt32(text).map { .i32($0) }
        case "i64": return UInt64(text).map { .i64($0) }
        case "f32": return UInt32(text).map { .f32(bits: $0) }
        case "f64": return UInt64(text).map { .f64(bits: $0) }
        default: return nil
        }
    }

    /// Where any NaN will do, the engine's must be the canonical one: its promise is stricter than the specification.
    private static func matches(_ result: Value, _ expected: Constant) -> Bool {
        switch (result, expected.type, expected.value) {
        case (.f32(let bits), "f32", "nan:canonical"), (.f32(let bits), "f32", "nan:arithmetic"): bits == 0x7fc0_0000
        case (.f64(let bits), "f64", "nan:canonical"), (.f64(let bits), "f64", "nan:arithmetic"):
            bits == 0x7ff8_0000_0000_0000
        default: value(expected) == result
        }
    }
}

/// Answers imports with functions of other instances, or with nothing.
private final class LinkedHost: HostFunctions {
    private(set) var imports: [HostImport] = []
    private var targets: [Instance?] = []

    func add(_ offered: HostImport, _ target: Instance?) {
        imports.append(offered)
        targets.append(target)
    }

    func call(_ function: Int, _ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64? {
        guard let target = targets[function] else { return nil }
        var values: [Value] = []
        for index in 0..<arguments.count { values.append(try arguments.value(index)) }
        guard let result = try target.invoke(imports[function].name, values).first else { return nil }
        switch result {
        case .i32(let bits), .f32(bits: let bits): return UInt64(bits)
        case .i64(let bits), .f64(bits: let bits): return bits
        }
    }
}
