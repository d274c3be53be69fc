import Cryptography

extension SecureSum {
    /// The cloud's side: it passes keys and sealed shares on, adds up what is masked, and takes the masks off the sum.
    public struct Cloud: Sendable {
        public let threshold: Int
        /// Parameters of the model.
        public let count: Int
        private let context: [UInt8]
        private var roster: [UInt16: Keys] = [:]
        /// Who has shared, and so may be in the sum.
        public private(set) var shared: Set<UInt16> = []
        private var masked: [UInt16: [UInt32]] = [:]
        /// Of each worker, the shares by who gave them.
        private var seedShares: [UInt16: [UInt16: [UInt8]]] = [:]
        private var keyShares: [UInt16: [UInt16: [UInt8]]] = [:]

        public init(threshold: Int, count: Int, context: [UInt8]) {
            self.threshold = threshold
            self.count = count
            self.context = context
        }

        /// Step 1. A second pair of keys from one place is refused.
        public mutating func add(_ keys: Keys, from place: UInt16) throws(Failure) {
            guard roster[place] == nil, shared.isEmpty else { throw .askedTwice }
            guard roster.count < SecureSum.maximumParticipants else { throw .roster("there are too many workers") }
            roster[place] = keys
        }

        public var keys: [(place: UInt16, keys: Keys)] {
            roster.keys.sorted().compactMap { place in roster[place].map { (place, $0) } }
        }

        /// Step 2: the shares of one worker are complete, and can be handed on.
        public mutating func accept(_ shares: [SealedShares], from place: UInt16) throws(Failure) {
            guard roster[place] != nil, !shared.contains(place) else { throw .notThere(place) }
            guard Set(shares.map(\.to)) == Set(roster.keys).subtracting([place]), shares.count == roster.count - 1 else {
                throw .badShare(from: place)
            }
            shared.insert(place)
        }

        /// Step 3.
        public mutating func add(masked words: [UInt32], from place: UInt16) throws(Failure) {
            guard shared.contains(place), masked[place] == nil else { throw .notThere(place) }
            guard words.count == count else { throw .badShare(from: place) }
            masked[place] = words
        }

        /// Who is in the sum.
        public var included: [UInt16] { masked.keys.sorted() }

        /// Step 4. Shares of the wrong kind are refused: nobody is asked for both.
        public mutating func add(_ unmaskings: [Unmasking], from place: UInt16) throws(Failure) {
            guard masked[place] != nil else { throw .notThere(place) }
            for unmasking in unmaskings {
                guard unmasking.share.count == 32, shared.contains(unmasking.about),
                    unmasking.isSeed == (masked[unmasking.about] != nil)
                else { throw .badShare(from: place) }
            }
            for unmasking in unmaskings {
                if unmasking.isSeed {
                    seedShares[unmasking.about, default: [:]][place] = unmasking.share
                } else {
                    keyShares[unmasking.about, default: [:]][place] = unmasking.share
                }
            }
        }

        /// The sum of all differences that arrived, in fixed point. A key that shares give back is checked against the
        /// public one; a seed can't be, so a worker that lies about its share spoils the sum, which validation sees.
        public func sum() throws(Failure) -> [UInt32] {
            guard masked.count >= threshold else { throw .tooFew(found: masked.count, threshold: threshold) }
            var sum = [UInt32](repeating: 0, count: count)
            for place in included {
                if let words = masked[place] { SecureSum.add(words, to: &sum) }
                var own = SecretStream(try secret(of: place, from: seedShares[place] ?? [:]))
                for index in sum.indices { sum[index] &-= own.nextWord() }
            }
            for place in shared.sorted() where masked[place] == nil {
                let secret = try secret(of: place, from: keyShares[place] ?? [:])
                guard let key = KEMPrivateKey(bytes: secret.bytes), key.publicKey == roster[place]?.masking else {
                    throw .badShare(from: place)
                }
                // What the one that left would have added takes off what the others added for it.
                for other in included {
                    guard let otherKey = roster[other]?.masking else { throw .notThere(other) }
                    try SecureSum.addPairMask(
                        of: place, key: key, with: other, otherKey, context: context, to: &sum)
                }
            }
            return sum
        }

        private func secret(of place: UInt16, from shares: [UInt16: [UInt8]]) throws(Failure) -> SecretSeed {
            let points = roster.keys.sorted()
            let found = shares.keys.sorted().compactMap { giver in
                points.firstIndex(of: giver).flatMap { index in
                    shares[giver].map { Shamir.Share(point: UInt8(index + 1), bytes: $0) }
                }
            }
            guard let bytes = Shamir.join(found, threshold: threshold), let seed = SecretSeed(bytes) else {
                throw .tooFew(found: found.count, threshold: threshold)
            }
            return seed
        }
    }
}
