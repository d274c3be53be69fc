import APIModel
import ChainClient
import Primitives

extension ChainClient {
    /// All entries of an account's history, oldest first: the API gives them page by page.
    func wholeHistory(of account: Account) async throws -> [HistoryEntryDocument] {
        var entries: [HistoryEntryDocument] = []
        while let page = try await history(of: account, from: UInt64(entries.count), limit: 200), !page.entries.isEmpty {
            entries += page.entries
        }
        return entries
    }
}
