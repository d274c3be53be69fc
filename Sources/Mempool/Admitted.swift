import Primitives

/// A transaction that admission let in.
public struct Admitted: Hashable, Sendable {
    public let id: TransactionId
    public let signed: SignedTransaction
    /// Of the encoded signed transaction.
    public let byteCount: Int
    /// Credits that it reserves.
    public let reservedCredits: UInt64
    /// Whose credits these are: the sender's own, or a sponsor's.
    public let payer: Account
    /// Credits that the payer can hold at most. The pool's room and the places in blocks are shared out in proportion to
    /// it, so that nobody has more of them by making accounts.
    public let weight: UInt64
    /// The waiting transaction of the same sender and sequence whose place it takes.
    public let replaces: TransactionId?
    /// A masternode's report of a contradiction: it always has a place.
    public let isEvidence: Bool

    public init(
        id: TransactionId, signed: SignedTransaction, byteCount: Int, reservedCredits: UInt64, payer: Account? = nil,
        weight: UInt64 = 0, replaces: TransactionId? = nil, isEvidence: Bool = false
    ) {
        self.id = id
        self.signed = signed
        self.byteCount = max(0, byteCount)
        self.reservedCredits = reservedCredits
        self.payer = payer ?? signed.sender
        self.weight = weight
        self.replaces = replaces
        self.isEvidence = isEvidence
    }

    /// As any other transaction: with no place of its own.
    var withoutPrivilege: Admitted {
        guard isEvidence else { return self }
        return Admitted(
            id: id, signed: signed, byteCount: byteCount, reservedCredits: reservedCredits, payer: payer, weight: weight,
            replaces: replaces)
    }

    var sender: Account { signed.sender }
    var sequence: UInt64 { signed.sequence }
}

/// How much a pool holds. Every transaction takes its bytes, but at least a share of `maxBytes / maxCount`, so that
/// one sum bounds bytes and number.
public struct MempoolLimits: Hashable, Sendable {
    public let maxCount: Int
    public let maxBytes: Int
    /// Of that, transactions which wait for an earlier one of their sender.
    public let maxParked: Int
    /// Milliseconds that such a one must be good for: who lets it expire pays nothing, though every masternode has checked
    /// its signature. So no more than `maxParked` in this time are checked for nothing, whoever sends them.
    public let shortestWaitMs: UInt64

    public init(maxCount: Int = 50_000, maxBytes: Int = 64 << 20, maxParked: Int? = nil, shortestWaitMs: UInt64 = 5_000) {
        self.shortestWaitMs = shortestWaitMs
        self.maxCount = max(1, maxCount)
        self.maxBytes = max(self.maxCount, maxBytes)
        self.maxParked = max(1, maxParked ?? self.maxCount / 16)
    }

    /// Reports that wait besides: one for each masternode that there can be.
    static let evidence = 512

    var total: Int { maxBytes }
    var smallestShare: Int { (maxBytes + maxCount - 1) / maxCount }
    var parkedTotal: Int { smallestShare * maxParked }

    func share(of admitted: Admitted) -> Int { max(smallestShare, admitted.byteCount) }
}

/// Why the pool does not take a transaction.
public enum MempoolRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    case known(TransactionId)
    case sequenceReused(UInt64, next: UInt64)
    case sequenceTooFarAhead(UInt64, next: UInt64)
    /// Another transaction of the account has this sequence.
    case sequenceWaiting(UInt64, TransactionId)
    /// A cancellation of what had this sequence is waiting. It has no other in its place: each would be checked by every
    /// masternode, and only the last one paid for.
    case cancelledAlready(UInt64, TransactionId)
    /// One that has to wait for an earlier one of its sender, and would not wait long.
    case expiresTooSoon(UInt64, next: UInt64, milliseconds: UInt64)
    case full
    /// There is no room for one that has to wait for an earlier one of its sender.
    case noRoomForGaps(UInt64, next: UInt64)

    public var description: String {
        switch self {
        case .known(let id): "transaction \(id) is waiting already"
        case .sequenceReused(let given, let next):
            "sequence \(given) is used already: the account's next one is \(next)"
        case .sequenceTooFarAhead(let given, let next):
            "sequence \(given) is too far ahead: the account's next one is \(next), and at most \(ChainLimits.sequenceWindow) can wait"
        case .sequenceWaiting(let sequence, let id):
            "sequence \(sequence) is already waiting as transaction \(id): cancel it first"
        case .cancelledAlready(let sequence, let id):
            "sequence \(sequence) is being cancelled already, by transaction \(id): wait until that is final"
        case .expiresTooSoon(let given, let next, let milliseconds):
            "sequence \(given) has to wait for \(next), and expires within \(milliseconds) ms: send \(next) first, or let it be valid for longer"
        case .full:
            "the pool is full of transactions whose payers have more stake for what they ask; try again later"
        case .noRoomForGaps(let given, let next):
            "sequence \(given) has to wait for \(next), and the room for such transactions is taken: send \(next) first"
        }
    }
}
