import CEd25519
import Crypto

/// Checks many signatures for about a quarter of what they cost one by one.
///
/// Those whose keys are prepared (``PreparedKeys``) are checked each for itself, side by side. Of the others the equations of
/// ``Ed25519Rule``, each times a coefficient of 128 bits, are added up and checked as one by multi-scalar multiplication
/// (Bernstein, Duif, Lange, Schwabe, Yang 2012, section 5). A sum that holds although one of the equations does not has a
/// chance of 2^-128. Coefficients come from a hash of everything in the batch, not from
/// chance: the same batch gives the same answer everywhere, and whoever made the signatures can't know them before.
///
/// A key that signed several of the claims is one term of the sum. When the sum fails, groups of 16 are tried, and the
/// members of a group that fails one by one: a batch in which all are bad costs less than twice what they cost alone.
public struct SignatureBatch {
    /// More are checked in so many at a time: what it takes of memory stays below 3 MB.
    static let most = 2_048
    private static let group = 16

    /// Whether each claim holds, in order: each by its own equation where its key is prepared, which is quickest however many
    /// there are; the others as sums.
    public static func check(_ claims: [SignatureClaim]) -> [Bool] {
        let keys = PreparedKeys.shared.keys(claims.lazy.map(\.key))
        let prepared = keys.compactMap(\.self)
        if prepared.count == claims.count { return PreparedKey.hold(claims, keys: prepared) }
        var results = [Bool](repeating: false, count: claims.count)
        func answer(_ places: [Int], _ holds: [Bool]) {
            for (place, holds) in zip(places, holds) { results[place] = holds }
        }
        if !prepared.isEmpty {
            let places = claims.indices.filter { keys[$0] != nil }
            answer(places, PreparedKey.hold(places.map { claims[$0] }, keys: prepared))
        }
        let others = claims.indices.filter { keys[$0] == nil }
        if others.count == 1 {
            answer(others, others.map { claims[$0].isValidUnprepared })
        } else {
            for first in stride(from: 0, to: others.count, by: most) {
                let places = Array(others[first..<min(first + most, others.count)])
                answer(places, SignatureBatch(places.map { claims[$0] }).results())
            }
        }
        return results
    }

    /// Whether all of them hold. Quicker than ``check(_:)`` where the answer is no, since it does not look for the bad.
    public static func allHold(_ claims: [SignatureClaim]) -> Bool {
        var first = 0
        while first < claims.count {
            let batch = SignatureBatch(Array(claims[first..<min(first + most, claims.count)]))
            guard batch.wellFormed.count == batch.claims.count, batch.holds(batch.wellFormed) else { return false }
            first += most
        }
        return true
    }

    private let claims: [SignatureClaim]
    /// Indices of the claims whose encodings pass; the others are invalid whatever the equation says.
    private var wellFormed: [Int] = []
    private var keyPoints: [ced_point] = []
    private var nonces: [ced_point] = []
    /// 32 bytes each.
    private var challenges: [UInt8] = []
    private var answers: [UInt8] = []

    private init(_ claims: [SignatureClaim]) {
        self.claims = claims
        let count = claims.count
        answers = Ed25519Rule.answers(claims)
        nonces = Array(repeating: ced_point(), count: count)
        var areNonces = [UInt8](repeating: 0, count: count)
        ced_decode_many(&nonces, &areNonces, Ed25519Rule.nonces(claims), count)
        let areKeys = decodeKeys()
        challenges = Ed25519Rule.challenges(claims)
        answers.withUnsafeBufferPointer { answers in
            guard let s = answers.baseAddress else { return }
            wellFormed = claims.indices.filter {
                areNonces[$0] == 1 && areKeys[$0] && ced_scalar_is_canonical(s + 32 * $0) == 1
            }
        }
    }

    /// Fills ``keyPoints``: from the table of known keys where they are there, the rest at once.
    private mutating func decodeKeys() -> [Bool] {
        keyPoints = Array(repeating: ced_point(), count: claims.count)
        var areKeys = [Bool](repeating: true, count: claims.count)
        var unknown: [Int] = []
        var bytes: [UInt8] = []
        for (index, claim) in claims.enumerated() {
            if let point = DecodedKeys.shared.known(claim.key) {
                keyPoints[index] = point
            } else {
                unknown.append(index)
                claim.key.words.withBytes { bytes.append(contentsOf: $0) }
            }
        }
        guard !unknown.isEmpty else { return areKeys }
        var points = Array(repeating: ced_point(), count: unknown.count)
        var valid = [UInt8](repeating: 0, count: unknown.count)
        ced_decode_many(&points, &valid, bytes, unknown.count)
        var learned: [(PublicKey, ced_point)] = []
        for (place, index) in unknown.enumerated() {
            keyPoints[index] = points[place]
            areKeys[index] = valid[place] == 1
            if areKeys[index] { learned.append((claims[index].key, points[place])) }
        }
        DecodedKeys.shared.remember(learned)
        return areKeys
    }

