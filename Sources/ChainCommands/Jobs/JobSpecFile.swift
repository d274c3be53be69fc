import APIModel
import Cryptography
import JobProtocol
import Primitives
import Yams

/// The YAML file that `job register` reads: a job specification in people's terms, the service's name and deposit.
///
/// ```yaml
/// id: digits                # the service's name
/// title: LeNet-5 on digits
/// protocol: split           # or fog
/// model: lenet5-s2
/// edges: 2                  # wanted edge workers
/// quorum: 1                 # edges that suffice after a deadline; all of them if absent
/// rounds: 12
/// stepsPerRound: 20
/// batchSize: 32             # for each edge and step
/// learningRate: 0.05
/// openTimeout: 2min         # times take ms, s, min or h; a bare number is milliseconds
/// commitMin: 10s
/// commitMax: 60s
/// revealTimeout: 20s
/// validateTimeout: 30s
/// epsilon: 0.05             # by how much the accuracy may fall in a round
/// seed: any text            # or 64 hexadecimal digits
/// inputAudit: none          # or owner, committee
/// validator: edge1...       # or the name of a local key
/// validationSamples: 1000
/// deposit: 1,000,000,000
/// ```
package struct JobSpecFile: Sendable {
    package let service: ServiceId
    package let spec: JobSpec
    package let plan: JobSplitPlan
    /// The service record's.
    package let validator: Account
    package let deposit: UInt128

    /// - Parameters:
    ///   - id: takes the place of the file's `id`.
    ///   - account: what a validator's text means.
    package init(yaml: String, id: String? = nil, account: (String) throws -> Account) throws {
        let node: Node?
        do { node = try Yams.compose(yaml: yaml) } catch {
            throw UsageError("the specification is not YAML: \(error)")
        }
        guard let node, case .mapping(let mapping) = node else {
            throw UsageError("the specification is not a list of 'field: value' lines")
        }
        let fields = Fields(mapping: mapping)
        try fields.checkNames()

        let name = try id ?? fields.text("id")
        service = try Arguments.service(name)
        guard service != .chain, !service.bytes.isEmpty else { throw UsageError("a job cannot have the name '\(name)'") }
        deposit = try fields.optional("deposit").map { try Arguments.amount($0, "deposit") } ?? 0
        let edges: UInt16 = try fields.number("edges")
        _ = try fields.choice("model", ["lenet5-s2": true], standard: true)
        plan = JobSplitPlan(
            batchSize: try fields.number("batchSize"), learningRateMicro: try fields.micro("learningRate"),
            seed: Self.seed(try fields.optional("seed") ?? name),
            validationSamples: try fields.number("validationSamples", standard: 1_000))
        validator = try account(try fields.text("validator"))
        let spec = JobSpec(
            title: try fields.optional("title") ?? name,
            trainingProtocol: try fields.choice("protocol", ["split": .split, "fog": .fog], standard: .split),
            clouds: try fields.number("clouds", standard: 1), workers: edges,
            quorum: try fields.number("quorum", standard: edges),
            rounds: try fields.number("rounds"), stepsPerRound: try fields.number("stepsPerRound"),
            openTimeoutMs: try fields.time("openTimeout"), commitMinMs: try fields.time("commitMin"),
            commitMaxMs: try fields.time("commitMax"), revealTimeoutMs: try fields.time("revealTimeout"),
            validateTimeoutMs: try fields.time("validateTimeout"),
            epsilonMicro: try fields.micro("epsilon", standard: 0),
            inputAudit: try fields.choice(
                "inputAudit", ["none": .none, "owner": .owner, "committee": .committee], standard: .none),
            plan: plan.borsh)
        if let problem = spec.problem ?? plan.problem { throw UsageError("the specification cannot run: \(problem)") }
        self.spec = spec
    }

    /// 64 hexadecimal digits are the seed itself; any other text is hashed.
    private static func seed(_ text: String) -> Digest {
        Digest(hex: text) ?? Digest(sha256: Array(text.utf8))
    }
}

/// Reads fields one by one and says on which line something is wrong.
private struct Fields {
    private static let names: Set<String> = [
        "id", "title", "protocol", "model", "edges", "clouds", "quorum", "rounds", "stepsPerRound", "batchSize",
        "learningRate", "openTimeout", "commitMin", "commitMax", "revealTimeout", "validateTimeout", "epsilon", "seed",
        "inputAudit", "validator", "validationSamples", "deposit",
    ]

