import Cryptography
import Encoding
import Primitives

/// A proposal's block with the identifiers of its transactions in their place: most receivers have these in their pools
/// since they were told of them, so that a transaction travels once.
public struct BlockSketch: BorshCodable, Sendable {
    public let header: Header
    public let parentCertificate: ParentCertificate
    /// In the block's order.
    public let ids: [TransactionId]

    init(_ block: Block, ids: [TransactionId]) {
        header = block.header
        parentCertificate = block.parentCertificate
        self.ids = ids
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(header)
        encoder.value(parentCertificate)
        encoder.array(ids)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        header = try decoder.value()
        parentCertificate = try decoder.value()
        ids = try decoder.array(limit: ChainLimits.blockBytes / 152, smallestElement: 32)
    }
}

/// Sketches whose transactions are not all here. Bounded; what is let go of is asked for as a whole body.
struct SketchTable {
    static let most = 16
    /// How long transactions that other nodes told everybody of may still be on their way.
    static let patienceMs: UInt64 = 20
    /// Places that one request names.
    static let mostPlaces = 8_192

    struct Sketch {
        let content: BlockSketch
        /// Whom to ask for what is missing.
        let source: NodePeer
        let since: UInt64
        fileprivate(set) var found: [SignedTransaction?]
        fileprivate(set) var missing: [TransactionId: Int]
        var isAsked = false
        /// How many were missing when they were asked for.
        fileprivate(set) var asked = 0

        var block: Block? {
            let transactions = found.compactMap { $0 }
            guard transactions.count == content.ids.count else { return nil }
            return Block(
                header: content.header, parentCertificate: content.parentCertificate, transactions: transactions)
        }
    }

    private var sketches: [Digest: Sketch] = [:]

    var count: Int { sketches.count }
    func holds(_ digest: Digest) -> Bool { sketches[digest] != nil }

    /// - Parameter known: the transaction that this node has under an identifier.
    /// - Returns: the block, where nothing is missing.
    mutating func add(
        _ content: BlockSketch, digest: Digest, from source: NodePeer, at now: UInt64,
        known: (TransactionId) -> SignedTransaction?
    ) -> Block? {
        let found = content.ids.map(known)
        var missing: [TransactionId: Int] = [:]
        for (place, id) in content.ids.enumerated() where found[place] == nil { missing[id] = place }
        let sketch = Sketch(content: content, source: source, since: now, found: found, missing: missing)
        if let block = sketch.block { return block }
        // The oldest view matters least.
        if sketches.count >= Self.most,
            let least = sketches.min(by: { Self.rank($0) < Self.rank($1) })?.key
        {
            sketches[least] = nil
        }
        sketches[digest] = sketch
        return nil
    }

    private static func rank(_ entry: (key: Digest, value: Sketch)) -> (Epoch, View, Digest) {
        (entry.value.content.header.epoch, entry.value.content.header.view, entry.key)
    }

    /// Transactions that came, from wherever.
    /// - Returns: sketches that are complete now, which leave the table.
    mutating func offer(_ transactions: [SignedTransaction], genesis: Digest) -> [(digest: Digest, block: Block, source: NodePeer)] {
        guard !sketches.isEmpty else { return [] }
        var complete: [(digest: Digest, block: Block, source: NodePeer)] = []
        for digest in sketches.keys.sorted() {
            for transaction in transactions {
                let id = transaction.id(genesis: genesis)
                guard let place = sketches[digest]?.missing.removeValue(forKey: id) else { continue }
                sketches[digest]?.found[place] = transaction
            }
            if let sketch = sketches[digest], sketch.missing.isEmpty {
                sketches[digest] = nil
                // One identifier twice is in no valid block: such a sketch never completes.
                if let block = sketch.block { complete.append((digest, block, sketch.source)) }
            }
        }
        return complete
    }

    /// Those whose patience is over and that were not asked about, with the places that are missing; nil for more places
    /// than a request names.
    mutating func takeDue(at now: UInt64) -> [(digest: Digest, source: NodePeer, places: [UInt32]?)] {
        var due: [(digest: Digest, source: NodePeer, places: [UInt32]?)] = []
        for digest in sketches.keys.sorted() {
            guard let sketch = sketches[digest], !sketch.isAsked, sketch.since + Self.patienceMs <= now else { continue }
            sketches[digest]?.isAsked = true
            sketches[digest]?.asked = sketch.missing.count
            let places = sketch.missing.values.sorted().map { UInt32(truncatingIfNeeded: $0) }
            due.append((digest, sketch.source, places.count <= Self.mostPlaces ? places : nil))
        }
        return due
    }

    var nextDue: UInt64? { sketches.values.filter { !$0.isAsked }.map { $0.since + Self.patienceMs }.min() }

    /// An answer came. Of what was asked for it holds as much as a message does: the rest is asked for anew.
    mutating func answered() {
        for digest in sketches.keys.sorted() {
            guard let sketch = sketches[digest], sketch.isAsked, sketch.missing.count < sketch.asked else { continue }
            sketches[digest]?.isAsked = false
        }
    }

    mutating func forget(_ digest: Digest) { sketches[digest] = nil }

    /// Their place is taken for ever.
    mutating func forget(through height: Height) { sketches = sketches.filter { $0.value.content.header.height > height } }
}
