import APIModel
import ChainClient
import Cryptography
import Foundation
import Logging
import NIOCore
import NodeAPI
import Primitives
import Testing
import WebClient

/// Runs a server for the node on a free loopback port while `body` works with it.
func serving<Result: Sendable>(
    _ node: FakeNode, configure: (inout APIConfiguration) -> Void = { _ in },
    _ body: @escaping @Sendable (LiveNode) async throws -> Result
) async throws -> Result {
    var configuration = APIConfiguration()
    configuration.port = 0
    configure(&configuration)
    let server = APIServer(
        backend: node, configuration: configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let (ports, announce) = AsyncStream.makeStream(of: Int.self)
    return try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask {
            try await server.run { announce.yield($0) }
            return nil
        }
        group.addTask {
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            return try await body(LiveNode(port: port, node: node))
        }
        defer { group.cancelAll() }
        while let result = try await group.next() {
            if let result { return result }
        }
        throw CancellationError()
    }
}

struct LiveNode: Sendable {
    let port: Int
    let node: FakeNode

    var url: String { "http://127.0.0.1:\(port)" }
    private static let http = HTTPClient()
    func address() throws -> NodeAddress { try NodeAddress(url) }
    func client() throws -> ChainClient { ChainClient(nodes: [try address()]) }

    struct Answer: Sendable {
        let status: Int
        let headers: [String: String]
        let body: [UInt8]
        var text: String { String(decoding: body, as: UTF8.self) }

        func error() throws -> ErrorDocument.Detail {
            try JSONDecoder().decode(ErrorDocument.self, from: Data(body)).error
        }
    }

    /// One request without the typed client.
    func request(
        _ path: String, method: String = "GET", body: [UInt8]? = nil, type: String = "application/octet-stream",
        headers: [String: String] = [:]
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url + path)
        request.method = .init(rawValue: method)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body {
            request.headers.add(name: "content-type", value: type)
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        let response = try await Self.http.execute(request, timeout: .seconds(120))
        let bytes = try await response.body.collect(upTo: 16_000_000)
        return Answer(
            status: Int(response.status.code),
            headers: Dictionary(response.headers.map { ($0.name.lowercased(), $0.value) }) { first, _ in first },
            body: Array(bytes.readableBytesView))
    }
}

extension SignedTransaction {
    static func record(
        _ text: String, sequence: UInt64, key: PrivateKey = FakeNode.alice, genesis: Digest, action: UInt16 = 5,
        service: String = "s"
    ) throws -> SignedTransaction {
        let transaction = try Transaction(
            sender: Account(key.publicKey), sequence: sequence, validUntil: Time(9_000_000_000_000), gasLimit: 100_000,
            serviceId: #require(ServiceId(service)), postId: #require(PostId("p")), actionId: ActionId(action),
            data: Array(text.utf8))
        return try SignedTransaction(signing: transaction, with: key, genesis: genesis)
    }
}
