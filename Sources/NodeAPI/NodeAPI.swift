import Foundation
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import Primitives
import ProgramSupport

/// # NodeAPI
///
/// What a node shows to people and programs: REST under `/v1`, server-sent events, Prometheus metrics, an OpenAPI 3.1
/// document and an explorer page. It reads and submits through ``NodeBackend`` and keeps no state of the chain.
///
/// The module promises
/// - every answer of 400 or more to well-formed HTTP is JSON with a stable code and a reason that says what to do;
/// - every request is bounded: its body, its time, how many of its kind run at once, and how much is buffered for a
///   client that reads slowly, which is cut off;
/// - the routes, the OpenAPI document and the handlers come from one table (``Routes``), so none can be missing;
/// - with all connections used up it says so, and still answers `/health` and `/metrics`;
/// - it binds where it is told, loopback by default, and serves no file of the machine.
public struct APIServer: Sendable {
    private let backend: any NodeBackend
    private let configuration: APIConfiguration
    private let logger: Logger

    /// What every answer says that it comes from.
    static let name = "edgeproof"

    public init(backend: any NodeBackend, configuration: APIConfiguration, logger: Logger) {
        self.backend = backend
        self.configuration = configuration
        self.logger = logger
    }

    /// Serves until the task is cancelled or the address can't be bound (the error is thrown).
    /// - Parameter onReady: called with the port once connections are accepted.
    public func run(onReady: @escaping @Sendable (Int) async -> Void = { _ in }) async throws {
        let heads = HeadWatch()
        let services = RouteServices(backend: backend, heads: heads, configuration: configuration, logger: logger)
        let router = Router(context: APIContext.self, options: [.autoGenerateHeadEndpoints])
        router.add(middleware: ErrorMiddleware(logger: logger))
        for route in Routes.all { route.install(on: router, services: services) }

        let isServing = Flag()
        let connections = Connections(
            limit: configuration.maxConnections,
            shares: configuration.shares(configuration.connectionsPerAddress, of: configuration.maxConnections))
        let application = Application(
            router: router,
            server: HTTPServerBuilder { [configuration] responder in
                LoopChannel(
                    responder: responder,
                    configuration: HTTP1Limits.channel(idleSeconds: configuration.idleTimeoutSeconds),
                    connections: connections, services: services)
            },
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port), serverName: Self.name,
                availableConnectionsDelegate: MaximumConnections.limit(
                    configuration.maxConnections + Connections.reserve, logger: LibraryLog.under(logger))),
            onServerRunning: { channel in
                isServing.set()
                await onReady(channel.localAddress?.port ?? 0)
            },
            logger: LibraryLog.under(logger))

        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                await backend.followHeads { heads.advance(to: $0) }
                heads.finish()
            }
            group.addTask {
                defer { heads.finish() }
                do { try await application.run() } catch let error
                    where !isServing.isSet && !(error is CancellationError)
                {
                    throw CannotServe(
                        host: configuration.host, port: configuration.port,
                        reason: InputFile.listenReason((error as? IOError)?.errnoCode))
                }
                throw CancellationError()
            }
            defer { group.cancelAll() }
            // The pump may end first, when the node stops; the server ends by cancellation or an error.
            do { while try await group.next() != nil {} } catch is CancellationError { return }
        }
    }
}

/// The API's address can't be used.
public struct CannotServe: Error, Equatable, CustomStringConvertible {
    public let host: String
    public let port: Int
    public let reason: String

    public var description: String { "cannot serve the API at \(host):\(port): \(reason)" }
}
