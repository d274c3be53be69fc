import Cryptography
import Primitives

/// # StateSync
///
/// How a node joins a chain by a snapshot of the state, and what one gives out to those that join: both sides pure, over
/// the messages of ``SnapshotMessage``. Sockets, files, threads and the time are the host's.
///
/// The module promises
/// - **nothing is believed**: ``SnapshotJoin`` starts from the genesis alone; a head is proven by its masternodes, a
///   chunk by the head's root, and a state is complete or it is not told of as one;
/// - **one honest peer is enough**: whoever lies, keeps silent or dawdles loses its place, and no number of such peers
///   keeps a node from finishing with the honest one;
/// - **bounded**: every message decodes within ``SnapshotLimits``; a chunk is read from the disk when it is asked for, in
///   the order in which it lies there, so that a state of any size takes no more memory than one chunk.
public enum SnapshotLimits {
    /// One state is kept for each stretch of so many blocks; `config.json` may say another number.
    public static let interval: UInt64 = 1_000
    /// How many are kept in any case, the newest ones.
    package static let kept = 2
    /// One that is being fetched is kept beyond that: so long after a chunk of it was asked for, and so long in all, in
    /// milliseconds. A large state takes longer than a busy chain takes for the next ones; but what has changed since then
    /// stays on the disk twice.
    package static let fetchedMs: UInt64 = 30_000
    package static let longestMs: UInt64 = 900_000
    /// And how many with these, which are all that are offered.
    package static let offers = 8
    /// Keys and values of one chunk. A single leaf may be larger, up to the second figure.
    package static let chunkBytes = 262_144
    package static let leafBytes = 4_000_000
    package static let keyBytes = 4_096
    /// Links between masternode sets in one answer, and their bytes.
    package static let links = 64
    package static let linkBytes = 2_000_000
    /// Requests of one peer that wait for their answer, and of all strangers and of all masternodes, who have theirs apart;
    /// those above are not answered. As many as all followers that there may be have together: none can keep others out.
    package static let requestsPerPeer = 4
    package static let requests = 128
    /// Requests of one peer that are answered in a second: with full chunks 25 MB/s. Those above wait.
    package static let requestsPerSecond = 100
}

/// A stored chain as it was at one instant, as far as joiners are given of it.
package protocol SnapshotSource: Sendable {
    func block(at height: Height) throws -> FinalizedBlock?
    /// The steps between masternode sets from this epoch on, ascending.
    func links(from epoch: Epoch, limit: Int) throws -> [EpochLink]
    func value(_ key: StateKey) throws -> [UInt8]?
    /// A page of the state tree.
    func page(_ key: [UInt8]) throws -> [UInt8]?
    /// Keys of the state from this path on, in the order of their paths.
    func keys(from path: Digest, limit: Int) throws -> [(path: Digest, key: StateKey)]
}
