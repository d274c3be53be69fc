import Cryptography

/// What went wrong on disk, where, and what to do about it.
public enum StorageError: Error, Equatable, CustomStringConvertible {
    /// Bytes on disk are not what was written.
    case corrupt(path: String, detail: String)
    /// A vote journal whose synced records are not what was written.
    case corruptJournal(path: String, detail: String)
    /// Another process has the folder or file open.
    case inUse(path: String)
    case notFound(path: String)
    /// The operating system refused: no space, no permission, a failing disk.
    case inputOutput(path: String, detail: String)
    /// The home holds another chain.
    case otherChain(path: String, found: Digest, expected: Digest)
    case unsupportedFormat(path: String, found: UInt32, expected: UInt32)
    case closed(path: String)
    /// A commit that does not continue what is stored: an error of the caller.
    case outOfOrder(path: String, detail: String)
    /// An earlier write or fsync failed; what reached the disk is unknown until the file is opened again.
    case journalFailed(path: String, detail: String)
    case recordTooLong(path: String, count: Int, limit: Int)

    public var description: String {
        switch self {
        case .corrupt(let path, let detail):
            "corrupt database at \(path): \(detail). Restore from a peer: move the folder aside and start again"
        case .corruptJournal(let path, let detail):
            "the vote journal \(path) is damaged: \(detail). What this key has voted is not known for certain any more. "
                + "Check the disk. If the file can't be repaired from a copy of this very moment (an older one would be "
                + "worse than none), move it aside and start the node: it finds that its votes are lost and only observes, "
                + "until 'chain-cli masternode resume' by the owner, or 'chaind --rejoin', brings it back"
        case .inUse(let path):
            "\(path) is in use by another process. Stop that process, or start this one with another home"
        case .notFound(let path):
            "there is nothing at \(path). Check the home folder, or initialise it first"
        case .inputOutput(let path, let detail):
            "cannot read or write \(path): \(detail). Check free space, permissions and the disk"
        case .otherChain(let path, let found, let expected):
            "the home at \(path) belongs to another chain: its genesis is \(found), this genesis is \(expected). "
                + "Use the genesis file of that chain, or another home"
        case .unsupportedFormat(let path, let found, let expected):
            "the store at \(path) has format \(found); this program reads format \(expected). "
                + "Run the program version that wrote it, or move the folder aside and start again"
        case .closed(let path): "the store at \(path) is closed"
        case .outOfOrder(let path, let detail): "the store at \(path) does not take this commit: \(detail)"
        case .journalFailed(let path, let detail):
            "the journal \(path) failed earlier and takes no more records: \(detail). "
                + "Check the disk, then start the node again"
        case .recordTooLong(let path, let count, let limit):
            "a record of \(count) bytes is over the limit of \(limit) of the journal \(path)"
        }
    }
}
