import APIModel
import Cryptography
import Encoding
import JobProtocol
import ModelFiles
import Primitives
import Training
import Yams

/// The YAML file that `job register` reads: a job specification in people's terms, the service's name and deposit.
///
/// ```yaml
/// id: digits                # the service's name
/// title: LeNet-5 on digits
/// protocol: split           # or fog
/// workers: 2                # places for edges, or fog nodes ('edges' and 'fogNodes' mean the same)
/// devices: 12               # of all fog nodes, or edges, together
/// clouds: 1                 # one leads, the others stand by
/// quorum: 1                 # workers that suffice after a deadline; all of them if absent
/// mode: synchronous         # or asynchronous: a round closes at bufferedUpdates workers
/// bufferedUpdates: 1        # of an asynchronous job: from quorum to workers; the quorum if absent
/// rounds: 12
/// stepsPerRound: 20         # of a split job
/// openTimeout: 2min         # times take ms, s, min or h; at least 10 s
/// commitMin: 10s
/// commitMax: 60s
/// revealTimeout: 20s
/// validateTimeout: 30s
/// challengeTimeout: 30s     # to answer a complaint
/// epsilon: 0.05             # by how much the accuracy may fall in a round
/// inputAudit: none          # or owner, committee
/// validator: edge1...       # or the name of a local key
/// committee: a, b, c        # accounts or keys that score in place of the validator; an odd number. '3 masternodes' are drawn
/// standBy: d                # who takes over from one that is silent
/// workerPrice: 10           # for each accepted round; also cloudPrice, validatorPrice
/// bond: 0
/// sponsoredCredits: 0       # what the job pays for each worker in a credit window, an hour
/// deposit: 20,000,000,000
/// ```
///
/// What of it only workers must understand is in ``JobPlanFields``.
package struct JobSpecFile: Sendable {
    package let service: ServiceId
    package let spec: JobSpec
    package let plan: TrainingPlan
    /// The service record's.
    package let validator: Account
    package let deposit: UInt128
    /// What the job pays for its workers: each one's part, three times as much for all of those that it wants, and twice
    /// as many newcomers.
    package let sponsorship: Sponsorship

    /// - Parameters:
    ///   - id: takes the place of the file's `id`.
    ///   - account: what a validator's text means.
    package init(yaml: String, id: String? = nil, account: (String) throws -> Account) throws {
        let node: Node?
        do { node = try Yams.compose(yaml: yaml) } catch {
            throw UsageError("the specification is not YAML: \(YAMLText.reason(error))")
        }
        guard let node, case .mapping(let mapping) = node else {
            throw UsageError("the specification is not a list of 'field: value' lines")
        }
        let fields = JobFields(mapping: mapping)
        try fields.checkNames()

        let name = try id ?? fields.text("id")
        service = try Arguments.service(name)
        guard service != .chain, !service.bytes.isEmpty else {
            throw UsageError("a job cannot have the name '\(name)'")
        }
        deposit = try fields.optional("deposit").map { try Arguments.amount($0, "deposit") } ?? 0
        let kind: JobSpec.TrainingProtocol = try fields.choice(
            "protocol", ["split": .split, "fog": .fog], standard: .split)
        let plan = try JobPlanFields.plan(fields, name: name, protocol: kind)
        self.plan = plan
        validator = try account(try fields.text("validator"))
        let workers: UInt16 = try fields.number(oneOf: ["workers", "edges", "fogNodes"])
        func accounts(_ field: String) throws -> [Account] {
            try (try fields.optional(field) ?? "").split(separator: ",").map {
                try account($0.trimmingCharacters(in: .whitespaces))
            }
        }
        func amount(_ field: String) throws -> UInt128 {
            try fields.optional(field).map { try Arguments.amount($0, field) } ?? 0
        }
        let drawn = try Self.drawnMasternodes(fields)
        let (members, standBy) = (drawn == nil ? try accounts("committee") : [], try accounts("standBy"))
        if members.count > 1, members.contains(validator) {
            throw UsageError(
                "\(fields.place("committee"))committee: the validator is in it, where others could outvote it: name it alone, "
                    + "or draw the committee ('3 masternodes')")
        }
        let quorum: UInt16 = try fields.number("quorum", standard: workers)
        let mode: JobSpec.Mode = try fields.choice(
            "mode", ["synchronous": .synchronous, "asynchronous": .asynchronous], standard: .synchronous)
        let spec = JobSpec(
            title: try fields.optional("title") ?? name, trainingProtocol: kind, mode: mode,
            bufferedUpdates: try fields.number("bufferedUpdates", standard: mode == .asynchronous ? quorum : 0),
            clouds: try fields.number("clouds", standard: 1), workers: workers,
            devices: try fields.number("devices", standard: 0), quorum: quorum,
            rounds: try fields.number("rounds"),
            stepsPerRound: try fields.number("stepsPerRound", standard: kind == .fog ? 1 : nil),
            openTimeoutMs: try fields.time("openTimeout"),
            confirmTimeoutMs: try fields.time("confirmTimeout", standard: 60_000),
            commitMinMs: try fields.time("commitMin"), commitMaxMs: try fields.time("commitMax"),
            revealTimeoutMs: try fields.time("revealTimeout"), validateTimeoutMs: try fields.time("validateTimeout"),
            challengeTimeoutMs: try fields.time("challengeTimeout", standard: 30_000),
            pauseLimitMs: try fields.time("pauseLimit", standard: 86_400_000),
            epsilonMicro: try fields.micro("epsilon", standard: 0),
            committee: drawn.map { .masternodes($0) }
                ?? (members.isEmpty
                    ? .validator(standingBy: standBy)
                    : .named(members + standBy, size: UInt8(clamping: members.count))),
            bond: try amount("bond"),
            inputAudit: try fields.choice(
                "inputAudit", ["none": .none, "owner": .owner, "committee": .committee], standard: .none),
            cloudPrice: try amount("cloudPrice"), workerPrice: try amount("workerPrice"),
            validatorPrice: try amount("validatorPrice"),
            sponsoredCredits: try fields.number("sponsoredCredits", standard: 0),
            initialCheckpoint: try fields.optional("weights").map { try JobPlanFields.start(plan, kind, from: $0) }
                ?? .zero,
            plan: plan.borsh)
        if let problem = spec.problem ?? plan.problem
            ?? plan.problem(
                workers: Int(spec.workers), quorum: Int(spec.quorum), isAsynchronous: mode == .asynchronous)
        {
            throw UsageError("the specification cannot run: \(problem)")
        }
        if kind == .split, let problem = plan.splitProblem(devices: Int(spec.devices)) {
            throw UsageError("the specification cannot run: \(problem)")
        }
        self.spec = spec
        let each = spec.sponsoredCredits
        let places = UInt64(spec.workers) + UInt64(spec.devices) + 2
        let (all, overflow) = each.multipliedReportingOverflow(by: 3 * places)
        sponsorship =
            each == 0
            ? .none
            : Sponsorship(
                creditsPerMember: each, creditsPerWindow: overflow ? .max : all, newcomers: UInt32(clamping: 2 * places)
            )
    }

    /// `committee: 3 masternodes`: how many are drawn; nil where it names accounts.
    private static func drawnMasternodes(_ fields: JobFields) throws -> UInt8? {
        guard let text = try fields.optional("committee") else { return nil }
        let words = text.split(separator: " ")
        guard words.count == 2, words[1] == "masternodes" else { return nil }
        guard let size = UInt8(words[0]) else {
            throw UsageError("committee: \(text): write how many are drawn, as in '3 masternodes'")
        }
        guard try fields.optional("standBy") == nil else {
            throw UsageError("standBy: nobody stands by for masternodes that are drawn")
        }
        return size
    }
}

