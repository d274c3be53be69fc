import APIModel
import ArgumentParser
import ChainClient
import Primitives

private func unknownAccount(_ account: Account) -> Refused {
    Refused("unknown_account", "nothing on this chain has touched the account \(account)")
}

struct AccountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account", abstract: "Show an account's balance, sequence and credits.",
        discussion: "Example: chain-cli account alice")

    @Argument(help: "edge1... or the name of a local key.") var account: String
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let account = try global.account(account)
        guard let found = try await global.client().account(account) else { throw unknownAccount(account) }
        global.show(
            found,
            facts([
                ("account", found.account.description), ("balance", Format.number(found.balance)),
                ("locked", found.locked > 0 ? Format.number(found.locked) + ", a masternode's collateral" : nil),
                ("next sequence", "\(found.sequence)"),
                ("credits", "\(Format.number(found.credits.available)) of \(Format.number(found.credits.capacity))"),
                ("history", "\(Format.number(found.history.size)) entries, root \(found.history.root)"),
            ]))
    }
}

struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "List what an account did and what was found about it.",
        discussion: """
            The list is what the node says; 'chain-cli audit' gives the proof that nothing is missing.

            Example: chain-cli history alice --from 100 --limit 20
            """)

    @Argument(help: "edge1... or the name of a local key.") var account: String
    @Option(help: "Index of the first entry.") var from: UInt64 = 0
    @Option(help: "Entries at most; all of them without it.") var limit: UInt64?
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let account = try global.account(account)
        guard let history = try await HistoryPages.read(account, from: from, limit: limit, client: global.client()) else {
            throw unknownAccount(account)
        }
        var table = Table([
            .right("#"), .right("block"), .left("time"), .left("what"), .left("service"), .left("post"), .left("data"),
            .left("outcome"),
        ])
        for entry in history.entries {
            if let action = entry.action {
                let transaction = action.transaction
                table.add(
                    "\(entry.index)", "\(entry.height)", Format.time(entry.time),
                    "\(transaction.actionId) \(transaction.action)", Format.label(transaction.serviceId),
                    Format.label(transaction.postId), Self.brief(transaction), Format.outcome(action.outcome))
            } else if let finding = entry.finding {
                table.add(
                    "\(entry.index)", "\(entry.height)", Format.time(entry.time), "finding: \(finding.kind)",
                    Format.label(finding.service), "as \(finding.role)", "weight \(Format.units(finding.weight, digits: 2))",
                    finding.note)
            }
        }
        global.show(
            history,
            table.text(none: "no entries from \(from) on")
                + "\n\n\(Format.number(history.size)) entries in all, root \(history.root)")
    }

    private static func brief(_ transaction: TransactionDocument) -> String {
        let text = Format.data(transaction.data?.wrappedValue ?? []).replacingOccurrences(of: "\n", with: " ")
        return text.count > 24 ? text.prefix(21) + "... (\(transaction.dataBytes) B)" : text
    }
}

enum HistoryPages {
    /// All pages in one document.
    static func read(
        _ account: Account, from: UInt64, limit: UInt64?, client: ChainClient
    ) async throws -> HistoryDocument? {
        guard var whole = try await client.history(of: account, from: from, limit: page(limit, 0)) else { return nil }
        while let next = whole.next?.wrappedValue, UInt64(whole.entries.count) < limit ?? .max {
            let size = page(limit, UInt64(whole.entries.count))
            guard let more = try await client.history(of: account, from: next, limit: size), !more.entries.isEmpty else {
                break
            }
            whole.entries += more.entries
            whole.next = more.next
        }
        return whole
    }

    private static func page(_ limit: UInt64?, _ have: UInt64) -> Int {
        Int(clamping: max(1, min(200, (limit ?? .max) - min(have, limit ?? .max))))
    }
}

struct ReputationCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reputation", abstract: "Show an account's reputation, and how it came about.",
        discussion: """
            --explain fetches the account's audit file, checks it against the genesis that the node names, and \
            recomputes every counter from the findings in it.

            Example: chain-cli reputation alice --explain
            """)

    @Argument(help: "edge1... or the name of a local key.") var account: String
    @Flag(help: "List every finding and recompute the score from the history.") var explain = false
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let account = try global.account(account)
        let client = try global.client()
        guard !explain else { return try await ReputationExplained.run(account, client, global) }
        let found = try await client.reputation(of: account)
        var table = Table([.left("role"), .right("score"), .right("for"), .right("against")])
        for entry in found.roles {
            table.add(
                entry.role, Format.units(entry.score), Format.units(entry.positive, digits: 2),
                Format.units(entry.negative, digits: 2))
        }
        global.show(found, table.text(none: "no evidence about \(account) in any role: its score is 0"))
    }
}
