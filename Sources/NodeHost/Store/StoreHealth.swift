import Encoding
import Ledger
import Logging
import Primitives
import StateTree
import Storage
import Synchronization

/// What of the store could not be read while the node runs, for the log, `/metrics` and `status`.
///
/// Damage is an error where it is met, never a missing value: requests that meet it are answered with 503, and the machine
/// halts before it proposes or votes on a state that it can't read. Bodies of final blocks are fetched again
/// (``BlockHealer``); what is left is cured by a new store, as ``problem`` says.
package final class StoreHealth: Sendable {
    private static let repeatAfter = Duration.seconds(60)
    /// Blocks that are remembered, to be fetched again; others are found again when they are asked for.
    private static let mostBlocks = 4_096

    private struct State {
        var failures: UInt64 = 0
        var healed: UInt64 = 0
        var blocks: Set<Height> = []
        /// The first that is no block's body.
        var other: String?
        var toldAt: ContinuousClock.Instant?
    }

    private let path: String
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameter path: the store's folder.
    package init(path: String, logger: Logger) {
        self.path = path
        self.logger = logger
    }

    /// Takes note of what a read said.
    ///
    /// - Returns: whether it means damage; nothing is noted where it does not.
    @discardableResult
    package func note(_ error: any Error) -> Bool {
        guard Self.isDamage(error) else { return false }
        let block = (error as? UnreadableBlock)?.height
        let isTold = state.withLock { state in
            state.failures &+= 1
            var isNew = false
            if let block {
                if state.blocks.count < Self.mostBlocks { isNew = state.blocks.insert(block).inserted }
            } else if state.other == nil {
                state.other = "\(error)"
                isNew = true
            }
            let now = ContinuousClock.now
            guard isNew || state.toldAt.map({ now - $0 >= Self.repeatAfter }) ?? true else { return false }
            state.toldAt = now
            return true
        }
        if isTold {
            logger.error(
                "the store can't be read",
                metadata: ["what": "\(error)", "what_to_do": "\(problem ?? "look at the disk")"])
        }
        return true
    }

    /// The block can be read again.
    ///
    /// - Parameter hasDamagedFile: whether the file is still there in which it could not be read.
    package func healed(_ height: Height, hasDamagedFile: Bool = true) {
        let was = state.withLock { state in
            guard state.blocks.remove(height) != nil else { return false }
            state.healed &+= 1
            return true
        }
        if was { logger.notice("a block that could not be read is in the store again",
                metadata: [
                    "height": "\(height)",
                    "what_to_do": hasDamagedFile
                        ? "check the disk. The damaged file stays, and the node stops when LevelDB comes to rewrite it: at a time that suits, restart the node, which then writes its store anew"
                        : "check the disk",
                ]) }
    }

    /// Why a write failed, and what to do. LevelDB takes no more writes once it came to a damaged file as it merged files: then
    /// the store is written anew at the next start (``StoreRewrite``), which is made sure of here.
    package func writeFailed(_ error: any Error) -> String {
        guard case .corrupt(_, let detail)? = error as? StorageError else { return "\(error)" }
        note(error)
        do { try StoreRewrite.request(path, reason: detail) } catch {
            return "the store \(path) has a damaged file (\(detail)), and that can't be noted: \(error)"
        }
        return
            "the store \(path) has a damaged file (\(detail)). Check the disk and start the node again: it writes its store anew without that file and fetches from its peers what lay there"
    }

    package var failures: UInt64 { state.withLock { $0.failures } }
    package var healedBlocks: UInt64 { state.withLock { $0.healed } }
    /// The highest block that can't be read; it is the first to be fetched, since the one above it tells what it must be.
    package var highestBlock: Height? { state.withLock { $0.blocks.max() } }

    /// What can't be read at the moment and what to do; nil where nothing is known to be damaged.
    package var problem: String? {
        let (other, count, lowest) = state.withLock { ($0.other, $0.blocks.count, $0.blocks.min()) }
        if let other {
            return
                "the store \(path) can't be read everywhere (\(other)). What lies there is answered with 503. Check the disk, stop the node, move the folder aside and start it again: it fetches the chain from its peers"
        }
        guard let lowest else { return nil }
        return
            "\(count) \(count == 1 ? "block" : "blocks") of the store \(path), block \(lowest) among them, can't be read and \(count == 1 ? "is" : "are") being fetched again from peers. Check the disk"
    }

    /// Whether a read failed because of what is on the disk.
    package static func isDamage(_ error: any Error) -> Bool {
        switch error {
        case let error as StorageError:
            switch error {
            case .corrupt, .inputOutput, .notFound: true
            case .corruptJournal, .inUse, .otherChain, .unsupportedFormat, .closed, .outOfOrder, .journalFailed, .recordTooLong:
                false
            }
        case let error as LedgerError:
            switch error {
            case .storage, .corruptState: true
            case .unknownProposer, .notConserved: false
            }
        // All that is read was written by this node: what does not decode, or is not there, was changed.
        case let error as UnreadableBlock: isDamage(error.cause)
        case is StateTreeError, is BorshError, is MissingState: true
        default: false
        }
    }
}

/// A final block that the store has and can't read.
package struct UnreadableBlock: Error, CustomStringConvertible {
    package let height: Height
    package let cause: StorageError

    package init(height: Height, cause: StorageError) {
        self.height = height
        self.cause = cause
    }

    package var description: String { "block \(height): \(cause)" }
}
