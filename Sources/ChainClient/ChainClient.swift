import APIModel
import Cryptography
import Foundation
import Logging
import NIOCore
import Primitives
import Synchronization
import WebClient

/// # ChainClient
///
/// The typed client of a node's API, used by `chain-cli` and the workers.
///
/// The module promises
/// - **several nodes, one chain**: a request that a node can't answer (dead, stopping, overloaded, too slow) goes to
///   the next one; which node answered last is remembered;
/// - **no duplicates**: what is submitted again is the same signed transaction with the same id;
/// - every answer is bounded and checked before it is used, and every wait has a limit;
/// - errors name the node, what was wrong and what to do.
public final class ChainClient: Sendable {
    public struct Limits: Sendable {
        /// For one node to answer one request.
        public var request: TimeAmount = .seconds(15)
        /// For audit files and other large answers.
        public var largeRequest: TimeAmount = .seconds(120)
        public var connect: TimeAmount = .seconds(3)
        /// A node's event stream says something at least every 15 s.
        public var silence: TimeAmount = .seconds(40)
        public var answerBytes = 64 * 1_024 * 1_024
        public var auditBytes = 1_024 * 1_024 * 1_024

        public init() {}
    }

    public let nodes: [NodeAddress]
    public let limits: Limits
    let http: HTTPClient
    let logger: Logger
    /// Index of the node that answered last.
    private let preferred = Mutex(0)

    /// - Parameter nodes: tried in this order; without any, the default node on this machine.
    public init(nodes: [NodeAddress], limits: Limits = Limits(), logger: Logger? = nil) {
        self.nodes = nodes.isEmpty ? [.standard] : nodes
        self.limits = limits
        self.logger = logger ?? Logger(label: "client", factory: { _ in SwiftLogNoOpLogHandler() })
        var configuration = HTTPClient.Configuration()
        configuration.connectTimeout = limits.connect
        configuration.readTimeout = limits.silence
        http = HTTPClient(configuration: configuration)
    }

    /// Closes all connections. A client that goes out of use closes them by itself.
    public func shutdown() async throws { http.shutdown() }

    // MARK: Requests

    struct Call: Sendable {
        var method: String = "GET"
        /// From `/v1` on, percent-encoded.
        var path: String
        var body: [UInt8]?
        var mediaType = "application/octet-stream"
        var limit: Int
        var timeout: TimeAmount
    }

    struct Reply: Sendable {
        let node: NodeAddress
        let status: Int
        let body: ByteBuffer
    }

    func call(_ path: String, method: String = "GET", body: [UInt8]? = nil) -> Call {
        Call(method: method, path: path, body: body, limit: limits.answerBytes, timeout: limits.request)
    }

    /// Sends to the preferred node, then to the others, until one answers for good.
    func send(_ call: Call) async throws -> Reply {
        let first = preferred.withLock { $0 }
        var failures: [ClientError.Unreachable] = []
        var lastRefusal: ClientError?
        for offset in nodes.indices {
            let index = (first + offset) % nodes.count
            let node = nodes[index]
            do {
                let reply = try await send(call, to: node)
                // This node can't, or can't now; another one may.
                if nodes.count > 1, reply.status >= 500 || reply.status == 429 {
                    let refusal = refusal(reply, call)
                    // An account's credits are the same at each of them.
                    if reply.status >= 500 || refusal.code == "address_limit" {
                        lastRefusal = refusal
                        continue
                    }
                }
                preferred.withLock { $0 = index }
                return reply
            } catch let error as CancellationError {
                throw error
            } catch {
                if Task.isCancelled { throw CancellationError() }
                failures.append(ClientError.Unreachable(node: node, reason: HTTPClient.reason(error)))
                logger.debug("node does not answer", metadata: ["node": "\(node)", "error": "\(error)"])
            }
        }
        if let lastRefusal { throw lastRefusal }
        throw ClientError.unreachable(failures)
    }

    private func send(_ call: Call, to node: NodeAddress) async throws -> Reply {
        var request = HTTPClientRequest(url: node.url + call.path)
        request.method = .init(rawValue: call.method)
        request.headers.add(name: "accept", value: "application/json")
        if let body = call.body {
            request.headers.add(name: "content-type", value: call.mediaType)
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        let response = try await http.execute(request, timeout: call.timeout)
        let body = try await response.body.collect(upTo: call.limit)
        return Reply(node: node, status: Int(response.status.code), body: body)
    }

    /// The document of a successful answer.
    func get<Document: Decodable>(_ call: Call, as type: Document.Type = Document.self) async throws -> Document {
        let reply = try await send(call)
        guard (200...299).contains(reply.status) else { throw refusal(reply, call) }
        return try decode(reply, call)
    }

    /// The same; nil where the node answers that there is no such thing.
    func find<Document: Decodable>(_ call: Call, as type: Document.Type = Document.self) async throws -> Document? {
        let reply = try await send(call)
        if reply.status == 404 {
            let error = refusal(reply, call)
            if error.code == "unknown_route" { throw error }
            return nil
        }
        guard (200...299).contains(reply.status) else { throw refusal(reply, call) }
        return try decode(reply, call)
    }

    private func decode<Document: Decodable>(_ reply: Reply, _ call: Call) throws -> Document {
        do { return try JSONDecoder().decode(Document.self, from: Data(reply.body.readableBytesView)) } catch {
            throw ClientError.badAnswer(node: reply.node, path: call.path, reason: Self.text(of: error))
        }
    }

    func refusal(_ reply: Reply, _ call: Call) -> ClientError {
        guard
            let document = try? JSONDecoder().decode(ErrorDocument.self, from: Data(reply.body.readableBytesView))
        else {
            return .badAnswer(
                node: reply.node, path: call.path, reason: "status \(reply.status) without an error document")
        }
        return .refused(
            node: reply.node, status: reply.status, code: document.error.code, reason: document.error.reason,
            retryAfterMs: document.error.retryAfterMs?.wrappedValue)
    }

    /// Makes the next request start at another node than this one.
    func avoid(_ node: NodeAddress) {
        preferred.withLock { index in
            if nodes[index] == node { index = (index + 1) % nodes.count }
        }
    }

    /// Where the next request goes first.
    var preferredNode: NodeAddress { nodes[preferred.withLock { $0 }] }

    /// Where a document differs from what it should be.
    static func text(of error: any Error) -> String {
        func place(_ path: [any CodingKey]) -> String {
            path.isEmpty
                ? "the document"
                : "'" + path.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".") + "'"
        }
        switch error {
        case DecodingError.keyNotFound(let key, let context): return "it has no \(place(context.codingPath + [key]))"
        case DecodingError.valueNotFound(_, let context), DecodingError.typeMismatch(_, let context):
            return "\(place(context.codingPath)) has another form than expected"
        case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
            return "\(place(context.codingPath)) is no such value as expected"
        default: return "it is not JSON"
        }
    }
}