    private func results() -> [Bool] {
        var results = [Bool](repeating: false, count: claims.count)
        if holds(wellFormed) {
            for index in wellFormed { results[index] = true }
            return results
        }
        var first = 0
        while first < wellFormed.count {
            let part = Array(wellFormed[first..<min(first + Self.group, wellFormed.count)])
            let isWhole = part.count < wellFormed.count && holds(part)
            for index in part { results[index] = isWhole || holdsAlone(index) }
            first += part.count
        }
        return results
    }

    private func holdsAlone(_ index: Int) -> Bool {
        var key = keyPoints[index], nonce = nonces[index]
        return answers.withUnsafeBufferPointer { answers in
            challenges.withUnsafeBufferPointer { challenges in
                guard let s = answers.baseAddress, let k = challenges.baseAddress else { return false }
                return ced_equation_holds(&key, &nonce, s + 32 * index, k + 32 * index) == 1
            }
        }
    }

    /// Whether the sum over these claims is neutral: sum of z R + (z k) A - (z s) B, the keys' terms joined by key.
    private func holds(_ indices: [Int]) -> Bool {
        guard indices.count > 1 else { return indices.allSatisfy(holdsAlone) }
        let coefficients = Coefficients(indices, challenges: challenges, answers: answers, claims: claims)
        var points: [ced_point] = []
        points.reserveCapacity(2 * indices.count)
        var scalars = [UInt8](repeating: 0, count: 64 * indices.count)
        var base = [UInt8](repeating: 0, count: 32)
        var placeOfKey: [PublicKey: Int] = [:]
        placeOfKey.reserveCapacity(indices.count)
        var z = [UInt8](repeating: 0, count: 32)
        let zero = z
        for (order, index) in indices.enumerated() {
            coefficients.write(order, into: &z)
            let place = points.count
            scalars.replaceSubrange(32 * place..<32 * place + 32, with: z)
            points.append(nonces[index])
            let key = placeOfKey[claims[index].key]
            let keyPlace = key ?? points.count
            if key == nil {
                placeOfKey[claims[index].key] = keyPlace
                points.append(keyPoints[index])
            }
            scalars.withUnsafeMutableBufferPointer { scalars in
                challenges.withUnsafeBufferPointer { challenges in
                    answers.withUnsafeBufferPointer { answers in
                        guard let all = scalars.baseAddress, let k = challenges.baseAddress,
                            let s = answers.baseAddress
                        else { return }
                        let term = all + 32 * keyPlace
                        if key == nil {
                            ced_scalar_multiply_add(term, z, k + 32 * index, zero)
                        } else {
                            ced_scalar_multiply_add(term, z, k + 32 * index, term)
                        }
                        ced_scalar_multiply_add(&base, z, s + 32 * index, base)
                    }
                }
            }
        }
        ced_scalar_negate(&base, base)
        let scratch = UnsafeMutableRawPointer.allocate(byteCount: ced_sum_scratch(points.count), alignment: 64)
        defer { scratch.deallocate() }
        return ced_sum_is_small(scalars, points, points.count, base, scratch) == 1
    }
}

/// The 128-bit coefficients of a batch, four from each SHA-512 of a seed and a counter.
private struct Coefficients {
    private let bytes: [UInt8]

    init(_ indices: [Int], challenges: [UInt8], answers: [UInt8], claims: [SignatureClaim]) {
        var seed = SHA512()
        seed.update(data: Array("edgeproof/batch/1".utf8))
        for index in indices {
            // k is a hash of R, A and the message.
            challenges.withUnsafeBytes { seed.update(bufferPointer: .init(rebasing: $0[32 * index..<32 * index + 32])) }
            answers.withUnsafeBytes { seed.update(bufferPointer: .init(rebasing: $0[32 * index..<32 * index + 32])) }
            claims[index].key.words.withBytes { seed.update(bufferPointer: $0) }
            claims[index].signature.r.withBytes { seed.update(bufferPointer: $0) }
        }
        let root = Array(seed.finalize())
        var bytes: [UInt8] = []
        bytes.reserveCapacity(16 * indices.count + 64)
        var counter: UInt64 = 0
        while bytes.count < 16 * indices.count {
            var hasher = SHA512()
            hasher.update(data: root)
            withUnsafeBytes(of: counter.littleEndian) { hasher.update(bufferPointer: $0) }
            bytes += hasher.finalize()
            counter += 1
        }
        self.bytes = bytes
    }

    /// The coefficient in the low half of 32 bytes.
    func write(_ order: Int, into z: inout [UInt8]) {
        for byte in 0..<16 { z[byte] = bytes[16 * order + byte] }
    }
}
