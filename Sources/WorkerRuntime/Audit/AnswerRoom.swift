import Synchronization

/// The bytes that answers to an auditor may take, all together, while many are asked at a time.
///
/// Who finds no room waits, and what waits in the sockets holds its sender back. The answer that was begun first always
/// goes on, up to its own limit, so that they never all wait for each other.
package final class AnswerRoom: Sendable {
    private struct State {
        var next: UInt64 = 0
        var bytes: [UInt64: Int] = [:]
        var sum = 0
    }

    private let most: Int
    private let state = Mutex(State())

    package init(most: Int) { self.most = most }

    /// What one answer takes; given back when the last reference goes.
    package final class Place: Sendable {
        private let room: AnswerRoom
        private let number: UInt64

        fileprivate init(_ room: AnswerRoom, _ number: UInt64) {
            self.room = room
            self.number = number
        }

        /// - Returns: false where there is no room for so many bytes more yet.
        package func take(_ bytes: Int) -> Bool { room.take(bytes, for: number) }

        deinit { room.leave(number) }
    }

    package func place() -> Place {
        let number = state.withLock { state in
            state.next &+= 1
            state.bytes[state.next] = 0
            return state.next
        }
        return Place(self, number)
    }

    package var bytes: Int { state.withLock { $0.sum } }

    private func take(_ bytes: Int, for number: UInt64) -> Bool {
        state.withLock { state in
            guard state.sum + bytes <= most || state.bytes.keys.min() == number else { return false }
            state.bytes[number, default: 0] += bytes
            state.sum += bytes
            return true
        }
    }

    private func leave(_ number: UInt64) {
        state.withLock { state in state.sum -= state.bytes.removeValue(forKey: number) ?? 0 }
    }
}

/// Does the same with many, a bounded number of them at a time.
///
/// - Returns: what came of each, in their order.
/// - Throws: the first error of any; the others are cancelled.
package func together<Item: Sendable, Result: Sendable>(
    _ items: [Item], most: Int, _ body: @escaping @Sendable (Item) async throws -> Result
) async throws -> [Result] {
    try await withThrowingTaskGroup(of: (Int, Result).self) { group in
        var rest = items.enumerated().makeIterator()
        func addNext() {
            guard let (place, item) = rest.next() else { return }
            group.addTask { (place, try await body(item)) }
        }
        for _ in 0..<max(1, most) { addNext() }
        var results: [(place: Int, result: Result)] = []
        while let (place, result) = try await group.next() {
            results.append((place, result))
            addNext()
        }
        return results.sorted { $0.place < $1.place }.map(\.result)
    }
}
