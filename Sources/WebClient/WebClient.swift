import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import ProgramSupport
import Synchronization

/// # WebClient
///
/// An HTTP/1.1 client over SwiftNIO, as small as the product's needs: the chain's client and the workers use it.
///
/// The module promises
/// - connections are kept and used again, for a time and up to a number for each host; a request that a kept connection
///   loses before anything of an answer came is sent once more on a new one, since nodes and workers take everything
///   twice without harm;
/// - every wait has an end: for a connection, for the whole answer, for the next bytes of one;
/// - it reads no faster than its user does: at most a few reads are kept;
/// - it follows no redirect, asks for no compression, keeps no cookie: what comes is what the other side sent.
public final class HTTPClient: Sendable {
    public struct Configuration: Sendable {
        public var connectTimeout: TimeAmount = .seconds(10)
        /// Longest silence within an answer; nil waits as long as the request's own limit.
        public var readTimeout: TimeAmount?
        /// How long a connection is kept that nobody uses.
        public var idleTimeout: TimeAmount = .seconds(30)
        /// Connections to one host at the same time; further requests wait.
        public var connectionsPerHost = 64
        /// PEM file of the authorities that are trusted instead of the system's. The variable is OpenSSL's, curl's and Go's.
        public var authorities: String? = Environment.value("SSL_CERT_FILE")

        public init() {}
    }

    /// For what needs no settings of its own; it is never shut down.
    public static let shared = HTTPClient()

    let configuration: Configuration
    let hosts: Hosts
    private let tls = Mutex<NIOSSLContext?>(nil)

    public init(configuration: Configuration = Configuration()) {
        self.configuration = configuration
        hosts = Hosts(perHost: configuration.connectionsPerHost)
    }

    deinit { for connection in hosts.close() { connection.close() } }

    /// Closes what is kept; requests under way end, further ones fail.
    public func shutdown() { for connection in hosts.close() { connection.close() } }

    /// Sends a request and waits for the head of its answer.
    /// - Parameter timeout: for the whole answer, its body included; nil for one that has no end.
    public func execute(_ request: HTTPClientRequest, timeout: TimeAmount? = nil) async throws -> HTTPClientResponse {
        let target = try Target(request.url)
        let deadline = timeout.map { NIODeadline.now() + $0 }
        while true {
            // Whoever ends an exchange, or can't begin it, leaves.
            try await hosts.enter(target.host, until: deadline)
            if let kept = hosts.take(target.host) {
                do { return try await exchange(request, target, on: kept, until: deadline) } catch is LostBeforeAnswer {
                    // Another kept one may be as old; a new one, at last, is not.
                    continue
                }
            }
            let connection: Connection
            do { connection = try await connect(target, until: deadline) } catch {
                hosts.leave(target.host)
                throw error
            }
            return try await exchange(request, target, on: connection, until: deadline)
        }
    }

    private func exchange(
        _ request: HTTPClientRequest, _ target: Target, on connection: Connection, until deadline: NIODeadline?
    ) async throws -> HTTPClientResponse {
        let exchange = Exchange(
            connection: connection, deadline: deadline, readTimeout: configuration.readTimeout
        ) { [hosts, configuration] reusable in
            // Before its place is free: who gets that finds the connection, and makes no further one.
            if reusable {
                hosts.keep(connection, target.host, for: configuration.idleTimeout)
            } else {
                connection.close()
            }
            hosts.leave(target.host)
        }
        var head = HTTPRequestHead(
            version: .http1_1, method: request.method, uri: target.path, headers: request.headers)
        head.headers.replaceOrAdd(name: "host", value: target.authority)
        let body = request.body?.bytes
        if let body {
            head.headers.replaceOrAdd(name: "content-length", value: String(body.readableBytes))
        } else if request.method == .POST || request.method == .PUT {
            head.headers.replaceOrAdd(name: "content-length", value: "0")
        }
        return try await exchange.run(head, body)
    }

