import Primitives

/// A transaction that admission let in.
public struct Admitted: Hashable, Sendable {
    public let id: TransactionId
    public let signed: SignedTransaction
    /// Of the encoded signed transaction.
    public let byteCount: Int
    /// Credits that it reserves.
    public let reservedCredits: UInt64

    public init(id: TransactionId, signed: SignedTransaction, byteCount: Int, reservedCredits: UInt64) {
        self.id = id
        self.signed = signed
        self.byteCount = max(0, byteCount)
        self.reservedCredits = reservedCredits
    }
}

/// How much a pool holds. Every transaction takes its bytes, but at least a share of `maxBytes / maxCount`, so that
/// one sum bounds bytes and number.
public struct MempoolLimits: Hashable, Sendable {
    public let maxCount: Int
    public let maxBytes: Int

    public init(maxCount: Int = 50_000, maxBytes: Int = 64 << 20) {
        self.maxCount = max(1, maxCount)
        self.maxBytes = max(self.maxCount, maxBytes)
    }

    var total: Int { maxBytes }
    var smallestShare: Int { (maxBytes + maxCount - 1) / maxCount }

    func share(of admitted: Admitted) -> Int { max(smallestShare, admitted.byteCount) }
}

/// Why the pool does not take a transaction.
public enum MempoolRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    case known(TransactionId)
    case sequenceReused(UInt64, next: UInt64)
    case sequenceTooFarAhead(UInt64, next: UInt64)
    /// Another transaction of the account has this sequence.
    case sequenceWaiting(UInt64, TransactionId)
    /// `own`: what the sender would take of the pool's room with it.
    case full(own: Int)

    public var description: String {
        switch self {
        case .known(let id): "transaction \(id) is waiting already"
        case .sequenceReused(let given, let next):
            "sequence \(given) is used already: the account's next one is \(next)"
        case .sequenceTooFarAhead(let given, let next):
            "sequence \(given) is too far ahead: the account's next one is \(next), and at most \(ChainLimits.sequenceWindow) can wait"
        case .sequenceWaiting(let sequence, let id):
            "sequence \(sequence) is already waiting as transaction \(id): cancel it first"
        case .full:
            "the pool is full, and no sender takes more of it than this one would; try again later"
        }
    }
}
