/// # Storage
///
/// What a node keeps on disk: the finalised chain and its state in LevelDB (``ChainStore``), the vote journal
/// (``Journal``), and small files that are replaced whole (``AtomicFile``).
///
/// The module promises
/// - **atomic and durable**: a commit of finalised blocks, with everything derived from them, is one synced batch, in
///   a log (``LoggedDatabase``) or in LevelDB; a process killed at any instant leaves the store before it or after it;
/// - **damage is seen**: every read checks LevelDB's checksums and decodes strictly; what does not check is a
///   ``StorageError`` that names the file and what to do, never a wrong value and never a crash;
/// - **fsync errors are final**: after one, a journal refuses further use (the kernel may have dropped the pages);
/// - **blocking**: calls wait for the disk. Callers run them on an executor of their own, not on the cooperative
///   threads that carry network and consensus.
public enum Storage {
    /// Version of the layout of ``ChainStore``; a newer store, or one that is older than ``formatWithoutPaths``, is refused
    /// with a message that says so.
    public static let formatVersion: UInt32 = 5
    /// The one before, which had no logs of its own beside LevelDB: a program of then would not see what they hold.
    static let formatWithoutLogs: UInt32 = 4
    /// The one before that, which had each node of the state tree under a key of its own.
    static let formatWithoutPages: UInt32 = 3
    /// The one before these, which lacked the keys of the state by their paths, too.
    static let formatWithoutPaths: UInt32 = 2
}
