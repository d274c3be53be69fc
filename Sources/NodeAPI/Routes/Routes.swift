import APIModel
import Cryptography
import Foundation
import Hummingbird
import Logging
import Primitives

/// What handlers share.
struct RouteServices: Sendable {
    let backend: any NodeBackend
    let genesis: Digest
    let genesisDocument: StaticAnswer
    let heads: HeadWatch
    let configuration: APIConfiguration
    let expensive: Gate
    let streams: Gate
    let queries: QueryLanes
    let events: EventFeed

    init(backend: any NodeBackend, heads: HeadWatch, configuration: APIConfiguration, logger: Logger) {
        self.backend = backend
        genesis = backend.genesis.hash
        genesisDocument = StaticAnswer(
            JSONAnswer.data(GenesisDocument(backend.genesis)), headers: [.contentType: "application/json"])
        self.heads = heads
        self.configuration = configuration
        expensive = Gate(limit: configuration.expensiveRequests, waiting: configuration.expensiveWaiting)
        streams = Gate(limit: configuration.streamedAnswers, waiting: configuration.expensiveWaiting)
        queries = QueryLanes()
        events = EventFeed(
            backend: backend, genesis: genesis, heads: heads,
            clients: Gate(limit: configuration.eventClients, waiting: 0), expensive: expensive)
    }
}

extension RouteServices {
    /// Asks a service's contract, when its turn comes.
    func query(_ service: ServiceId, input: [UInt8]) async throws -> QueryResult {
        let backend = backend
        let answer = try await queries.run { gas async throws(QueryRefusal) in
            try await backend.query(service, input: input, gas: gas)
        }
        guard let answer else { throw APIError.busy }
        return answer
    }
}

/// One route: where it is, how it is described, what it does.
package struct Route: Sendable {
    enum Weight: Sendable {
        case light
        /// Reads or computes much: runs behind the gate.
        case expensive
        /// Has an answer of any length: runs behind the gate for each piece of it, and so many are under way at a time.
        case streamed
    }

    package let method: HTTPRequest.Method
    /// In the form that OpenAPI and the router share: `/v1/blocks/{height}`.
    package let path: String
    let weight: Weight
    let operation: Operation
    let handle: @Sendable (RequestInput, RouteServices) async throws -> Answer

    enum Answer: Sendable {
        case response(Response)
        case fixed(StaticAnswer)
        case document(any Encodable & Sendable, status: HTTPResponse.Status = .ok)
        case bytes([UInt8])
        case pieces(BytePieces)
    }

    func install(on router: Router<APIContext>, services: RouteServices) {
        router.on(RouterPath(stringLiteral: path), method: method) { request, context in
            let input = RequestInput(request: request, context: context)
            if path.hasPrefix("/v1/") { try input.checkQuery(operation) }
            switch weight {
            case .light: return try await respond(input, services, holding: nil)
            case .expensive:
                guard let permit = await services.expensive.enter() else { throw APIError.busy }
                return try await respond(input, services, holding: permit)
            case .streamed:
                guard let place = await services.streams.enter(), let permit = await services.expensive.enter() else {
                    throw APIError.busy
                }
                defer { withExtendedLifetime(permit) {} }
                return try await respond(input, services, holding: place)
            }
        }
    }

    private func respond(
        _ input: RequestInput, _ services: RouteServices, holding permit: Gate.Permit?
    ) async throws -> Response {
        let writer = GuardedWriter(
            timeout: services.configuration.writeTimeout, closeConnection: input.context.closeConnection)
        switch try await handle(input, services) {
        case .response(let response): return response
        case .fixed(let answer): return answer.response(to: input.request)
        case .document(let document, let status):
            var headers: HTTPFields = [
                .contentType: "application/json", .cacheControl: "no-store", .vary: "accept-encoding",
            ]
            var data = JSONAnswer.data(document)
            if Compression.isWanted(input.request), let short = Compression.gzip(data) {
                headers[.contentEncoding] = "gzip"
                data = short
            }
            return Response(status: status, headers: headers, body: writer.body(data, holding: permit))
        case .bytes(let bytes):
            return Response(
                status: .ok, headers: [.contentType: "application/octet-stream"],
                body: writer.body(bytes, holding: permit))
        case .pieces(let pieces):
            return Response(
                status: .ok, headers: [.contentType: "application/octet-stream"],
                body: writer.body(
                    pieces, by: services.expensive,
                    pace: ReadingPace(
                        grace: services.configuration.streamGrace,
                        bytesPerSecond: services.configuration.streamBytesPerSecond), holding: permit))
        }
    }
}

/// Every route of the node, in the order of the OpenAPI document.
package enum Routes {
    package static let all: [Route] =
        chain + lists + checks + proofs + membership + transactions + accounts + services + jobs + health + pages

    /// Methods that a path takes, HEAD wherever GET is; empty for a path that there is not.
    static func methods(of path: String) -> [HTTPRequest.Method] {
        let parts = path.split(separator: "/", omittingEmptySubsequences: true)
        let found = all.filter { route in
            let wanted = route.path.split(separator: "/", omittingEmptySubsequences: true)
            return wanted.count == parts.count && zip(wanted, parts).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
        }.map(\.method)
        return found.contains(.get) ? found + [.head] : found
    }
}
