import NIOCore
import Synchronization

/// A host's line to all others: what it sends to whomever goes through one direction of it, what comes from whomever
/// through the other.
package final class AccessLine: Sendable {
    let up: Lane
    let down: Lane

    package init(bytesPerSecond: Int) {
        up = Lane(bytesPerSecond: bytesPerSecond)
        down = Lane(bytesPerSecond: bytesPerSecond)
    }
}

/// One direction of a line: bytes pass one after the other, at a rate. What waits before it is bounded: when that is full,
/// nobody is read from who sends through it, until TCP makes the sender itself wait.
final class Lane: Sendable {
    /// What waits before a line, as in the queue of a network card; above it nothing more is read.
    static let queueBytes = 256_000

    private let bytesPerSecond: Int64
    private let state = Mutex(State())

    private struct State {
        /// When all that was given to it has passed.
        var free = NIODeadline.uptimeNanoseconds(0)
        var bytes = 0
    }

    init(bytesPerSecond: Int) { self.bytesPerSecond = Int64(max(1, bytesPerSecond)) }

    /// When these bytes, which come at that time, have passed behind all that came before.
    func pass(_ bytes: Int, from time: NIODeadline) -> NIODeadline {
        state.withLock { state in
            state.bytes += bytes
            state.free = max(state.free, time) + length(bytes)
            return state.free
        }
    }

    /// All that was given to it.
    var bytes: Int { state.withLock { $0.bytes } }

    func isFull(at now: NIODeadline) -> Bool { waiting(at: now) > length(Self.queueBytes) }

    /// How long until half of the queue is free; nil where it is.
    func untilRoom(at now: NIODeadline) -> TimeAmount? {
        let excess = waiting(at: now) - length(Self.queueBytes / 2)
        return excess > .zero ? excess : nil
    }

    private func waiting(at now: NIODeadline) -> TimeAmount { max(.zero, state.withLock { $0.free } - now) }
    private func length(_ bytes: Int) -> TimeAmount { .nanoseconds(Int64(bytes) * 1_000_000_000 / bytesPerSecond) }
}
