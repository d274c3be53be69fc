import Cryptography
import JobProtocol
import Primitives

/// Who takes part in the job, as the chain said last: whose envelopes are taken, and where answers go.
///
/// It asks the chain again for an account that it does not know, or whose endpoint does not answer, but not more often
/// than once in `pause`: strangers can't make a worker ask for ever.
package actor Members {
    private let pause: Duration
    private let ask: @Sendable () async throws -> [JobParticipant]
    private var all: [Account: JobParticipant] = [:]
    private var askedAt: ContinuousClock.Instant?
    private var asking: Task<Void, Never>?

    package init(
        pause: Duration = .milliseconds(WorkerLimits.pollMs), ask: @escaping @Sendable () async throws -> [JobParticipant]
    ) {
        self.pause = pause
        self.ask = ask
    }

    package func update(_ participants: [JobParticipant]) {
        all = [:]
        for participant in participants { all[participant.account] = participant }
        askedAt = .now
    }

    /// The participant, unless it is unknown or has no place in the job.
    package func member(_ account: Account) async -> JobParticipant? {
        if all[account] == nil { await refresh() }
        guard let member = all[account], member.standing != .applied, member.standing != .released else { return nil }
        return member
    }

    /// - Parameter again: what was known before did not answer: the worker may have moved.
    func endpoint(of account: Account, again: Bool) async -> Endpoint? {
        if again || all[account] == nil { await refresh() }
        return all[account].flatMap { Endpoint($0.endpoint) }
    }

    private func refresh() async {
        if let asking { return await asking.value }
        if let askedAt, ContinuousClock.now - askedAt < pause { return }
        let task = Task {
            if let found = try? await ask() { update(found) }
            askedAt = .now
            asking = nil
        }
        asking = task
        await task.value
    }
}

/// `host:port` as another worker published it. Nothing that would make another URL of it is taken.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits), port > 0 else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard !host.isEmpty, host.utf8.allSatisfy({ Self.isHexadecimal($0) || $0 == 0x3a || $0 == 0x2e }) else { return nil }
        } else {
            guard !host.isEmpty, host.utf8.allSatisfy({ Self.isLetterOrDigit($0) || $0 == 0x2d || $0 == 0x2e }) else { return nil }
        }
        description = "\(text[..<colon]):\(port)"
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20)
    }
}