    private func connect(_ target: Target, until deadline: NIODeadline?) async throws -> Connection {
        var limit = configuration.connectTimeout
        if let deadline { limit = min(limit, max(.milliseconds(1), deadline - .now())) }
        let context = target.isSecure ? try secured() : nil
        let connection = Connection()
        do {
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(limit)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        if let context {
                            try pipeline.addHandler(
                                NIOSSLClientHandler(
                                    context: context, serverHostname: target.isAddress ? nil : target.name))
                        }
                        try pipeline.addHTTPClientHandlers()
                        try pipeline.addHandler(AnswerHandler(connection))
                    }
                }
                .connect(host: target.name, port: target.port).get()
            connection.open(channel)
            return connection
        } catch ChannelError.connectTimeout {
            if let deadline, deadline <= .now() { throw HTTPClientError.deadlineExceeded }
            throw HTTPClientError.connectTimeout
        }
    }

    private func secured() throws -> NIOSSLContext {
        try tls.withLock { context in
            if let context { return context }
            var settings = TLSConfiguration.makeClientConfiguration()
            if let path = configuration.authorities {
                guard let certificates = try? NIOSSLCertificate.fromPEMFile(path), !certificates.isEmpty else {
                    throw HTTPClientError.noAuthorities(path)
                }
                settings.trustRoots = .certificates(certificates)
            }
            let made = try NIOSSLContext(configuration: settings)
            context = made
            return made
        }
    }
}

/// What the client itself found wrong; what the system said comes as it is.
public enum HTTPClientError: Error, Equatable, Sendable {
    case invalidURL
    case connectTimeout
    /// The whole answer was not there in time.
    case deadlineExceeded
    /// Nothing came for ``HTTPClient/Configuration/readTimeout``.
    case readTimeout
    case remoteConnectionClosed
    /// The file of authorities can't be read, or has no certificate.
    case noAuthorities(String)
    case shutDown
}

public struct HTTPClientRequest: Sendable {
    public struct Body: Sendable {
        let bytes: ByteBuffer

        public static func bytes(_ buffer: ByteBuffer) -> Body { Body(bytes: buffer) }
        public static func bytes(_ bytes: some Sequence<UInt8>) -> Body { Body(bytes: ByteBuffer(bytes: bytes)) }
    }

    /// Absolute, http or https, percent-encoded.
    public var url: String
    public var method: HTTPMethod = .GET
    public var headers = HTTPHeaders()
    public var body: Body?

    public init(url: String) { self.url = url }
}

public struct HTTPClientResponse: Sendable {
    public let status: HTTPResponseStatus
    public let headers: HTTPHeaders
    public let body: Body

    /// The body as it comes. It can be read once; one that is left unread closes its connection.
    public struct Body: AsyncSequence, Sendable {
        public typealias Element = ByteBuffer

        let source: BodySource

        public struct Iterator: AsyncIteratorProtocol {
            let source: BodySource

            public func next() async throws -> ByteBuffer? { try await source.exchange.next() }
        }

        public func makeAsyncIterator() -> Iterator { Iterator(source: source) }

        /// All of it.
        /// - Throws: `NIOTooManyBytesError` for a longer one.
        public func collect(upTo limit: Int) async throws -> ByteBuffer {
            var all = ByteBuffer()
            for try await var part in self {
                guard all.readableBytes + part.readableBytes <= limit else {
                    throw NIOTooManyBytesError(maxBytes: limit)
                }
                all.writeBuffer(&part)
            }
            return all
        }
    }
}

/// Ends an exchange whose answer nobody reads any more.
final class BodySource: Sendable {
    let exchange: Exchange

    init(_ exchange: Exchange) { self.exchange = exchange }
    deinit { exchange.abandon() }
}

/// Where a request goes.
package struct Target: Sendable {
    let isSecure: Bool
    let name: String
    let port: Int
    package let path: String

    package init(_ url: String) throws(HTTPClientError) {
        let secure = url.hasPrefix("https://")
        guard secure || url.hasPrefix("http://") else { throw .invalidURL }
        let rest = url.dropFirst(secure ? 8 : 7)
        let slash = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<slash]
        var path = String(rest[slash...])
        if !path.hasPrefix("/") { path = "/" + path }
        guard path.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else { throw .invalidURL }
        var host = authority
        var port = secure ? 443 : 80
        // The colon of a port stands after an IPv6 address's bracket.
        if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
            guard let number = UInt16(authority[authority.index(after: colon)...]), number > 0 else {
                throw .invalidURL
            }
            host = authority[..<colon]
            port = Int(number)
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "@") }) else {
            throw .invalidURL
        }
        isSecure = secure
        name = String(host)
        self.port = port
        self.path = path
    }

    var authority: String { (name.contains(":") ? "[\(name)]" : name) + ":\(port)" }
    /// Connections are kept under this.
    package var host: String { (isSecure ? "https://" : "http://") + authority }
    /// TLS sends names, not addresses, as the server's name.
    var isAddress: Bool { name.contains(":") || name.allSatisfy { $0.isNumber || $0 == "." } }
}
