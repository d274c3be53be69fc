import Cryptography
import Encoding
import Foundation
import NIOCore
import Primitives
import Training
import WebClient

/// Delivers envelopes to other workers, trying again until a deadline: a peer may start later, restart or move. And
/// asks them questions.
package struct Postman: Sendable {
    private let http: HTTPClient
    private let members: Members
    private let key: PrivateKey
    private let genesis: Digest
    private let job: Account

    /// - Parameters:
    ///   - key: signs questions.
    ///   - job: the job's contract.
    package init(members: Members, key: PrivateKey, genesis: Digest, job: Account) {
        var configuration = HTTPClient.Configuration()
        configuration.connectTimeout = .seconds(3)
        configuration.connectionsPerHost = WorkerLimits.connectionsOfOneMember
        // The other side closes a silent connection; this side lets go of it first.
        configuration.idleTimeout = .milliseconds(WorkerLimits.idleMs / 2)
        http = HTTPClient(configuration: configuration)
        self.members = members
        self.key = key
        self.genesis = genesis
        self.job = job
    }

    package func shutdown() async { http.shutdown() }

    /// - Throws: ``WorkerError/peer(_:)`` when the receiver has not taken it by the deadline, or never will.
    package func deliver(_ envelope: Envelope, to account: Account, until deadline: ContinuousClock.Instant)
        async throws
    {
        let head = Hexadecimal.encode(envelope.head.borsh)
        let body = ByteBuffer(bytes: envelope.ciphertext)
        var lastFailure = "no answer"
        var again = false
        while true {
            if let endpoint = await members.endpoint(of: account, again: again) {
                do {
                    switch try await post(head, body, to: endpoint, until: deadline) {
                    case 202: return
                    case 400, 413:
                        throw WorkerError.peer("\(account.short) at \(endpoint) does not take this envelope")
                    case let status: lastFailure = "\(endpoint) answered \(status)"
                    }
                } catch let error as WorkerError {
                    throw error
                } catch {
                    lastFailure = "\(endpoint): \(HTTPClient.reason(error))"
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

    private func post(
        _ head: String, _ body: ByteBuffer, to endpoint: Endpoint, until deadline: ContinuousClock.Instant
    ) async throws -> UInt {
        var request = HTTPClientRequest(url: "http://\(endpoint)/v1/envelopes")
        request.method = .POST
        request.headers.add(name: "edgeproof-envelope", value: head)
        request.body = .bytes(body)
        let left = max(.milliseconds(WorkerLimits.retryMs), deadline - ContinuousClock.now)
        let allowance = WorkerLimits.transferMs + Int64(body.readableBytes) / WorkerLimits.slowestBytesPerMs
        return try await http.execute(request, timeout: .init(min(left, .milliseconds(allowance)))).status.code
    }

    /// What a worker answers to a question; nil while it has no answer.
    /// - Parameters:
    ///   - limit: bytes of the longest answer that is taken.
    ///   - time: for the whole answer.
    ///   - silence: time in which it has to begin; nil for the same.
    ///   - place: where the answer's bytes have to find room.
    package func ask(
        _ kind: WorkerRequest.Kind, _ argument: [UInt8] = [], of account: Account, limit: Int,
        within time: Duration? = nil, silence: Duration? = nil, place: AnswerRoom.Place? = nil
    ) async throws -> [UInt8]? {
        guard let endpoint = await members.endpoint(of: account, again: false) else { return nil }
        func ask(at endpoint: Endpoint) async throws -> [UInt8]? {
            try await self.ask(
                kind, argument, of: account, at: endpoint, limit: limit, within: time, silence: silence, place: place)
        }
        do { return try await ask(at: endpoint) } catch {
            guard let moved = await members.endpoint(of: account, again: true), moved != endpoint else { throw error }
            return try await ask(at: moved)
        }
    }

    package func ask(
        _ kind: WorkerRequest.Kind, _ argument: [UInt8], of account: Account, at endpoint: Endpoint, limit: Int,
        within time: Duration? = nil, silence: Duration? = nil, place: AnswerRoom.Place? = nil
    ) async throws -> [UInt8]? {
        let now = Time(UInt64(clamping: Int64(Date().timeIntervalSince1970 * 1_000)))
        let question = try WorkerRequest(
            kind, argument: argument, job: job, receiver: account, time: now, key: key, genesis: genesis)
        var request = HTTPClientRequest(url: "http://\(endpoint)/v1/ask")
        request.headers.add(name: "edgeproof-request", value: Hexadecimal.encode(question.borsh))
        let allowance = time ?? .milliseconds(WorkerLimits.transferMs + Int64(limit) / WorkerLimits.slowestBytesPerMs)
        let deadline = ContinuousClock.now + allowance
        let response = try await begin(request, within: allowance, silence: silence)
        guard response.status == .ok else { return nil }
        guard let place else { return Array(buffer: try await response.body.collect(upTo: limit)) }
        var answer: [UInt8] = []
        for try await part in response.body {
            guard answer.count + part.readableBytes <= limit else { throw NIOTooManyBytesError(maxBytes: limit) }
            while !place.take(part.readableBytes) {
                guard ContinuousClock.now < deadline else { throw HTTPClientError.deadlineExceeded }
                try await Task.sleep(for: .milliseconds(50))
            }
            answer.append(contentsOf: part.readableBytesView)
        }
        return answer
    }

    /// The answer's head, in a part of the whole answer's time.
    private func begin(
        _ request: HTTPClientRequest, within allowance: Duration, silence: Duration?
    ) async throws -> HTTPClientResponse {
        guard let silence, silence < allowance else { return try await http.execute(request, timeout: .init(allowance)) }
        return try await withThrowingTaskGroup(of: HTTPClientResponse.self) { [http] group in
            group.addTask { try await http.execute(request, timeout: .init(allowance)) }
            group.addTask {
                try await Task.sleep(for: silence)
                throw HTTPClientError.deadlineExceeded
            }
            defer { group.cancelAll() }
            guard let response = try await group.next() else { throw CancellationError() }
            return response
        }
    }

    /// Whether another worker with this very key answers there.
    func isOwnKey(at endpoint: Endpoint) async -> Bool {
        let nonce = (0..<32).map { _ in UInt8.random(in: .min ... .max) }
        guard
            let answer = try? await ask(
                .sameKey, nonce, of: Account(key.publicKey), at: endpoint, limit: Signature.byteCount),
            let signature = Signature(answer)
        else { return false }
        return key.publicKey.isValid(
            signature, over: Presence(job: job, nonce: nonce), domain: .workerPresence, genesis: genesis)
    }
}