/// Reads fields one by one and says on which line something is wrong.
struct JobFields {
    private static let names: Set<String> = JobPlanFields.names.union([
        "id", "title", "protocol", "workers", "edges", "fogNodes", "devices", "clouds", "quorum", "rounds",
        "mode", "bufferedUpdates", "stepsPerRound", "openTimeout", "confirmTimeout", "commitMin", "commitMax",
        "revealTimeout", "validateTimeout", "challengeTimeout", "pauseLimit", "epsilon", "inputAudit", "validator",
        "committee", "standBy", "workerPrice",
        "cloudPrice", "validatorPrice", "bond", "sponsoredCredits", "deposit",
    ])

    let mapping: Node.Mapping

    /// A mistyped field must not silently become a default.
    func checkNames() throws {
        for (key, _) in mapping {
            let name = key.scalar?.string ?? "(not a name)"
            guard Self.names.contains(name) else {
                throw UsageError(
                    "\(line(key))there is no field '\(name)'" + Spelling.hint(for: name, among: Self.names.sorted())
                        + ". There are: \(Self.names.sorted().joined(separator: ", "))")
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

    /// The same thing under one of several names.
    func number<Value: FixedWidthInteger & UnsignedInteger>(oneOf names: [String]) throws -> Value {
        let given = names.filter { name in mapping.contains { $0.key.scalar?.string == name } }
        guard given.count <= 1 else { throw UsageError("\(given.joined(separator: " and ")) mean the same: give one") }
        return try number(given.first ?? names[0])
    }

    func choice<Value>(_ name: String, _ choices: [String: Value], standard: Value) throws -> Value {
        guard let text = try optional(name) else { return standard }
        guard let value = choices[text] else {
            throw UsageError(
                "\(place(name))\(name) '\(text)' is not one of: \(choices.keys.sorted().joined(separator: ", "))")
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
            throw UsageError(
                "\(place(name))\(name) '\(text)' is not a decimal number with at most 6 places, as in 0.05")
        }
        return value
    }

    func time(_ name: String, standard: UInt64? = nil) throws -> UInt64 {
        if let standard, try optional(name) == nil { return standard }
        let text = try text(name)
        guard let value = Decimals.milliseconds(text) else {
            throw UsageError(
                "\(place(name))\(name) '\(text)' is not a time with its unit, as in 500ms, 30s, 2min or 1h")
        }
        // The contract's rule, which has no room to say which time it is about.
        guard (JobSpec.shortestTimeoutMs...JobSpec.longestTimeoutMs).contains(value) else {
            throw UsageError("\(place(name))\(name) '\(text)' is not 10s to 30 days")
        }
        return value
    }

    /// "line 7: ", or nothing for a field that is not there.
    func place(_ name: String) -> String {
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

    /// "0.00001" as 10,000,000: trillionths of what is above 0 and below 1. Nil for anything else.
    package static func pico(_ text: String) -> UInt64? {
        guard text.hasPrefix("0."), (1...12).contains(text.utf8.count - 2), isDigits(text.dropFirst(2)) else {
            return nil
        }
        let digits = text.dropFirst(2)
        guard let value = UInt64(digits + String(repeating: "0", count: 12 - digits.utf8.count)), value > 0 else {
            return nil
        }
        return value
    }

    /// "500ms", "30s", "2min" or "1h". A number alone is none: 60 meant seconds to some and milliseconds to others.
    package static func milliseconds(_ text: String) -> UInt64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = UInt64(digits) else { return nil }
        let factor: UInt64
        switch text.dropFirst(digits.count).drop(while: { $0 == " " }) {
        case "ms": factor = 1
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
