public import Cryptography
public import Encoding

/// Secure aggregation by additive masks (Bonawitz et al., "Practical secure aggregation for privacy-preserving machine
/// learning", CCS 2017): the cloud learns the sum of all differences and of no smaller part of them, and workers that
/// drop out on the way do not spoil the round.
///
/// ```
/// 1 keys      each worker:  two fresh X25519 keys                                       -> cloud -> all
/// 2 shares    each worker:  Shamir shares of its masking key and of its own mask's seed,
///                           sealed for each other worker                                -> cloud -> each its own
/// 3 masked    each worker:  difference + own mask + pairwise masks, modulo 2^32         -> cloud
/// 4 unmask    each worker still there, for every other one exactly one share:
///             of the mask's seed if its masked difference arrived, else of its key      -> cloud
/// ```
/// Pairwise masks cancel in the sum. Those of a worker that left after 2 don't: its key, put together from `threshold`
/// shares, gives them. Nobody gives both shares of one worker, so a difference that arrives late stays masked by its
/// worker's own mask.
///
/// The cloud may lie about who dropped out; with a threshold above half of the workers it can't have both shares of
/// anybody even then, as each worker answers once. Against workers that collude with it, fewer than `threshold` learn
/// nothing. Sums are of fixed-point numbers, so they are exact: what the cloud unmasks has the bits of the plain sum.
/// (Phong et al. have the workers encrypt under one additively homomorphic key instead. That costs a big-number
/// operation for each few parameters and ciphertexts several times as large, needs no second exchange when somebody
/// leaves, but one worker that hands its key to the cloud opens all updates of all others.)
public enum SecureSum {
    public static let maximumParticipants = 128

    /// Differences are rounded to multiples of 2^-20.
    static let scale: Float = 0x1p20

    /// The largest magnitude of one entry, for so many workers: sums must not wrap around.
    public static func bound(participants: Int) -> Float {
        // 2^31 steps of 2^-20 are 2,048: one less leaves room for rounding.
        2_047 / Float(max(participants, 1))
    }

    /// Fixed point: to the nearest multiple of 2^-20, ties to even, magnitudes cut at the bound.
    public static func encode(_ values: [Float], participants: Int) -> [UInt32] {
        let bound = bound(participants: participants)
        return values.map { value in
            let limited = min(max(value, -bound), bound)
            let fixed = (limited * scale).rounded(.toNearestOrEven)
            // NaN compares with nothing: `min` and `max` give the bound or pass it on. It must not trap.
            return fixed == fixed ? UInt32(bitPattern: Int32(clamping: Int64(fixed))) : 0
        }
    }

    public static func decode(_ words: [UInt32]) -> [Float] {
        words.map { Float(Int32(bitPattern: $0)) / scale }
    }

    public static func add(_ words: [UInt32], to sum: inout [UInt32]) {
        for index in 0..<min(words.count, sum.count) { sum[index] &+= words[index] }
    }

    // MARK: Messages

    /// Step 1, to all.
    public struct Keys: Sendable, Hashable, BorshCodable {
        /// For which shares are sealed.
        public let sealing: KEMPublicKey
        /// From which pairwise masks come.
        public let masking: KEMPublicKey

        init(sealing: KEMPublicKey, masking: KEMPublicKey) {
            self.sealing = sealing
            self.masking = masking
        }

        public func encode(to encoder: inout BorshEncoder) {
            encoder.value(sealing)
            encoder.value(masking)
        }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            sealing = try decoder.value()
            masking = try decoder.value()
        }
    }

    /// Step 2: for one receiver, two shares under its key. 64 bytes of content.
    public struct SealedShares: Sendable, Hashable, BorshCodable {
        public let to: UInt16
        let encapsulatedKey: [UInt8]
        let ciphertext: [UInt8]

        public func encode(to encoder: inout BorshEncoder) {
            encoder.integer(to)
            encoder.variable(encapsulatedKey)
            encoder.variable(ciphertext)
        }

        init(to: UInt16, _ message: SealedMessage) {
            self.to = to
            encapsulatedKey = message.encapsulatedKey
            ciphertext = message.ciphertext
        }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            to = try decoder.integer()
            encapsulatedKey = try decoder.variable(limit: 32)
            ciphertext = try decoder.variable(limit: 96)
        }
    }

    /// Step 4: one share about one worker.
    public struct Unmasking: Sendable, Hashable, BorshCodable {
        public let about: UInt16
        /// Whether the share is of the seed of its own mask (it is in the sum) or of its key (it is not).
        public let isSeed: Bool
        let share: [UInt8]

        public func encode(to encoder: inout BorshEncoder) {
            encoder.integer(about)
            encoder.bool(isSeed)
            encoder.variable(share)
        }

        init(about: UInt16, isSeed: Bool, share: [UInt8]) {
            self.about = about
            self.isSeed = isSeed
            self.share = share
        }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            about = try decoder.integer()
            isSeed = try decoder.bool()
            share = try decoder.variable(limit: 32)
        }
    }

    public enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
        case tooFew(found: Int, threshold: Int)
        case roster(String)
        case badKey(UInt16)
        case badShare(from: UInt16)
        /// The cloud asks for both shares about one worker, or a second time.
        case askedTwice
        case notThere(UInt16)

        public var description: String {
            switch self {
            case .tooFew(let found, let threshold):
                "\(found) workers are left, a secure sum needs \(threshold): the round ends without one"
            case .roster(let what): "a secure sum with this roster is not possible: \(what)"
            case .badKey(let place): "the key of place \(place) is of small order"
            case .badShare(let place): "the shares from place \(place) do not open"
            case .askedTwice: "the cloud asked for shares a second time: both would unmask a single difference"
            case .notThere(let place): "place \(place) has no part in this sum"
            }
        }
    }
}
