import APIModel
import Foundation
import Hummingbird
import Logging

/// An answer of 400 or more.
struct APIError: Error {
    let status: HTTPResponse.Status
    let document: ErrorDocument
    /// Whether what the client still sends is not worth reading.
    var closesConnection = false
    /// What a 405 names.
    var allowed: [HTTPRequest.Method] = []

    init(_ status: HTTPResponse.Status, _ code: String, _ reason: String, retryAfterMs: UInt64? = nil) {
        self.status = status
        document = ErrorDocument(code: code, reason: reason, retryAfterMs: retryAfterMs)
    }

    static func badParameter(_ name: String, _ reason: String) -> APIError {
        APIError(.badRequest, "bad_parameter", "\(name): \(reason)")
    }

    static func unknown(_ what: String, _ reason: String) -> APIError {
        APIError(.notFound, "unknown_\(what)", reason)
    }

    static let busy = APIError(
        .serviceUnavailable, "busy", "the node answers as many requests of this kind as it can; try again in a second",
        retryAfterMs: 1_000)

    /// The client's address has all the places that one may have, while others may have some.
    static func addressLimit(_ what: String, _ limit: Int, retryAfterMs: UInt64) -> APIError {
        APIError(
            .tooManyRequests, "address_limit",
            "one address may have \(limit) \(what) at a time, and all of them are taken; try again when one of yours has ended, or ask another node",
            retryAfterMs: retryAfterMs)
    }

    init(_ refusal: SubmissionRefusal) {
        let status: HTTPResponse.Status =
            switch refusal.code {
            case .malformed: .badRequest
            case .tooLarge: .contentTooLarge
            case .badSignature: .forbidden
            case .sequenceUsed, .sequencePending, .sequenceTooFar: .conflict
            case .insufficientCredits: .tooManyRequests
            case .poolFull, .notReady: .serviceUnavailable
            case .expired, .validTooLong, .gasLimit, .insufficientBalance, .unknownAction, .unknownService:
                .unprocessableContent
            }
        self.init(status, refusal.code.rawValue, refusal.reason, retryAfterMs: refusal.retryAfterMs)
    }

    var answer: ShortAnswer {
        var headers: HTTPFields = [.contentType: "application/json", .cacheControl: "no-store"]
        if let wait = document.error.retryAfterMs?.wrappedValue {
            headers[.retryAfter] = String(wait / 1_000 + (wait % 1_000 == 0 ? 0 : 1))
        }
        if closesConnection { headers[.connection] = "close" }
        if !allowed.isEmpty { headers[.allow] = allowed.map(\.rawValue).joined(separator: ", ") }
        return ShortAnswer(status: status, headers: headers, body: ByteBuffer(bytes: JSONAnswer.data(document)))
    }

    var response: Response {
        let answer = answer
        return Response(status: answer.status, headers: answer.headers, body: ResponseBody(byteBuffer: answer.body))
    }
}

/// Turns every error into the JSON that clients can rely on; details of the node's own failures go to the log only.
struct ErrorMiddleware: RouterMiddleware {
    typealias Context = APIContext

    let logger: Logger

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as APIError {
            if error.closesConnection {
                let close = context.closeConnection
                Task {
                    // Time for the answer to arrive: closing at once would reset the connection under it.
                    try? await Task.sleep(for: .seconds(2))
                    close()
                }
            }
            return error.response
        } catch let error as NotHeld {
            return APIError(.gone, "before_snapshot", error.description).response
        } catch let error as StoreDamaged {
            return APIError(.serviceUnavailable, "store_damaged", error.description).response
        } catch let error as any HTTPResponseError where error.status == .notFound {
            let allowed = Routes.methods(of: request.uri.path)
            if !allowed.isEmpty {
                var error = APIError(
                    .methodNotAllowed, "wrong_method",
                    "\(request.uri.path.prefix(100)) takes \(allowed.map(\.rawValue).joined(separator: ", ")), not \(request.method.rawValue.prefix(20))"
                )
                error.allowed = allowed
                return error.response
            }
            return APIError(
                .notFound, "unknown_route",
                "there is no \(request.method.rawValue) \(request.uri.path.prefix(100)); /openapi.json lists what there is"
            ).response
        } catch is CancellationError {
            return APIError(.serviceUnavailable, "stopping", "the node is stopping; ask another one").response
        } catch {
            logger.error("request failed", metadata: ["path": "\(request.uri.path.prefix(100))", "error": "\(error)"])
            return APIError(
                .internalServerError, "internal", "the node could not answer; its log says why"
            ).response
        }
    }
}

enum JSONAnswer {
    static func data(_ document: some Encodable) -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // The documents are plain values whose encoding never throws.
        return (try? encoder.encode(document)) ?? Data("{}".utf8)
    }

    static func response(_ document: some Encodable, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: data(document))))
    }
}
