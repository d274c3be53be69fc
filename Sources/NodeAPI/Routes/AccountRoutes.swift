import APIModel
import Hummingbird
import Primitives

extension Routes {
    static let accounts: [Route] = [
        Route(
            method: .get, path: "/v1/accounts/{account}", weight: .light,
            operation: Operation(
                "getAccount", "Balance, next sequence, credits and the size and root of the history", .json("Account"),
                parameters: [.account], errors: [400, 404])
        ) { input, node in
            let account = try input.account()
            guard let view = try await node.backend.account(account) else { throw unknownAccount(account) }
            return .document(
                AccountDocument(
                    account: account, record: view.record, credits: view.credits, capacity: view.capacity,
                    sponsor: view.sponsor))
        },
        Route(
            method: .get, path: "/v1/accounts/{account}/history", weight: .expensive,
            operation: Operation(
                "getHistory", "What the account did and what was found about it, oldest first", .json("History"),
                parameters: [
                    .account,
                    .query("from", "U64", "index of the first entry, 0 if absent"),
                    .count("limit", 1...200, "entries at most, 100 if absent; a page also ends at 2,000,000 bytes"),
                ], errors: [400, 404, 410, 429, 503])
        ) { input, node in
            let account = try input.account()
            let from = try input.number("from", default: 0, in: 0...UInt64.max)
            let limit = Int(try input.number("limit", default: 100, in: 1...200))
            guard try await node.backend.account(account) != nil else { throw unknownAccount(account) }
            let page = try await node.backend.history(of: account, from: from, limit: limit)
            return .document(HistoryDocument(page, account: account, genesis: node.genesis))
        },
        Route(
            method: .get, path: "/v1/accounts/{account}/reputation", weight: .light,
            operation: Operation(
                "getReputation", "Evidence and score in each role; an account without any has an empty list",
                .json("Reputation"), parameters: [.account], errors: [400, 404])
        ) { input, node in
            let account = try input.account()
            let roles = try await node.backend.reputation(of: account)
            return .document(
                ReputationDocument(
                    account: account,
                    roles: roles.map { ReputationDocument.Entry(role: $0.role, record: $0.record, score: $0.score) }))
        },
        Route(
            method: .get, path: "/v1/accounts/{account}/audit", weight: .streamed,
            operation: Operation(
                "getAudit",
                "The audit file: everything that is needed to check the account's complete history offline",
                .bytes("Borsh of an audit file (Docs/protocol.md)"), parameters: [.account],
                errors: [400, 404, 410, 429, 503])
        ) { input, node in
            let account = try input.account()
            guard let file = try await node.backend.auditFile(of: account) else { throw unknownAccount(account) }
            return .pieces(file)
        },
    ]

    private static func unknownAccount(_ account: Account) -> APIError {
        .unknown("account", "nothing on this chain has touched the account \(account)")
    }
}
