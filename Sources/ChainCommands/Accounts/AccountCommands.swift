import APIModel
import ArgumentParser
import ChainClient
import Cryptography
import Foundation
import Primitives

private func unknownAccount(_ account: Account) -> Refused {
    Refused("unknown_account", "nothing on this chain has touched the account \(account)")
}

struct AccountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account", abstract: "Show an account's balance, sequence and credits, or list accounts.",
        discussion: """
            Examples: chain-cli account alice
                      chain-cli account list
            """,
        subcommands: [Show.self, List.self], defaultSubcommand: Show.self)

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show an account (the default).", discussion: "Example: chain-cli account alice")

        @Argument(help: "edge1... or the name of a local key.") var account: String
        @OptionGroup var global: GlobalOptions

        func run() async throws {
            let account = try global.account(account)
            guard let found = try await global.client().account(account) else { throw unknownAccount(account) }
            global.show(
                found,
                facts([
                    ("account", found.account.description), ("balance", Format.money(found.balance)),
                    (
                        "locked",
                        found.locked > 0
                            ? Format.money(found.locked) + ", a masternode's collateral or behind verdicts" : nil
                    ),
                    ("locked for state", found.deposit > 0 ? Format.money(found.deposit) : nil),
                    ("next sequence", "\(found.sequence)"),
                    (
                        "credits",
                        "\(Format.number(found.credits.available)) free of a capacity of \(Format.number(found.credits.capacity))"
                    ),
                    (
                        "sponsor",
                        found.sponsor.map { sponsor in
                            "service \(Format.label(sponsor.service))"
                                + (sponsor.lent > 0
                                    ? ", which lends \(Format.money(sponsor.lent)) for the account's record" : "")
                        }
                    ),
                    ("history", "\(Format.number(found.history.size)) entries, root \(found.history.root)"),
                ]))
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the chain's accounts, or those of your keys.",
            discussion: """
                Names are those of keys in the folder of keys.

                Example: chain-cli account list --mine
                """)

        @Flag(help: "Only accounts of local keys, also those that the chain does not know yet.") var mine = false
        @Option(help: "Accounts at most.") var limit: UInt32 = 1_000
        @OptionGroup var global: GlobalOptions

        func validate() throws {
            if limit == 0 { throw ValidationError("--limit takes a number from 1 on") }
        }

        struct Document: Encodable {
            struct Entry: Encodable {
                let name: String?
                let account: AccountSummaryDocument
            }

            let accounts: [Entry]
        }

        func run() async throws {
            let client = try global.client()
            let names = try Self.names(global)
            var accounts: [AccountSummaryDocument] = []
            if mine {
                for account in names.keys.sorted(by: { names[$0] ?? "" < names[$1] ?? "" }).prefix(Int(limit)) {
                    let found = try await client.account(account)
                    accounts.append(
                        AccountSummaryDocument(
                            account, balance: found?.balance ?? 0, sequence: found?.sequence ?? 0,
                            entries: found?.history.size ?? 0))
                }
            } else {
                accounts = try await client.accounts(limit: Int(limit))
            }
            var table = Table([.left("account"), .left("name"), .right("balance"), .right("sent"), .right("history")])
            for account in accounts {
                table.add(
                    account.account.description, names[account.account] ?? "", Format.money(account.balance),
                    Format.number(account.sequence), Format.number(account.entries))
            }
            global.show(
                Document(accounts: accounts.map { Document.Entry(name: names[$0.account], account: $0) }),
                table.text(
                    none: mine
                        ? "no keys in \(global.keys.path); 'chain-cli keys new NAME' makes one"
                        : "the chain has no accounts"))
        }

        /// Names of local keys by their accounts. Without a folder of keys there are none.
        private static func names(_ global: GlobalOptions) throws -> [Account: String] {
            var names: [Account: String] = [:]
            for entry in try global.keys.list() {
                if let key = PublicKey(hex: entry.keystore.publicKey) { names[Account(key)] = entry.name }
            }
            return names
        }
    }
}

struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "List what an account did and what was found about it.",
        discussion: """
            The list is what the node says; 'chain-cli audit' gives the proof that nothing is missing.

            Examples: chain-cli history alice --from 100 --limit 20
                      chain-cli history alice --since 2h
            """)

    @Argument(help: "edge1... or the name of a local key.") var account: String
    @Option(help: "Index of the first entry.") var from: UInt64 = 0
    @Option(help: "Entries at most; all of them without it.") var limit: UInt64?
    @Option(
        help: ArgumentHelp(
            "Only entries since then: a time span as 30s, 5min, 2h or 3d, or a date as 2026-03-01 or 2026-03-01T12:00:00Z.",
            valueName: "time"))
    var since: String?
    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if limit == 0 { throw ValidationError("--limit takes a number from 1 on; without it all entries are shown") }
    }

    func run() async throws {
        let account = try global.account(account)
        let client = try global.client()
        var first = from
        if let since {
            let time = try Arguments.time(since, now: Date(), "--since")
            guard let place = try await HistoryPages.first(of: account, since: time, client: client) else {
                throw unknownAccount(account)
            }
            first = max(from, place)
        }
        guard let history = try await HistoryPages.read(account, from: first, limit: limit, client: client) else {
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
                    Format.label(finding.service), "as \(finding.role)",
                    "weight \(Format.units(finding.weight, digits: 2))",
                    finding.note)
            }
        }
        global.show(
            history,
            table.text(none: since.map { "no entries since \($0)" } ?? "no entries from \(first) on")
                + "\n\n\(Format.number(history.size)) entries in all, root \(history.root)\n\(Legends.outcomes)")
    }

    private static func brief(_ transaction: TransactionDocument) -> String {
        let text = Format.data(transaction.data?.wrappedValue ?? []).replacingOccurrences(of: "\n", with: " ")
        return text.count > 24 ? text.prefix(21) + "... (\(transaction.dataBytes) B)" : text
    }
}

enum HistoryPages {
    /// Index of the first entry that is not older; that after the last where all are. Entries ascend by time, so half
    /// of them is left out with each look. Nil for an account that nothing touched.
    static func first(of account: Account, since time: UInt64, client: ChainClient) async throws -> UInt64? {
        guard let size = try await client.account(account)?.history.size else { return nil }
        var (low, high) = (UInt64(0), size)
        while low < high {
            let middle = low + (high - low) / 2
            guard let entry = try await client.history(of: account, from: middle, limit: 1)?.entries.first else {
                return low
            }
            if entry.time < time { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// All pages in one document.
    static func read(
        _ account: Account, from: UInt64, limit: UInt64?, client: ChainClient
    ) async throws -> HistoryDocument? {
        guard var whole = try await client.history(of: account, from: from, limit: page(limit, 0)) else { return nil }
        while let next = whole.next?.wrappedValue, UInt64(whole.entries.count) < limit ?? .max {
            let size = page(limit, UInt64(whole.entries.count))
            guard let more = try await client.history(of: account, from: next, limit: size), !more.entries.isEmpty
            else {
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
        global.show(
            found,
            table.text(none: "no evidence about \(account) in any role: its score is 0")
                + (found.roles.isEmpty ? "" : "\n\n" + Legends.reputation))
    }
}
