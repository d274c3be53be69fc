import NIOCore
import NIOPosix
import Synchronization

/// The connections that are kept, and how many are in use, by host.
final class Hosts: Sendable {
    private struct Host {
        var inUse = 0
        var kept: [Connection] = []
        /// In the order in which they came.
        var waiting: [(number: UInt64, continuation: CheckedContinuation<Void, any Error>)] = []
    }

    private struct State {
        var hosts: [String: Host] = [:]
        var number: UInt64 = 0
        var isClosed = false
    }

    private let perHost: Int
    private let state = Mutex(State())

    init(perHost: Int) { self.perHost = max(1, perHost) }

    /// Waits until the host has a place for one more exchange.
    func enter(_ host: String, until deadline: NIODeadline?) async throws {
        guard let number = try number(toEnter: host) else { return }
        let timer = deadline.map { time in
            MultiThreadedEventLoopGroup.singleton.any().scheduleTask(deadline: time) { () -> Void in
                self.giveUp(host, number, HTTPClientError.deadlineExceeded)
            }
        }
        defer { timer?.cancel() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let outcome: Result<Void, any Error>? = state.withLock { state in
                    if state.isClosed { return .failure(HTTPClientError.shutDown) }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if let deadline, deadline <= .now() { return .failure(HTTPClientError.deadlineExceeded) }
                    if state.hosts[host, default: Host()].inUse < perHost {
                        state.hosts[host, default: Host()].inUse += 1
                        return .success(())
                    }
                    state.hosts[host]?.waiting.append((number, continuation))
                    return nil
                }
                if let outcome { continuation.resume(with: outcome) }
            }
        } onCancel: {
            giveUp(host, number, CancellationError())
        }
    }

    /// Takes a place; else the number under which to wait for one.
    private func number(toEnter host: String) throws -> UInt64? {
        try state.withLock { state in
            if state.isClosed { throw HTTPClientError.shutDown }
            if state.hosts[host, default: Host()].inUse < perHost {
                state.hosts[host, default: Host()].inUse += 1
                return nil
            }
            state.number += 1
            return state.number
        }
    }

    private func giveUp(_ host: String, _ number: UInt64, _ error: any Error) {
        let waiting = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            guard let index = state.hosts[host]?.waiting.firstIndex(where: { $0.number == number }) else {
                return nil
            }
            return state.hosts[host]?.waiting.remove(at: index).continuation
        }
        waiting?.resume(throwing: error)
    }

    /// An exchange is over: its place goes to whoever waits longest.
    func leave(_ host: String) {
        let next = state.withLock { state -> CheckedContinuation<Void, any Error>? in
            guard var entry = state.hosts[host] else { return nil }
            defer { state.hosts[host] = entry.inUse == 0 && entry.kept.isEmpty ? nil : entry }
            guard entry.waiting.isEmpty else { return entry.waiting.removeFirst().continuation }
            entry.inUse -= 1
            return nil
        }
        next?.resume()
    }

    /// The connection that was used last.
    func take(_ host: String) -> Connection? {
        state.withLock { state in
            while let connection = state.hosts[host]?.kept.popLast() {
                if connection.isOpen { return connection }
            }
            return nil
        }
    }

    func keep(_ connection: Connection, _ host: String, for time: TimeAmount) {
        let isKept = state.withLock { state in
            guard !state.isClosed, connection.isOpen else { return false }
            state.hosts[host, default: Host()].kept.append(connection)
            return true
        }
        guard isKept else { return connection.close() }
        connection.after(time) { [weak self, weak connection] in
            guard let connection, self?.drop(connection, host) == true else { return }
            connection.close()
        }
    }

    /// Whether it was still there, used by nobody since.
    private func drop(_ connection: Connection, _ host: String) -> Bool {
        state.withLock { state in
            guard let index = state.hosts[host]?.kept.firstIndex(where: { $0 === connection }) else { return false }
            state.hosts[host]?.kept.remove(at: index)
            if let entry = state.hosts[host], entry.inUse == 0, entry.kept.isEmpty { state.hosts[host] = nil }
            return true
        }
    }

    /// What is to be closed; everything that waits ends.
    func close() -> [Connection] {
        let (kept, waiting) = state.withLock { state in
            state.isClosed = true
            let all = state.hosts.values.flatMap(\.kept)
            let waiting = state.hosts.values.flatMap(\.waiting)
            for host in state.hosts.keys {
                state.hosts[host]?.kept = []
                state.hosts[host]?.waiting = []
            }
            return (all, waiting)
        }
        for entry in waiting { entry.continuation.resume(throwing: HTTPClientError.shutDown) }
        return kept
    }
}
