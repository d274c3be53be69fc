import AsyncHTTPClient
import Encoding
import Foundation
import NIOCore
import Primitives
import Training

/// Delivers envelopes to other workers, trying again until a deadline: a peer may start later or restart.
struct Postman: Sendable {
    let http: HTTPClient

    func deliver(_ envelope: Envelope, to endpoint: String, until deadline: ContinuousClock.Instant) async throws {
        let body = ByteBuffer(bytes: envelope.borsh)
        var lastFailure = "no answer"
        repeat {
            do {
                var request = HTTPClientRequest(url: "http://\(endpoint)/v1/envelopes")
                request.method = .POST
                request.headers.add(name: "content-type", value: "application/octet-stream")
                request.body = .bytes(body)
                let response = try await http.execute(request, timeout: .seconds(10))
                if response.status == .accepted { return }
                lastFailure = "it answered \(response.status.code)"
                if response.status == .badRequest { break }
            } catch {
                lastFailure = "\(error)"
            }
            try await Task.sleep(for: .milliseconds(WorkerLimits.retryMs))
        } while ContinuousClock.now < deadline
        throw WorkerError.peer("the worker at \(endpoint) did not take an envelope: \(lastFailure)")
    }

    /// The sealed front that a cloud holds for an account.
    func front(of account: Account, from endpoint: String) async throws -> SealedFront? {
        let request = HTTPClientRequest(url: "http://\(endpoint)/v1/front/\(account)")
        let response = try await http.execute(request, timeout: .seconds(10))
        guard response.status == .ok else { return nil }
        let body = try await response.body.collect(upTo: 1 << 20)
        return try SealedFront(borsh: Array(buffer: body))
    }
}
