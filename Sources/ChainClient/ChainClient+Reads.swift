import APIModel
import Cryptography
import Encoding
import Foundation
import NIOCore
import Primitives

extension ChainClient {
    public func status() async throws -> StatusDocument { try await get(call("/v1/status")) }

    /// What the node says the genesis is; whoever audits must have it from elsewhere.
    public func genesis() async throws -> Genesis {
        let document: GenesisDocument = try await get(call("/v1/genesis"))
        return try document.genesis()
    }

    /// The finalised block of this height, or the newest; nil when it is not there.
    public func block(at height: Height?) async throws -> BlockDocument? {
        try await find(call("/v1/blocks/\(height?.description ?? "latest")"))
    }

    public func receipts(at height: Height) async throws -> ReceiptsDocument? {
        try await find(call("/v1/blocks/\(height)/receipts"))
    }

    /// - Parameter wait: how long the node may hold the answer back for the transaction to become final; up to 25 s.
    public func transaction(_ id: TransactionId, wait: Duration = .zero) async throws -> TransactionStateDocument? {
        let milliseconds = min(
            25_000, max(0, wait.components.seconds * 1_000 + wait.components.attoseconds / 1_000_000_000_000_000))
        var request = call("/v1/transactions/\(id)" + (milliseconds > 0 ? "?waitMs=\(milliseconds)" : ""))
        request.timeout = limits.request + .milliseconds(milliseconds)
        return try await find(request)
    }

    /// Nil for an account that nothing has ever touched.
    public func account(_ account: Account) async throws -> AccountDocument? {
        try await find(call("/v1/accounts/\(account)"))
    }

    /// Accounts in the order of their bytes.
    /// - Parameter limit: stops after this many.
    public func accounts(limit: Int) async throws -> [AccountSummaryDocument] {
        var all: [AccountSummaryDocument] = []
        var after: Account?
        while all.count < limit {
            let size = min(100, limit - all.count)
            let page: AccountsDocument = try await get(
                call("/v1/accounts?limit=\(size)" + (after.map { "&after=\($0)" } ?? "")))
            all += page.accounts
            guard let next = page.next?.wrappedValue, next != after else { break }
            after = next
        }
        return all
    }

    /// One page of the history, oldest first.
    public func history(of account: Account, from: UInt64 = 0, limit: Int = 100) async throws -> HistoryDocument? {
        try await find(call("/v1/accounts/\(account)/history?from=\(from)&limit=\(limit)"))
    }

    public func reputation(of account: Account) async throws -> ReputationDocument {
        try await get(call("/v1/accounts/\(account)/reputation"))
    }

    /// Bytes of the audit file; nil for an account that nothing has ever touched.
    public func auditFile(of account: Account) async throws -> [UInt8]? {
        var request = call("/v1/accounts/\(account)/audit")
        request.timeout = limits.largeRequest
        request.limit = limits.auditBytes
        let reply = try await send(request)
        if reply.status == 404 { return nil }
        guard reply.status == 200 else { throw refusal(reply, request) }
        return Array(reply.body.readableBytesView)
    }

    /// Prometheus text.
    public func metrics() async throws -> String {
        let request = call("/metrics")
        let reply = try await send(request)
        guard reply.status == 200 else { throw refusal(reply, request) }
        return String(buffer: reply.body)
    }

    // MARK: Services

    public func service(_ service: ServiceId) async throws -> ServiceDocument? {
        try await find(call("/v1/services/\(Self.escape(PrintableBytes.text(service.bytes)))"))
    }

    /// All registered services of a kind, or all.
    /// - Parameter limit: stops after this many.
    public func services(kind: String? = nil, limit: Int = 10_000) async throws -> [ServiceDocument] {
        var all: [ServiceDocument] = []
        var after: ServiceId?
        repeat {
            var query = "limit=100"
            if let kind { query += "&kind=" + Self.escape(kind) }
            if let after { query += "&after=" + Self.escape(PrintableBytes.text(after.bytes)) }
            let page: ServicesDocument = try await get(call("/v1/services?" + query))
            all += page.services
            guard let next = page.next?.wrappedValue, next != after else { break }
            after = next
        } while all.count < limit
        return all
    }

    /// Runs the contract's `query` on the newest state of the answering node.
    public func query(_ service: ServiceId, input: [UInt8]) async throws -> QueryResultDocument {
        let path = "/v1/services/\(Self.escape(PrintableBytes.text(service.bytes)))/query"
        do { return try await get(call(path, method: "POST", body: input)) } catch let error as ClientError
            where error.code == "unknown_service"
        {
            throw await noSuchService(service)
        }
    }

    /// That there is no such service, with the nearest name that there is.
    public func noSuchService(_ service: ServiceId) async -> ClientError {
        .noSuchService(PrintableBytes.text(service.bytes), near: await nearestService(to: service))
    }

    /// The name of a service that somebody may mean with this one.
    public func nearestService(to service: ServiceId) async -> String? {
        let known = (try? await services(limit: 1_000)) ?? []
        return Spelling.nearest(
            to: PrintableBytes.text(service.bytes), among: known.map { PrintableBytes.text($0.id.bytes) })
    }

    public func hasCode(_ hash: Digest) async throws -> Bool {
        let found: CodeDocument? = try await find(call("/v1/code/\(hash)"))
        return found != nil
    }

    /// Percent-encodes everything but letters, digits and `-._~` (RFC 3986, section 2.3).
    static func escape(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e:
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default: result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }
}
