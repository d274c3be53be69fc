import Cryptography
import Encoding
import Primitives
import StateTree

/// A state that a node gives out: the one that the final block of this height certifies.
public struct SnapshotOffer: BorshCodable, Hashable, Sendable {
    public let height: Height
    /// Of the block.
    public let digest: Digest

    public init(height: Height, digest: Digest) {
        self.height = height
        self.digest = digest
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(height)
        encoder.value(digest)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        height = try decoder.value()
        digest = try decoder.value()
    }
}

/// All leaves of one range of paths, with the proof that they are all.
public struct StateChunk: BorshCodable, Hashable, Sendable {
    public struct Leaf: BorshCodable, Hashable, Sendable {
        public let key: StateKey
        public let value: [UInt8]

        public init(key: StateKey, value: [UInt8]) {
            self.key = key
            self.value = value
        }

        /// Bytes that it adds to a chunk.
        var byteCount: Int { key.bytes.count + value.count + 8 }

        public func encode(to encoder: inout BorshEncoder) {
            encoder.variable(key.bytes)
            encoder.variable(value)
        }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            key = StateKey(try decoder.variable(limit: SnapshotLimits.keyBytes))
            value = try decoder.variable(limit: SnapshotLimits.leafBytes)
        }
    }

    public let range: PathRange
    /// Ascending by path.
    public let leaves: [Leaf]
    public let proof: RangeProof

    public init(range: PathRange, leaves: [Leaf], proof: RangeProof) {
        self.range = range
        self.leaves = leaves
        self.proof = proof
    }

    /// Whether the map with this root has exactly these leaves in the range. Paths and hashes are computed here.
    public func verify(root: Digest) -> Bool {
        proof.verify(root: root, range: range, pairs: leaves.map { ($0.key.path, StateTree.valueHash($0.value)) })
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(range.start)
        encoder.integer(UInt16(range.depth))
        encoder.array(leaves)
        encoder.value(proof)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let start: Digest = try decoder.value()
        let depth: UInt16 = try decoder.integer()
        guard let range = PathRange(start: start, depth: Int(depth)) else {
            throw decoder.failure(.notCanonical("no range of depth \(depth) begins at \(start)"))
        }
        self.range = range
        leaves = try decoder.array(limit: SnapshotLimits.chunkBytes / 8, smallestElement: 8)
        proof = try decoder.value()
    }
}

/// What nodes say to each other about snapshots of the state. They are requests and answers beside consensus, so they
/// never reach ``NodeMachine``. The kind is the frame's kind byte; the payload is Borsh.
public enum SnapshotMessage: Hashable, Sendable {
    case wantOffers
    /// Newest first.
    case offers([SnapshotOffer])
    case wantHead(Digest)
    /// Nil when the sender does not have the snapshot, or not any more; also below.
    case head(Digest, FinalizedBlock?)
    /// Links that end this epoch or a later one, before the head's epoch.
    case wantLinks(Digest, from: Epoch)
    case links(Digest, from: Epoch, Links?)
    /// The leaves from this path on, in a range that shares at least so many bits.
    case wantChunk(Digest, start: Digest, minimumDepth: UInt16)
    case chunk(Digest, start: Digest, StateChunk?)

    public struct Links: BorshCodable, Hashable, Sendable {
        public let links: [EpochLink]
        /// Whether none comes after them.
        public let isLast: Bool

        public init(links: [EpochLink], isLast: Bool) {
            self.links = links
            self.isLast = isLast
        }

        public func encode(to encoder: inout BorshEncoder) {
            encoder.array(links)
            encoder.bool(isLast)
        }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            links = try decoder.array(limit: SnapshotLimits.links, smallestElement: 400)
            isLast = try decoder.bool()
        }
    }

    public enum Kind: UInt8, Sendable, CaseIterable {
        case wantOffers = 32
        case offers, wantHead, head, wantLinks, links, wantChunk, chunk

        /// Whether it wants an answer.
        public var isRequest: Bool { answer != nil }

        /// The kind of message that answers it.
        public var answer: Kind? {
            switch self {
            case .wantOffers: .offers
            case .wantHead: .head
            case .wantLinks: .links
            case .wantChunk: .chunk
            case .offers, .head, .links, .chunk: nil
            }
        }
    }

    public var kind: Kind {
        switch self {
        case .wantOffers: .wantOffers
        case .offers: .offers
        case .wantHead: .wantHead
        case .head: .head
        case .wantLinks: .wantLinks
        case .links: .links
        case .wantChunk: .wantChunk
        case .chunk: .chunk
        }
    }

    public var payload: [UInt8] {
        var encoder = BorshEncoder()
        switch self {
        case .wantOffers: break
        case .offers(let offers): encoder.array(offers)
        case .wantHead(let digest): encoder.value(digest)
        case .head(let digest, let block):
            encoder.value(digest)
            encoder.optional(block)
        case .wantLinks(let digest, let from):
            encoder.value(digest)
            encoder.value(from)
        case .links(let digest, let from, let links):
            encoder.value(digest)
            encoder.value(from)
            encoder.optional(links)
        case .wantChunk(let digest, let start, let depth):
            encoder.value(digest)
            encoder.value(start)
            encoder.integer(depth)
        case .chunk(let digest, let start, let chunk):
            encoder.value(digest)
            encoder.value(start)
            encoder.optional(chunk)
        }
        return encoder.bytes
    }

    public init(kind: Kind, payload: [UInt8]) throws(BorshError) {
        var decoder = BorshDecoder(payload)
        switch kind {
        case .wantOffers: self = .wantOffers
        case .offers: self = .offers(try decoder.array(limit: SnapshotLimits.offers, smallestElement: 40))
        case .wantHead: self = .wantHead(try decoder.value())
        case .head: self = .head(try decoder.value(), try decoder.optional())
        case .wantLinks: self = .wantLinks(try decoder.value(), from: try decoder.value())
        case .links: self = .links(try decoder.value(), from: try decoder.value(), try decoder.optional())
        case .wantChunk:
            self = .wantChunk(
                try decoder.value(), start: try decoder.value(), minimumDepth: try decoder.integer())
        case .chunk: self = .chunk(try decoder.value(), start: try decoder.value(), try decoder.optional())
        }
        try decoder.finish()
    }
}
