public import Cryptography

extension SecureSum {
    /// A worker's side. All of its secrets come from one fresh seed; a round needs a new one.
    public struct Worker: Sendable {
        public let place: UInt16
        public let threshold: Int
        private let seed: SecretSeed
        private let context: [UInt8]
        private let sealingKey: KEMPrivateKey
        private let maskingKey: KEMPrivateKey
        private let maskSeed: SecretSeed
        private var roster: [(place: UInt16, keys: Keys)] = []
        /// What others gave to keep: the shares of their key and of their seed.
        private var kept: [UInt16: (key: [UInt8], seed: [UInt8])] = [:]
        private var masked = false
        private var unmasked = false

        /// - Parameters:
        ///   - threshold: how many workers must stay; above half of them.
        ///   - context: names job and round, so that shares of another round do not open.
        public init(place: UInt16, threshold: Int, seed: SecretSeed, context: [UInt8]) throws(Failure) {
            guard
                let sealing = KEMPrivateKey(bytes: seed.derived(for: "edgeproof/secure-sum/seal/1").bytes),
                let masking = KEMPrivateKey(bytes: seed.derived(for: "edgeproof/secure-sum/mask/1").bytes)
            else { throw .badKey(place) }
            self.place = place
            self.threshold = threshold
            self.seed = seed
            self.context = context
            sealingKey = sealing
            maskingKey = masking
            maskSeed = seed.derived(for: "edgeproof/secure-sum/own/1")
        }

        /// Step 1.
        public var keys: Keys { Keys(sealing: sealingKey.publicKey, masking: maskingKey.publicKey) }

        /// Step 2: shares for all others, given everybody's keys.
        public mutating func share(_ all: [(place: UInt16, keys: Keys)]) throws(Failure) -> [SealedShares] {
            let ordered = all.sorted { $0.place < $1.place }
            guard roster.isEmpty else { throw .askedTwice }
            guard (2...SecureSum.maximumParticipants).contains(ordered.count) else {
                throw .roster("\(ordered.count) workers; 2 to \(SecureSum.maximumParticipants) are possible")
            }
            guard zip(ordered, ordered.dropFirst()).allSatisfy({ $0.place < $1.place }),
                Set(ordered.map(\.keys.masking)).count == ordered.count
            else { throw .roster("a place or a key stands in it twice") }
            guard ordered.contains(where: { $0.place == place && $0.keys == keys }) else { throw .notThere(place) }
            guard threshold > ordered.count / 2, threshold <= ordered.count else {
                throw .roster("a threshold of \(threshold) among \(ordered.count); it must be more than half of them")
            }
            roster = ordered
            let keyShares = Shamir.split(
                maskingKey.secretBytes, threshold: threshold, count: ordered.count,
                randomness: seed.derived(for: "edgeproof/secure-sum/key-shares/1"))
            let seedShares = Shamir.split(
                maskSeed.bytes, threshold: threshold, count: ordered.count,
                randomness: seed.derived(for: "edgeproof/secure-sum/seed-shares/1"))
            var sealed: [SealedShares] = []
            for (index, other) in ordered.enumerated() {
                let pair = (key: keyShares[index].bytes, seed: seedShares[index].bytes)
                if other.place == place {
                    kept[place] = pair
                    continue
                }
                do {
                    sealed.append(
                        SealedShares(
                            to: other.place,
                            try other.keys.sealing.seal(
                                pair.key + pair.seed, info: info(from: place, to: other.place), authenticating: [])))
                } catch {
                    throw .badKey(other.place)
                }
            }
            return sealed
        }

        /// What another worker gives to keep. Without it, that worker has no part in this one's sum.
        public mutating func keep(_ shares: SealedShares, from other: UInt16) throws(Failure) {
            guard shares.to == place, roster.contains(where: { $0.place == other }), !masked else {
                throw .notThere(other)
            }
            let content: [UInt8]
            do {
                content = try sealingKey.open(
                    SealedMessage(encapsulatedKey: shares.encapsulatedKey, ciphertext: shares.ciphertext),
                    info: info(from: other, to: place), authenticating: [])
            } catch {
                throw .badShare(from: other)
            }
            guard content.count == 64 else { throw .badShare(from: other) }
            kept[other] = (Array(content[..<32]), Array(content[32...]))
        }

        /// Step 3: the difference under all masks, with those who gave their shares.
        public mutating func mask(_ values: [UInt32]) throws(Failure) -> [UInt32] {
            guard !masked else { throw .askedTwice }
            guard kept.count >= threshold else { throw .tooFew(found: kept.count, threshold: threshold) }
            masked = true
            var result = values
            var own = SecretStream(maskSeed)
            for index in result.indices { result[index] &+= own.nextWord() }
            for other in roster where other.place != place && kept[other.place] != nil {
                try SecureSum.addPairMask(
                    of: place, key: maskingKey, with: other.place, other.keys.masking, context: context, to: &result)
            }
            return result
        }

        /// The places with which this worker has masked: all must do the same, or masks don't cancel.
        public var partners: [UInt16] { kept.keys.sorted() }

        /// Step 4: one share about each worker, for those who are in the sum and those who dropped out. Answered once.
        public mutating func unmask(included: [UInt16]) throws(Failure) -> [Unmasking] {
            guard masked, !unmasked else { throw .askedTwice }
            let there = Set(included)
            guard there.isSubset(of: Set(kept.keys)) else { throw .roster("somebody is in the sum who gave no shares") }
            guard there.count >= threshold else { throw .tooFew(found: there.count, threshold: threshold) }
            unmasked = true
            return kept.keys.sorted().compactMap { about in
                guard let shares = kept[about] else { return nil }
                let isSeed = there.contains(about)
                return Unmasking(about: about, isSeed: isSeed, share: isSeed ? shares.seed : shares.key)
            }
        }

        private func info(from sender: UInt16, to receiver: UInt16) -> [UInt8] {
            Array("edgeproof/secure-sum/share/1".utf8) + context + sender.borsh + receiver.borsh
        }
    }

    /// Adds what two workers' common stream says: the lower place adds, the higher one subtracts.
    static func addPairMask(
        of place: UInt16, key: KEMPrivateKey, with other: UInt16, _ otherKey: KEMPublicKey, context: [UInt8],
        to words: inout [UInt32]
    ) throws(Failure) {
        let names = min(place, other).borsh + max(place, other).borsh
        guard let seed = key.agreement(with: otherKey, info: Array("edgeproof/secure-sum/pair/1".utf8) + context + names)
        else { throw .badKey(other) }
        var stream = SecretStream(seed)
        if place < other {
            for index in words.indices { words[index] &+= stream.nextWord() }
        } else {
            for index in words.indices { words[index] &-= stream.nextWord() }
        }
    }
}