    let mapping: Node.Mapping

    /// A mistyped field must not silently become a default.
    func checkNames() throws {
        for (key, _) in mapping {
            let name = key.scalar?.string ?? "(not a name)"
            guard Self.names.contains(name) else {
                throw UsageError("\(line(key))there is no field '\(name)'; there are: \(Self.names.sorted().joined(separator: ", "))")
            }
        }
    }

    func optional(_ name: String) throws -> String? {
        guard let node = mapping.first(where: { $0.key.scalar?.string == name })?.value else { return nil }
        guard let text = node.scalar?.string, !text.isEmpty else {
            throw UsageError("\(line(node))\(name) takes one value")
        }
        return text
    }

    func text(_ name: String) throws -> String {
        guard let text = try optional(name) else { throw UsageError("the field '\(name)' is missing") }
        return text
    }

    func number<Value: FixedWidthInteger & UnsignedInteger>(_ name: String, standard: Value? = nil) throws -> Value {
        guard let text = try optional(name) else {
            if let standard { return standard }
            throw UsageError("the field '\(name)' is missing")
        }
        guard let value = Value(text) else {
            throw UsageError("\(place(name))\(name) '\(text)' is not a whole number from 0 to \(Value.max)")
        }
        return value
    }

    func choice<Value>(_ name: String, _ choices: [String: Value], standard: Value) throws -> Value {
        guard let text = try optional(name) else { return standard }
        guard let value = choices[text] else {
            throw UsageError("\(place(name))\(name) '\(text)' is not one of: \(choices.keys.sorted().joined(separator: ", "))")
        }
        return value
    }

    /// A decimal fraction as millionths, exactly.
    func micro(_ name: String, standard: UInt32? = nil) throws -> UInt32 {
        guard let text = try optional(name) else {
            if let standard { return standard }
            throw UsageError("the field '\(name)' is missing")
        }
        guard let value = Decimals.micro(text) else {
            throw UsageError("\(place(name))\(name) '\(text)' is not a decimal number with at most 6 places, as in 0.05")
        }
        return value
    }

    func time(_ name: String) throws -> UInt64 {
        let text = try text(name)
        guard let value = Decimals.milliseconds(text) else {
            throw UsageError("\(place(name))\(name) '\(text)' is not a time, as in 500ms, 30s, 2min or 1h")
        }
        return value
    }

    private func place(_ name: String) -> String {
        mapping.first { $0.key.scalar?.string == name }.map { line($0.value) } ?? ""
    }

    private func line(_ node: Node) -> String { node.mark.map { "line \($0.line): " } ?? "" }
}

/// Decimal fractions and times without floating point.
package enum Decimals {
    /// "0.05" as 50,000. Nil for more than 6 places and for what does not fit.
    package static func micro(_ text: String) -> UInt32? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, !whole.isEmpty, let high = UInt32(whole), isDigits(whole) else { return nil }
        var low: UInt32 = 0
        if parts.count == 2 {
            let fraction = parts[1]
            guard (1...6).contains(fraction.count), isDigits(fraction),
                let value = UInt32(fraction + String(repeating: "0", count: 6 - fraction.count))
            else { return nil }
            low = value
        }
        let (scaled, overflow) = high.multipliedReportingOverflow(by: 1_000_000)
        let (sum, carry) = scaled.addingReportingOverflow(low)
        return overflow || carry ? nil : sum
    }

    /// "500ms", "30s", "2min", "1h", or milliseconds.
    package static func milliseconds(_ text: String) -> UInt64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = UInt64(digits) else { return nil }
        let factor: UInt64
        switch text.dropFirst(digits.count).drop(while: { $0 == " " }) {
        case "", "ms": factor = 1
        case "s": factor = 1_000
        case "min", "m": factor = 60_000
        case "h": factor = 3_600_000
        default: return nil
        }
        let (value, overflow) = count.multipliedReportingOverflow(by: factor)
        return overflow ? nil : value
    }

    private static func isDigits(_ text: Substring) -> Bool { text.utf8.allSatisfy { (0x30...0x39).contains($0) } }
}
