import APIModel
import ArgumentParser
import Audit
import ChainClient
import Cryptography
import Foundation
import Primitives

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Fetch and check an account's complete, proven history.",
        discussion: """
            Examples:
              chain-cli audit alice --output alice.audit
              chain-cli audit verify alice.audit --genesis genesis.json
            """,
        subcommands: [Fetch.self, Verify.self], defaultSubcommand: Fetch.self)

    struct Fetch: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Fetch an account's audit file from a node and check it.",
            discussion: """
                It is checked against the genesis that the node names. For a check that trusts no node, keep the file \
                and run 'audit verify' with a genesis from elsewhere.

                Example: chain-cli audit alice --output alice.audit
                """)

        @Argument(help: "edge1... or the name of a local key.") var account: String
        @Option(name: .shortAndLong, help: ArgumentHelp("File to write.", valueName: "file")) var output: String?
        @OptionGroup var global: GlobalOptions

        func run() async throws {
            let account = try global.account(account)
            let client = try global.client()
            let bytes = try await Audits.fetch(account, client)
            // Kept even if the check fails: it is the evidence.
            if let output { try Arguments.write(bytes, to: output) }
            let report = try AuditFile.verify(bytes, genesis: try await client.genesis())
            guard report.account == account else {
                throw Refused("audit", "the node sent the audit file of \(report.account) instead of \(account)")
            }
            global.show(
                AuditDocument(report, file: output),
                AuditDocument.text(report)
                    + (output.map { "\n\nwritten to \($0) (\(Format.number(bytes.count)) bytes)" } ?? ""))
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check an audit file from the genesis alone, without any node.",
            discussion: """
                Shows that the history is complete, that nothing in it was changed, and that the masternodes of the \
                genesis finalised it. --checkpoint adds that it belongs to the history that has this block.

                Example: chain-cli audit verify alice.audit --genesis genesis.json --checkpoint 120:9f3a...
                """)

        @Argument(help: "The audit file.") var file: String
        @Option(help: ArgumentHelp("genesis.json of the chain.", valueName: "file")) var genesis: String
        @Option(
            help: ArgumentHelp("Height and digest of a block that is known to be final.", valueName: "height:digest"))
        var checkpoint: String?
        @OptionGroup var global: GlobalOptions

        func validate() throws { try global.refuseNodes() }

        func run() async throws {
            let bytes = try Arguments.file(file, limit: 1_073_741_824)
            let json = try Arguments.file(genesis, limit: 64 * 1_024 * 1_024)
            let chain: Genesis
            do { chain = try GenesisDocument.decode(Data(json)) } catch { throw UsageError("\(genesis): \(error)") }
            let report = try AuditFile.verify(bytes, genesis: chain, checkpoint: try checkpoint.map(Audits.checkpoint))
            global.show(
                AuditDocument(report, file: file), AuditDocument.text(report) + "\n\nverified from the genesis alone")
        }
    }
}

enum Audits {
    static func fetch(_ account: Account, _ client: ChainClient) async throws -> [UInt8] {
        let bytes = try await Progress.during("fetching the audit file") { try await client.auditFile(of: account) }
        guard let bytes else {
            throw Refused("unknown_account", "nothing on this chain has touched the account \(account)")
        }
        return bytes
    }

    static func checkpoint(_ text: String) throws -> (Height, Digest) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let height = UInt64(parts[0]), let digest = Digest(hex: String(parts[1])) else {
            throw UsageError("--checkpoint '\(text)' is not HEIGHT:DIGEST, as in 120:9f3a...")
        }
        return (Height(height), digest)
    }
}

/// What a verified audit file proves, in JSON and as text.
struct AuditDocument: Encodable {
    struct Count: Encodable {
        let action: UInt16
        let name: String
        @DecimalText var count: UInt64
    }

    struct FindingCount: Encodable {
        let role: String
        let kind: String
        @DecimalText var count: UInt64
        @DecimalText var effective: UInt64
    }

    struct Role: Encodable {
        let role: String
        @DecimalText var positive: UInt64
        @DecimalText var negative: UInt64
        @DecimalText var score: UInt64
    }

    let verified = true
    let file: String?
    let chain: String
    @HexText var genesisHash: Digest
    @AddressText var account: Account
    @DecimalText var height: UInt64
    @DecimalText var time: UInt64
    @HexText var block: Digest
    @HexText var stateRoot: Digest
    let signers: Int
    let masternodes: Int
    let exists: Bool
    @DecimalText var balance: UInt128
    @DecimalText var sequence: UInt64
    @DecimalText var entries: UInt64
    @HexText var historyRoot: Digest
    @DecimalText var succeeded: UInt64
    @DecimalText var recorded: UInt64
    @DecimalText var failed: UInt64
    let actions: [Count]
    let findings: [FindingCount]
    let reputation: [Role]

    init(_ report: AuditReport, file: String?) {
        self.file = file
        chain = report.chainName
        genesisHash = report.genesisHash
        account = report.account
        height = report.height.value
        time = report.time.value
        block = report.block
        stateRoot = report.stateRoot
        signers = report.signers
        masternodes = report.masternodes
        exists = report.exists
        balance = report.balance
        sequence = report.sequence
        entries = report.entries
        historyRoot = report.historyRoot
        succeeded = report.outcomes.succeeded
        recorded = report.outcomes.recorded
        failed = report.outcomes.failed
        actions = report.actions.map { Count(action: $0.action.value, name: $0.action.description, count: $0.count) }
        findings = report.findings.map {
            FindingCount(
                role: $0.role.description, kind: FindingNames.name($0.kind), count: $0.count, effective: $0.effective)
        }
        reputation = Self.evidence(report).map {
            Role(
                role: $0.role.description, positive: $0.record.positive, negative: $0.record.negative, score: $0.score)
        }
    }

