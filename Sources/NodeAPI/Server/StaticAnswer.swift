import Cryptography
import Foundation
import Hummingbird

/// What never changes while the node runs, compressed once, with a name by which a client that has it is told just that
/// (RFC 9110, section 8.8.3).
struct StaticAnswer: Sendable {
    private let body: ByteBuffer
    private let compressed: ByteBuffer?
    private let tag: String
    private let headers: HTTPFields

    init(_ data: Data, headers: HTTPFields) {
        body = ByteBuffer(bytes: data)
        compressed = Compression.gzip(data).map { ByteBuffer(bytes: $0) }
        tag = "\"" + Digest(sha256: Array(data)).hex.prefix(32) + "\""
        var headers = headers
        headers[.eTag] = tag
        headers[.cacheControl] = "no-cache"
        headers[.vary] = "accept-encoding"
        self.headers = headers
    }

    func response(to request: Request) -> Response {
        let known =
            request.headers[.ifNoneMatch]?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) } ?? []
        if known.contains(where: { $0 == tag || $0 == "W/" + tag || $0 == "*" }) {
            return Response(
                status: .notModified, headers: [.eTag: tag, .cacheControl: "no-cache", .vary: "accept-encoding"])
        }
        guard let compressed, Compression.isWanted(request) else {
            return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: body))
        }
        var headers = headers
        headers[.contentEncoding] = "gzip"
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: compressed))
    }
}
