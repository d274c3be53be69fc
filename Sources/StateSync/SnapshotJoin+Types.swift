import Cryptography
import Primitives

extension SnapshotJoin {
    package enum Output: Sendable {
        case send(SnapshotMessage, to: PeerId)
        /// The set that finalised the head, proven from the genesis: who may call itself a masternode now.
        case trusts(MasternodeSet)
        /// Forget what was stored; leaves of this root follow.
        case begin(root: Digest)
        /// Leaves that are proven. They come in no particular order of ranges, each once.
        case store([StateChunk.Leaf])
        /// All leaves were given out.
        case complete(VerifiedHead)
        /// No snapshot is worth it.
        case byBlocks(String)
        /// Going on would be wrong.
        case fail(String)
        case note(Note)
    }

    package enum Note: Hashable, Sendable {
        case waiting(String)
        case chose(SnapshotOffer, peers: Int)
        case verified(SnapshotOffer, links: Int)
        case checkpoint(String)
        /// It lied: nothing more of it is taken.
        case distrusts(PeerId, String)
        /// A snapshot was given up because it did not deliver.
        case failed(PeerId)
        case abandons(SnapshotOffer, String)
        case progress(chunks: Int, bytes: Int, percent: Int)
    }

    /// A snapshot's head with what proves it.
    package struct VerifiedHead: Sendable {
        package let block: FinalizedBlock
        package let digest: Digest
        package let links: [EpochLink]
    }

    /// The checks that make a join safe, as switches, like those of the node's own rules: all are on in the product; tests
    /// switch one off to see that the simulator notices.
    package struct Checks: Hashable, Sendable {
        /// A head is final by the set to which the links lead.
        package var head = true
        /// A chunk is what the head's root has in its range.
        package var chunks = true
        /// Whoever failed is asked after those who did not; off: the highest claim counts.
        package var ranking = true
        /// Who does not answer in time is asked no longer.
        package var silence = true

        package init() {}
    }

    package struct Rules: Sendable {
        package var checks = Checks()
        package var mode: SyncMode
        /// Auto: a snapshot below this height is not worth it.
        package var smallestHeight = Height(SnapshotLimits.interval)
        package var checkpoint: Checkpoint?
        /// Peers that will probably answer.
        package var expectedPeers: Int

        /// From the first answer to the choice, for the others' answers.
        package var settleMs: UInt64 = 1_500
        /// Auto: without any answer.
        package var patienceMs: UInt64 = 3_000
        package var requestMs: UInt64 = 10_000
        /// Head and links are small: who has them answers soon.
        package var proofMs: UInt64 = 2_500
        /// Chunks that the peers of a snapshot have to deliver in this time, where there is another one.
        package var progressMs: UInt64 = 30_000
        package var progressChunks = 10
        /// Auto: without anything that was proven.
        package var unprovenMs: UInt64 = 240_000
        /// Auto: where most peers have no snapshot, those who offer one may fail to show it so many times.
        package var chances = 2
        package var askAgainMs: UInt64 = 2_000
        /// Bits that split the paths into regions, which are fetched side by side.
        package var regionBits = 4
        package var requestsPerPeer = SnapshotLimits.requestsPerPeer
        /// Requests for one snapshot that a peer may leave unanswered.
        package var silences = 3
        /// Snapshots that a peer may have offered and then not had.
        package var denials = 8
        /// Chunks in a row, of one peer, that hold next to nothing though more was there. An honest peer sends the
        /// largest range that fits; one that cuts the state into crumbs would never come to an end.
        package var crumbs = 256
        /// Bytes of a full chunk.
        package var chunkBytes = SnapshotLimits.chunkBytes

        package init(mode: SyncMode, checkpoint: Checkpoint? = nil, expectedPeers: Int) {
            self.mode = mode
            self.checkpoint = checkpoint
            self.expectedPeers = expectedPeers
        }
    }
}