    private static func evidence(_ report: AuditReport) -> [AuditReport.RoleReputation] {
        report.reputation.filter { $0.record.positive > 0 || $0.record.negative > 0 }
    }

    static func text(_ report: AuditReport) -> String {
        var pairs: [(String, String?)] = [
            ("account", report.account.description),
            ("chain", "\(report.chainName), genesis \(report.genesisHash)"),
            ("as of block", "\(Format.number(report.height.value)), \(Format.time(report.time.value))"),
            ("block", report.block.hex),
            (
                "finalised by",
                "\(report.signers) of \(report.masternodes) masternodes"
                    + (report.finalisedHeight == report.height ? "" : ", through block \(report.finalisedHeight)")
            ),
            ("balance", Format.money(report.balance)),
            ("history", "complete: \(Format.number(report.entries)) entries, root \(report.historyRoot)"),
            (
                "actions",
                "\(report.outcomes.succeeded) succeeded, \(report.outcomes.recorded) recorded, \(report.outcomes.failed) failed"
            ),
        ]
        if !report.exists { pairs.append(("note", "the chain has never touched this account")) }
        for action in report.actions { pairs.append(("", "\(action.count) x \(action.action)")) }
        for finding in report.findings {
            let idle = finding.count - min(finding.count, finding.effective)
            pairs.append(
                (
                    "finding",
                    "\(finding.count) x \(finding.kind) as \(finding.role)"
                        + (idle > 0 ? ", \(idle) without effect" : "")
                ))
        }
        pairs.append(("words", Legends.outcomes))
        for role in evidence(report) {
            pairs.append(
                (
                    "reputation",
                    "\(role.role) \(Format.units(role.score)) (for \(Format.units(role.record.positive, digits: 2)), "
                        + "against \(Format.units(role.record.negative, digits: 2)))"
                ))
        }
        return facts(pairs)
    }
}

/// `reputation --explain`
enum ReputationExplained {
    struct Document: Encodable {
        struct Step: Encodable {
            @DecimalText var index: UInt64
            @DecimalText var height: UInt64
            @DecimalText var time: UInt64
            let service: String
            let role: String
            let kind: String
            @DecimalText var weight: UInt64
            let note: String
            @DecimalText var positive: UInt64
            @DecimalText var negative: UInt64
            @DecimalText var score: UInt64
        }

        let audit: AuditDocument
        let steps: [Step]
        let node: ReputationDocument
        /// Whether the node's scores are the recomputed ones.
        let agrees: Bool
    }

    static func run(_ account: Account, _ client: ChainClient, _ global: GlobalOptions) async throws {
        let stated = try await client.reputation(of: account)
        let report = try AuditFile.verify(
            try await Audits.fetch(account, client), genesis: try await client.genesis())
        guard report.account == account else {
            throw Refused("audit", "the node sent the audit file of \(report.account) instead of \(account)")
        }
        // The node answers for its newest block; without findings in between the counters are the same.
        let agrees = stated.roles.allSatisfy { entry in
            report.reputation.contains {
                $0.role.description == entry.role && $0.record.positive == entry.positive
                    && $0.record.negative == entry.negative
            }
        }
        let document = Document(
            audit: AuditDocument(report, file: nil),
            steps: report.explanation.steps.map { step in
                Document.Step(
                    index: step.index, height: step.height.value, time: step.time.value,
                    service: Format.label(step.finding.service), role: step.finding.role.description,
                    kind: FindingNames.name(step.finding.kind), weight: step.finding.weight, note: step.finding.note,
                    positive: step.after.positive, negative: step.after.negative, score: step.score)
            }, node: stated, agrees: agrees)
        global.show(document, text(report, agrees: agrees))
    }

    private static func text(_ report: AuditReport, agrees: Bool) -> String {
        var table = Table([
            .right("#"), .right("block"), .left("time"), .left("service"), .left("role"), .left("finding"),
            .right("weight"), .right("for"), .right("against"), .right("score"), .left("note"),
        ])
        for step in report.explanation.steps {
            table.add(
                "\(step.index)", "\(step.height)", Format.time(step.time.value), Format.label(step.finding.service),
                step.finding.role.description, step.finding.kind.description,
                Format.units(step.finding.weight, digits: 2), Format.units(step.after.positive),
                Format.units(step.after.negative), Format.units(step.score), step.finding.note)
        }
        var lines = [table.text(none: "no findings: the score is 0 in every role"), ""]
        for role in report.reputation where role.record.positive > 0 || role.record.negative > 0 {
            lines.append(
                "\(role.role): R = (P << 20) / (P + 4N + 64U) = \(role.score), that is \(Format.units(role.score)); "
                    + "P = \(role.record.positive), N = \(role.record.negative), U = \(Reputation.unit), "
                    + "decayed to block \(report.height)")
        }
        lines.append(
            agrees
                ? "recomputed from \(report.entries) proven history entries; the node's counters are the same"
                : "the node's newest counters differ: it has findings after block \(report.height); ask again")
        lines += ["", Legends.explained]
        return lines.joined(separator: "\n")
    }
}
