import APIModel
import Hummingbird
import Primitives

extension Routes {
    static let services: [Route] = [
        Route(
            method: .get, path: "/v1/services", weight: .expensive,
            operation: Operation(
                "getServices", "Registered services in the order of their names", .json("Services"),
                parameters: [
                    .query("kind", "Name", "only this kind: job, contract"),
                    .query("after", "Name", "only names after this one: next of the page before"),
                    .count("limit", 1...100, "services at most, 50 if absent"),
                ], errors: [400, 429, 503])
        ) { input, node in
            let kind = try input.text("kind")
            // A text that is no name stands in the order of names where its bytes do.
            let after = try input.text("after").flatMap { text in
                LabelText<ServiceId>(text: text)?.wrappedValue
                    ?? ServiceId(Array(text.utf8.prefix(ChainLimits.labelBytes)))
            }
            let limit = Int(try input.number("limit", default: 50, in: 1...100))
            let found = try await node.backend.services(kind: kind, after: after, limit: limit)
            return .document(
                ServicesDocument(
                    services: found.map { ServiceDocument($0) },
                    next: found.count < limit ? nil : found.last?.record.service))
        },
        Route(
            method: .get, path: "/v1/services/{service}", weight: .light,
            operation: Operation(
                "getService", "A service and the balance of its contract", .json("Service"), parameters: [.service],
                errors: [400, 404])
        ) { input, node in
            let name = try input.service()
            guard let view = try await node.backend.service(name) else { throw unknownService(name) }
            return .document(ServiceDocument(view))
        },
        Route(
            method: .post, path: "/v1/services/{service}/query", weight: .light,
            operation: Operation(
                "queryService",
                "Runs the contract's `query` on the newest state, with gas but without credits. The input is the body: "
                    + "raw, or base64 in JSON.",
                .json("QueryResult"), parameters: [.service], body: "Query", errors: [400, 404, 413, 422, 429, 503])
        ) { input, node in
            let name = try input.service()
            let bytes = try await input.bytes(
                limit: ChainLimits.transactionDataBytes, timeout: node.configuration.bodyTimeout,
                from: QueryDocument.self, \.input)
            let result: QueryResult
            do { result = try await node.query(name, input: bytes, for: input.context.holder) } catch let error
                as QueryRefusal
            {
                switch error {
                case .unknownService: throw unknownService(name)
                case .failed(let message):
                    throw APIError(.unprocessableContent, "query_failed", "the contract's query failed: \(message)")
                case .outOfGas:
                    throw APIError(.unprocessableContent, "query_failed", "the contract's query failed: out of gas")
                case .storeDamaged: throw StoreDamaged()
                case .unavailable(let detail): throw Unavailable(detail: detail)
                }
            }
            return .document(QueryResultDocument(data: result.data, gasUsed: result.gasUsed, height: result.height))
        },
        Route(
            method: .get, path: "/v1/code/{hash}", weight: .light,
            operation: Operation(
                "getCode", "Whether contract code with this SHA-256 is on the chain", .json("Code"),
                parameters: [.path("hash", "Hash", "SHA-256 of the WebAssembly module")], errors: [400, 404])
        ) { input, node in
            let hash = try input.digest("hash")
            guard try await node.backend.hasCode(hash) else {
                throw APIError.unknown("code", "no contract code \(hash) was uploaded")
            }
            return .document(CodeDocument(hash: hash))
        },
    ]

    /// The node's own failure: logged by the middleware, not sent.
    private struct Unavailable: Error { let detail: String }

    static func unknownService(_ name: ServiceId) -> APIError {
        .unknown("service", "no service '\(PrintableBytes.text(name.bytes))' is registered; /v1/services lists them")
    }
}
