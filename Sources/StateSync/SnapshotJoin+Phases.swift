import Cryptography
import Primitives
import StateTree

extension SnapshotJoin {
    struct Request {
        let peer: PeerId
        let at: UInt64
    }

    /// What is known of the chosen snapshot's head while it is being proven.
    struct Proving {
        let offer: SnapshotOffer
        var trusted: TrustedSet
        var head: FinalizedBlock?
        var headFrom: PeerId?
        var links: [EpochLink] = []
        /// At most one.
        var requests: [Request] = []

        init(offer: SnapshotOffer, trusted: TrustedSet) {
            self.offer = offer
            self.trusted = trusted
        }

        /// The first epoch whose link is not known.
        var nextEpoch: Epoch { links.last?.header.epoch.next ?? .zero }

        /// Whether the peer was asked; then it is not any more.
        mutating func answered(_ peer: PeerId) -> Bool {
            guard requests.contains(where: { $0.peer == peer }) else { return false }
            requests = []
            return true
        }

        mutating func expire(before now: UInt64, after limit: UInt64) -> [PeerId] {
            let late = requests.filter { now >= $0.at + limit }.map(\.peer)
            if !late.isEmpty { requests = [] }
            return late
        }
    }

    /// Which paths have been fetched. The regions advance side by side, each from its start to its end.
    struct Fetching {
        struct Region {
            /// Where the next chunk begins; nil when the region is done.
            var cursor: Digest?
            var request: Request?
        }

        let offer: SnapshotOffer
        let head: VerifiedHead
        private let regionBits: Int
        private var regions: [Region] = []
        private(set) var chunks = 0
        private(set) var bytes = 0
        /// Since when progress is measured, and what there was then.
        private(set) var watchedSince: UInt64
        private(set) var watchedChunks = 0
        /// In 2^-32 of all paths.
        private var covered: UInt64 = 0

        init(offer: SnapshotOffer, head: VerifiedHead, regionBits: Int, now: UInt64) {
            watchedSince = now
            self.offer = offer
            self.head = head
            self.regionBits = regionBits
            var start: Digest? = .zero
            while let cursor = start {
                regions.append(Region(cursor: cursor))
                start = PathRange(start: cursor, depth: regionBits)?.next
            }
        }

        mutating func watch(_ now: UInt64) {
            watchedSince = now
            watchedChunks = chunks
        }

        var isComplete: Bool { regions.allSatisfy { $0.cursor == nil } }
        var isIdle: Bool { regions.allSatisfy { $0.request == nil } }
        var percent: Int { isComplete ? 100 : Int(min(99, (covered * 100) >> 32)) }

        /// Regions that nobody is asked for, with the path from which on they are missing.
        var waiting: [(index: Int, start: Digest)] {
            regions.indices.compactMap { index in
                guard regions[index].request == nil, let cursor = regions[index].cursor else { return nil }
                return (index, cursor)
            }
        }

        mutating func asked(_ index: Int, _ request: Request) { regions[index].request = request }

        /// The region whose request of this peer the answer is for.
        mutating func answered(_ start: Digest, by peer: PeerId) -> Int? {
            guard let index = regions.firstIndex(where: { $0.cursor == start && $0.request?.peer == peer }) else {
                return nil
            }
            regions[index].request = nil
            return index
        }

        mutating func took(_ chunk: StateChunk, region index: Int) {
            chunks += 1
            for leaf in chunk.leaves { bytes += leaf.byteCount }
            if chunk.range.depth <= 32 { covered += 1 << UInt64(32 - chunk.range.depth) }
            // The range lies in its region, so what comes after it is still the region, or begins another one.
            regions[index].cursor = chunk.range.next.flatMap {
                PathRange.smallestDepth(startingAt: $0) <= regionBits ? nil : $0
            }
        }

        mutating func release(_ peer: PeerId) {
            for index in regions.indices where regions[index].request?.peer == peer { regions[index].request = nil }
        }

        mutating func expire(before now: UInt64, after limit: UInt64) -> [PeerId] {
            var late: [PeerId] = []
            for index in regions.indices {
                guard let request = regions[index].request, now >= request.at + limit else { continue }
                late.append(request.peer)
                regions[index].request = nil
            }
            return late
        }
    }
}
