import Primitives
import Synchronization

/// Final blocks on their way to the store, which takes all that wait at once.
final class WaitingCommits: Sendable {
    private let commits = Mutex<[Commit]>([])

    /// - Returns: whether nothing waited before.
    func add(_ more: [Commit]) -> Bool {
        commits.withLock { commits in
            defer { commits += more }
            return commits.isEmpty
        }
    }

    func takeAll() -> [Commit] {
        commits.withLock { commits in
            defer { commits = [] }
            return commits
        }
    }
}
