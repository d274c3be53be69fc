import AsyncHTTPClient
import Encoding
import NIOCore
import Primitives
import Training

/// Delivers envelopes to other workers, trying again until a deadline: a peer may start later, restart or move.
package struct Postman: Sendable {
    private let http: HTTPClient
    private let members: Members

    package init(members: Members) {
        var configuration = HTTPClient.Configuration()
        // A peer must not send this worker's messages elsewhere.
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: .seconds(3))
        configuration.connectionPool.retryConnectionEstablishment = false
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        self.members = members
    }

    package func shutdown() async { try? await http.shutdown() }

    /// - Throws: ``WorkerError/peer(_:)`` when the receiver has not taken it by the deadline, or never will.
    package func deliver(_ envelope: Envelope, to account: Account, until deadline: ContinuousClock.Instant) async throws {
        let body = ByteBuffer(bytes: envelope.borsh)
        var lastFailure = "no answer"
        var again = false
        while true {
            if let endpoint = await members.endpoint(of: account, again: again) {
                do {
                    switch try await post(body, to: endpoint, until: deadline) {
                    case 202: return
                    case 400, 413:
                        throw WorkerError.peer("\(account.short) at \(endpoint) does not take this envelope")
                    case let status: lastFailure = "\(endpoint) answered \(status)"
                    }
                } catch let error as WorkerError {
                    throw error
                } catch {
                    lastFailure = "\(endpoint): \(error)"
                }
            } else {
                lastFailure = "it has published no endpoint that can be used"
            }
            guard ContinuousClock.now < deadline else { break }
            try await Task.sleep(for: .milliseconds(WorkerLimits.retryMs))
            again = true
        }
        throw WorkerError.peer("\(account.short) did not take an envelope: \(lastFailure)")
    }

    private func post(_ body: ByteBuffer, to endpoint: Endpoint, until deadline: ContinuousClock.Instant) async throws -> UInt {
        var request = HTTPClientRequest(url: "http://\(endpoint)/v1/envelopes")
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/octet-stream")
        request.body = .bytes(body)
        let left = max(.milliseconds(WorkerLimits.retryMs), deadline - ContinuousClock.now)
        return try await http.execute(
            request, timeout: .init(min(left, .milliseconds(WorkerLimits.requestMs)))
        ).status.code
    }

    /// The sealed front that a cloud holds for an account; nil while it has none.
    package func front(of account: Account, from cloud: Account) async throws -> SealedFront? {
        guard let endpoint = await members.endpoint(of: cloud, again: false) else { return nil }
        do { return try await front(of: account, at: endpoint) } catch {
            guard let moved = await members.endpoint(of: cloud, again: true), moved != endpoint else { throw error }
            return try await front(of: account, at: moved)
        }
    }

    private func front(of account: Account, at endpoint: Endpoint) async throws -> SealedFront? {
        let request = HTTPClientRequest(url: "http://\(endpoint)/v1/front/\(account)")
        let response = try await http.execute(request, timeout: .milliseconds(Int64(WorkerLimits.requestMs)))
        guard response.status == .ok else { return nil }
        return try SealedFront(borsh: Array(buffer: try await response.body.collect(upTo: WorkerLimits.sealedFrontBytes)))
    }
}
