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
    /// How long after the last that came transactions which other nodes told everybody of may still be on their way.
    static let patienceMs: UInt64 = 20
    /// From a request, or the last that came after it, until the whole body is asked for elsewhere: a message of half a
    /// block may be under way.
    static let leastAnswerMs: UInt64 = 1_000
    /// However many parts come: whoever makes them drip is not waited for longer, which is about what a view may take.
    static let leastTimeInAllMs: UInt64 = 8_000
    /// Sketches that are not taken again.
    static let mostGivenUp = 64
    /// Places that one request names.
    static let mostPlaces = 8_192

    struct Sketch {
        let content: BlockSketch
        /// Whom to ask for what is missing.
        let source: NodePeer
        fileprivate(set) var found: [SignedTransaction?]
        fileprivate(set) var missing: [TransactionId: Int]
        /// How many were missing when they were asked for; nil where they were not, or where the answer brought a part.
        fileprivate(set) var asked: Int?
        /// When patience with what is under way ends.
        fileprivate(set) var due: UInt64
        /// When all patience ends.
        let until: UInt64
        fileprivate var nextStep: UInt64 { min(due, until) }

        var block: Block? {
            let transactions = found.compactMap { $0 }
            guard transactions.count == content.ids.count else { return nil }
            return Block(
                header: content.header, parentCertificate: content.parentCertificate, transactions: transactions)
        }
    }

    private var sketches: [Digest: Sketch] = [:]
    /// What others were asked for.
    private var givenUp: [Digest] = []

    var count: Int { sketches.count }
    func holds(_ digest: Digest) -> Bool { sketches[digest] != nil }
    func hasGivenUp(_ digest: Digest) -> Bool { givenUp.contains(digest) }

    /// - Parameters:
    ///   - delay: delta, in milliseconds.
    ///   - known: the transaction that this node has under an identifier.
    /// - Returns: the block, where nothing is missing.
    mutating func add(
        _ content: BlockSketch, digest: Digest, from source: NodePeer, at now: UInt64, delay: UInt64,
        known: (TransactionId) -> SignedTransaction?
    ) -> Block? {
        let found = content.ids.map(known)
        var missing: [TransactionId: Int] = [:]
        for (place, id) in content.ids.enumerated() where found[place] == nil { missing[id] = place }
        let sketch = Sketch(
            content: content, source: source, found: found, missing: missing, due: now &+ Self.patienceMs,
            until: now &+ max(Self.leastTimeInAllMs, delay &* 4))
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

    private static func answerTime(_ delay: UInt64) -> UInt64 { max(leastAnswerMs, delay &* 2) }

    /// Transactions that came, from wherever.
    ///
    /// - Parameter delay: delta, in milliseconds.
    /// - Returns: sketches that are complete now, which leave the table.
    mutating func offer(
        _ transactions: [SignedTransaction], at now: UInt64, delay: UInt64, genesis: Digest
    ) -> [(digest: Digest, block: Block, source: NodePeer)] {
        guard !sketches.isEmpty else { return [] }
        var complete: [(digest: Digest, block: Block, source: NodePeer)] = []
        for digest in sketches.keys.sorted() {
            var hasGrown = false
            for transaction in transactions {
                let id = transaction.id(genesis: genesis)
                guard let place = sketches[digest]?.missing.removeValue(forKey: id) else { continue }
                sketches[digest]?.found[place] = transaction
                hasGrown = true
            }
            guard hasGrown, let sketch = sketches[digest] else { continue }
            guard sketch.missing.isEmpty else {
                sketches[digest]?.due = now &+ (sketch.asked == nil ? Self.patienceMs : Self.answerTime(delay))
                continue
            }
            sketches[digest] = nil
            // One identifier twice is in no valid block: such a sketch never completes.
            if let block = sketch.block { complete.append((digest, block, sketch.source)) }
        }
        return complete
    }

    enum Step: Equatable {
        /// The places that are missing.
        case askSource([UInt32])
        /// More are missing than a request names. The sketch is forgotten.
        case askSourceForBody
        /// Whoever sent the sketch does not send them. The sketch is forgotten.
        case askOthersForBody
    }

    /// What to do about those whose patience is over.
    mutating func takeDue(at now: UInt64, delay: UInt64) -> [(digest: Digest, source: NodePeer, step: Step)] {
        var due: [(digest: Digest, source: NodePeer, step: Step)] = []
        for digest in sketches.keys.sorted() {
            guard let sketch = sketches[digest], sketch.nextStep <= now else { continue }
            guard sketch.asked == nil, now < sketch.until, sketch.missing.count <= Self.mostPlaces else {
                sketches[digest] = nil
                givenUp.append(digest)
                if givenUp.count > Self.mostGivenUp { givenUp.removeFirst() }
                due.append((digest, sketch.source, sketch.asked == nil && now < sketch.until ? .askSourceForBody : .askOthersForBody))
                continue
            }
            sketches[digest]?.asked = sketch.missing.count
            sketches[digest]?.due = now &+ Self.answerTime(delay)
            due.append((digest, sketch.source, .askSource(sketch.missing.values.sorted().map { UInt32(truncatingIfNeeded: $0) })))
        }
        return due
    }

    var nextDue: UInt64? { sketches.values.map(\.nextStep).min() }

    /// An answer came. Of what was asked for it holds as much as a message does: the rest is asked for anew, at once.
    mutating func answered() {
        for digest in sketches.keys.sorted() {
            guard let sketch = sketches[digest], let asked = sketch.asked, sketch.missing.count < asked else { continue }
            sketches[digest]?.asked = nil
            sketches[digest]?.due = 0
        }
    }

    mutating func forget(_ digest: Digest) { sketches[digest] = nil }

    /// Their place is taken for ever.
    mutating func forget(through height: Height) { sketches = sketches.filter { $0.value.content.header.height > height } }
}
