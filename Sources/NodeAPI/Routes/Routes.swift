import APIModel
import Cryptography
import Foundation
import Hummingbird
import Logging
import Primitives
import ProgramSupport

/// What handlers share.
struct RouteServices: Sendable {
    let backend: any NodeBackend
    let genesis: Digest
    let genesisDocument: StaticAnswer
    let heads: HeadWatch
    let configuration: APIConfiguration
    /// What reads or computes much.
    let heavy: HeavyWork
    private let heavyShares: AddressShares
    /// Answers that are made while they are read.
    let streams: GatedPlaces
    /// Long answers that are there and wait for their reader.
    let long: GatedPlaces
    let queries: QueryLanes
    let queryShares: AddressShares
    let wrongSignatures: WrongSignatures
    let events: EventFeed

    init(backend: any NodeBackend, heads: HeadWatch, configuration: APIConfiguration, logger: Logger) {
        self.backend = backend
        genesis = backend.genesis.hash
        genesisDocument = StaticAnswer(
            JSONAnswer.data(GenesisDocument(backend.genesis)), headers: [.contentType: "application/json"])
        self.heads = heads
        self.configuration = configuration
        heavy = HeavyWork(
            share: configuration.expensiveShare, limit: configuration.expensiveRequests,
            waiting: configuration.expensiveWaiting)
        heavyShares = configuration.shares(
            configuration.expensivePerAddress, of: configuration.expensiveRequests + configuration.expensiveWaiting)
        streams = GatedPlaces(
            "audit files under way", configuration, limit: configuration.streamedAnswers,
            waiting: configuration.expensiveWaiting, perAddress: configuration.streamedAnswersPerAddress,
            sharesWaiting: false)
        long = GatedPlaces(
            "long answers under way", configuration, limit: configuration.longAnswers, waiting: 0,
            perAddress: configuration.longAnswersPerAddress)
        queries = QueryLanes()
        queryShares = configuration.shares(configuration.queriesPerAddress, of: QueryLanes.mostWaiting)
        wrongSignatures = WrongSignatures(
            perSecond: configuration.wrongSignaturesPerSecond, burst: configuration.wrongSignaturesAtOnce,
            all: .init(
                perSecond: configuration.wrongSignaturesPerSecondInAll, burst: configuration.wrongSignaturesAtOnceInAll),
            limitsLoopback: configuration.limitsLoopback)
        events = EventFeed(
            backend: backend, genesis: genesis, heads: heads,
            clients: Gate(limit: configuration.eventClients, waiting: 0),
            shares: configuration.shares(configuration.eventClientsPerAddress, of: configuration.eventClients),
            heavy: heavy)
    }
}

extension RouteServices {
    /// What of the API's own bounds was reached: text behind the node's metrics.
    var metrics: String {
        let (work, wrong) = (heavy.totals, wrongSignatures.totals)
        var text = ""
        func add(_ name: String, _ help: String, _ value: some CustomStringConvertible) {
            let full = "edgeproof_api_\(name)"
            text += "# HELP \(full) \(help)\n# TYPE \(full) counter\n\(full) \(value)\n"
        }
        add(
            "heavy_seconds_total", "Processor time of requests that read or compute much.",
            Double(work.used / 1_000) / 1_000_000)
        add(
            "heavy_held_total", "Such requests that waited since their share of time was used up, or were refused.",
            work.held)
        add("wrong_signatures_total", "Transactions of clients whose signature was wrong.", wrong.wrong)
        add(
            "wrong_signatures_silenced_total",
            "Submissions not looked at, since wrong signatures came from there or from everywhere.", wrong.silenced)
        return text
    }

    var pace: ReadingPace {
        ReadingPace(grace: configuration.streamGrace, bytesPerSecond: configuration.streamBytesPerSecond)
    }

    /// Makes what reads or computes much, when its turn comes.
    ///
    /// - Throws: 429 where the address has all that one may have, those that wait among them; 503 where too many wait.
    func heavily<Value: Sendable>(
        for holder: AddressHolder?, _ body: () async throws -> Value
    ) async throws -> Value {
        guard let share = heavyShares.take(holder) else {
            throw APIError.addressLimit("requests that read much", heavyShares.limit, retryAfterMs: 1_000)
        }
        defer { withExtendedLifetime(share) {} }
        do { return try await heavy.run(for: holder, .request, body) } catch is HeavyWork.TooManyWait {
            throw APIError.busy
        }
    }

    /// Asks a service's contract, when its turn comes.
    /// - Parameter holder: who asks.
    func query(_ service: ServiceId, input: [UInt8], for holder: AddressHolder?) async throws -> QueryResult {
        guard let share = queryShares.take(holder) else {
            throw APIError.addressLimit("questions to contracts that wait", queryShares.limit, retryAfterMs: 1_000)
        }
        defer { withExtendedLifetime(share) {} }
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
        /// Reads or computes much: ``HeavyWork``. One with a body is none of these: it would hold its place while the body
        /// does not come, and takes it in its handler, by ``RouteServices/heavily(for:_:)``.
        case expensive
        /// Has an answer of any length: each piece of it is heavy work, and so many are under way at a time.
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
                // Until the answer is made, not until it is read.
                return try await services.heavily(for: context.holder) {
                    try await respond(input, services, holding: nil)
                }
            case .streamed:
                let place = try await services.streams.place(for: context.holder, retryAfterMs: 5_000)
                return try await services.heavily(for: context.holder) {
                    try await respond(input, services, holding: place)
                }
            }
        }
    }

    /// - Parameter place: of an answer that is made while it is read; held until all is written.
    private func respond(
        _ input: RequestInput, _ services: RouteServices, holding place: GatedPlaces.Place?
    ) async throws -> Response {
        let writer = GuardedWriter(
            timeout: services.configuration.writeTimeout, closeConnection: input.context.closeConnection)
        /// What waits for its reader is bounded: short answers by the connections, long ones by places of their own.
        func body(_ bytes: some Collection<UInt8> & Sendable) async throws -> ResponseBody {
            guard bytes.count > Self.shortAnswer else { return writer.body(bytes) }
            let place = try await services.long.place(for: input.context.holder, retryAfterMs: 2_000)
            return writer.body(bytes, pace: services.pace, holding: place)
        }
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
            return Response(status: status, headers: headers, body: try await body(data))
        case .bytes(let bytes):
            return Response(
                status: .ok, headers: [.contentType: "application/octet-stream"], body: try await body(bytes))
        case .pieces(let pieces):
            return Response(
                status: .ok, headers: [.contentType: "application/octet-stream"],
                body: writer.body(
                    pieces, by: services.heavy, for: input.context.holder, pace: services.pace, holding: place))
        }
    }

    private static let shortAnswer = 262_144
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
