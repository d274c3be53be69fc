import APIModel
import Hummingbird
import Primitives

extension Routes {
    /// Blocks that one page of transactions looks at, at most: a chain that sleeps has long runs without any.
    private static let blocksPerPage = 400
    /// Bytes of transactions that one page of blocks or transactions looks at: full blocks end it early.
    private static let bytesPerPage = 12_000_000

    static let lists: [Route] = [
        Route(
            method: .get, path: "/v1/blocks", weight: .expensive,
            operation: Operation(
                "getBlocks", "Finalised blocks, newest first. A page ends also after \(bytesPerPage) bytes.",
                .json("Blocks"),
                parameters: [
                    .query("before", "U64", "only heights below this one: next of the page before"),
                    .count("limit", 1...100, "blocks at most, 20 if absent"),
                ], errors: [400, 410, 429, 503])
        ) { input, node in
            let before = try input.optionalNumber("before").map { Height($0) }
            let limit = Int(try input.number("limit", default: 20, in: 1...100))
            var height = start(before, node)
            var found: [BlockSummaryDocument] = []
            var bytes = 0
            while height > .zero, found.count < limit, bytes < bytesPerPage {
                guard let block = try await node.backend.block(at: height) else { break }
                bytes += block.block.block.transactions.byteCount
                found.append(BlockSummaryDocument(block.block, digest: block.digest))
                height = height.previous ?? .zero
            }
            return .document(BlocksDocument(blocks: found, next: height > .zero && !found.isEmpty ? height.next : nil))
        },
        Route(
            method: .get, path: "/v1/transactions", weight: .expensive,
            operation: Operation(
                "getTransactions",
                "Transactions of finalised blocks, newest first, with what became of them. A page ends after \(blocksPerPage) "
                    + "blocks or \(bytesPerPage) bytes, so that one with few or none may have a next.",
                .json("Transactions"),
                parameters: [
                    .query("before", "Place", "only those before this place: next of the page before"),
                    .count("limit", 1...100, "transactions at most, 20 if absent"),
                ], errors: [400, 410, 429, 503])
        ) { input, node in
            let before = try input.place("before")
            let limit = Int(try input.number("limit", default: 20, in: 1...100))
            var height = node.heads.head
            // Of the block in whose middle the page before ended.
            var end: Int?
            if let before, before.index == 0 {
                height = min(before.height.previous ?? .zero, height)
            } else if let before, before.height <= height {
                (height, end) = (before.height, before.index)
            }
            var found: [ListedTransactionDocument] = []
            var (looked, bytes) = (0, 0)
            var kinds: [ServiceId: String?] = [:]
            while height > .zero, looked < blocksPerPage, bytes < bytesPerPage {
                looked += 1
                guard let block = try await node.backend.block(at: height),
                    let receipts = try await node.backend.receipts(at: height)
                else { break }
                let all = block.block.block.transactions
                bytes += all.byteCount
                for index in (0..<min(end ?? all.count, all.count)).reversed() {
                    guard found.count < limit else {
                        return .document(
                            TransactionsDocument(transactions: found, next: .init(height: height, index: index + 1)))
                    }
                    let service = all[index].transaction.serviceId
                    if kinds[service] == nil {
                        kinds[service] = .some(try await node.backend.service(service)?.record.kind)
                    }
                    found.append(
                        ListedTransactionDocument(
                            TransactionDocument(
                                all[index], id: all[index].id(genesis: node.genesis), withData: false),
                            height: height, index: index, time: block.block.block.header.time,
                            outcome: receipts.indices.contains(index) ? receipts[index].outcome : nil,
                            meaning: Meaning.of(all[index].transaction, kind: kinds[service] ?? nil)))
                }
                end = nil
                height = height.previous ?? .zero
            }
            return .document(
                TransactionsDocument(
                    transactions: found, next: height > .zero ? .init(height: height.next, index: 0) : nil))
        },
        Route(
            method: .get, path: "/v1/accounts", weight: .expensive,
            operation: Operation(
                "getAccounts", "Accounts in the order of their bytes", .json("Accounts"),
                parameters: [
                    .query("after", "Address", "only accounts after this one: next of the page before"),
                    .count("limit", 1...100, "accounts at most, 50 if absent"),
                ], errors: [400, 404, 429, 503])
        ) { input, node in
            let after = try input.query("after").map { try input.account(text: $0, "after") }
            let limit = Int(try input.number("limit", default: 50, in: 1...100))
            let found = try await node.backend.accounts(after: after, limit: limit)
            return .document(
                AccountsDocument(
                    accounts: found.map { AccountSummaryDocument($0.account, $0.record) },
                    next: found.count < limit ? nil : found.last?.account))
        },
    ]

    private static func start(_ before: Height?, _ node: RouteServices) -> Height {
        guard let before else { return node.heads.head }
        return min(before.previous ?? .zero, node.heads.head)
    }
}
