import Cryptography
import Encoding
import Primitives

/// How two workers find out that they train on the same samples, without showing them: `--shard 0/2` given twice, or two
/// shards of different divisions.
///
/// Each makes a sketch of its samples: the 64 smallest of their hashes, salted with the job (a bottom-k sketch, Broder
/// 1997; Cohen and Kaplan 2007). Among the 64 smallest of both together the share that both have estimates which share
/// of all samples they have in common. The asker's sketch is sealed for the one that it asks, and the answer is that
/// number alone. Who gets a sketch can test samples that it has itself, and learns nothing of others.
package struct Overlap: Sendable {
    package static let size = 64
    /// Of ``size``: a shared part worth a warning. Real data sets hold a few pictures twice.
    package static let worthAWarning = 4

    /// Ascending, each once.
    package let sketch: [UInt64]

    private init(sketch: [UInt64]) { self.sketch = sketch }

    /// - Parameters:
    ///   - count: of the worker's samples.
    ///   - sample: bytes of the sample at a place.
    package init(job: Account, count: Int, sample: (Int) -> [UInt8]) {
        var smallest: [UInt64] = []
        for index in 0..<count {
            let hash = Digest(domain: "edgeproof/overlap/1", parts: job.bytes, sample(index)).bytes
            let value = hash[..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            if smallest.count == Self.size, let last = smallest.last, value >= last { continue }
            var place = smallest.count
            while place > 0, smallest[place - 1] > value { place -= 1 }
            if place > 0, smallest[place - 1] == value { continue }
            smallest.insert(value, at: place)
            if smallest.count > Self.size { smallest.removeLast() }
        }
        sketch = smallest
    }

    /// How many of the 64 smallest hashes of both together both have; with fewer samples the scale is kept.
    package func shared(with other: Overlap) -> Int {
        let union = Set(sketch).union(other.sketch).sorted().prefix(Self.size)
        guard !union.isEmpty else { return 0 }
        let (own, others) = (Set(sketch), Set(other.sketch))
        let both = union.count { own.contains($0) && others.contains($0) }
        return both * Self.size / union.count
    }

    // MARK: On the way

    private static let info = Array("edgeproof/overlap-sketch/1".utf8)

    /// Sealed for the worker that is asked: encapsulated key, then ciphertext.
    package func sealed(for key: KEMPublicKey, job: Account) throws -> [UInt8] {
        var encoder = BorshEncoder(reserving: 8 * Self.size)
        for value in sketch { encoder.integer(value) }
        let message = try key.seal(encoder.bytes, info: Self.info, authenticating: job.bytes)
        return message.encapsulatedKey + message.ciphertext
    }

    /// Nil for what is not sealed for one of the keys, or is no sketch.
    package init?(opening bytes: [UInt8], job: Account, keys: [KEMPrivateKey]) {
        guard bytes.count > 32 else { return nil }
        let message = SealedMessage(encapsulatedKey: Array(bytes[..<32]), ciphertext: Array(bytes[32...]))
        for key in keys {
            guard let plain = try? key.open(message, info: Self.info, authenticating: job.bytes) else { continue }
            guard plain.count % 8 == 0, plain.count <= 8 * Self.size else { return nil }
            let values = stride(from: 0, to: plain.count, by: 8).map { start in
                plain[start..<start + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            }
            guard zip(values, values.dropFirst()).allSatisfy({ $0 < $1 }) else { return nil }
            self.init(sketch: values)
            return
        }
        return nil
    }
}
