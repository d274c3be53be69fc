import CEd25519
import Crypto

/// The one rule by which Ed25519 signatures are checked: ZIP 215 (<https://zips.z.cash/zip-0215>).
///
/// - `A` and `R` may be any encodings whose y, taken modulo p, belongs to a point, also those that are not canonical;
/// - `s` is below the group order L;
/// - `[8][s]B = [8]R + [8][k]A`, with k = SHA-512(R || A || message) over the bytes as they came.
///
/// The equation is the cofactored one, so a signature that passes alone passes in every batch and the other way about.
/// Other rules don't agree with themselves: RFC 8032 leaves the choice open, and what one library takes another refuses,
/// which on a chain is a fork. What swift-crypto takes (cofactorless, canonical) this rule takes too.
public enum Ed25519Rule {
    /// SHA-512(R || A || message) modulo L, 32 little-endian bytes.
    static func challenge(_ claim: SignatureClaim, into result: UnsafeMutablePointer<UInt8>) {
        var hasher = SHA512()
        claim.signature.r.withBytes { hasher.update(bufferPointer: $0) }
        claim.key.words.withBytes { hasher.update(bufferPointer: $0) }
        claim.message.withUnsafeBytes { hasher.update(bufferPointer: $0) }
        hasher.finalize().withUnsafeBytes { wide in
            guard let start = wide.bindMemory(to: UInt8.self).baseAddress else { return }
            ced_scalar_reduce(result, start)
        }
    }

    private static let hasEightLanes = ced_widest_path() == ced_path_avx512ifma

    /// The same of each of many, 32 bytes after 32: eight hashes at once where the processor can.
    static func challenges(_ claims: [SignatureClaim]) -> [UInt8] {
        var results = [UInt8](repeating: 0, count: 32 * claims.count)
        guard hasEightLanes, claims.count > 1 else {
            results.withUnsafeMutableBufferPointer { results in
                guard let start = results.baseAddress else { return }
                for (index, claim) in claims.enumerated() { challenge(claim, into: start + 32 * index) }
            }
            return results
        }
        var keys: [UInt8] = [], messages: [UInt8] = [], ends: [Int] = []
        keys.reserveCapacity(32 * claims.count)
        messages.reserveCapacity(claims.reduce(0) { $0 + $1.message.count })
        ends.reserveCapacity(claims.count)
        for claim in claims {
            claim.key.words.withBytes { keys.append(contentsOf: $0) }
            messages += claim.message
            ends.append(messages.count)
        }
        ced_challenges_in_eights(&results, nonces(claims), keys, messages, ends, claims.count)
        return results
    }

    /// R of each, and s of each, one after the other.
    static func nonces(_ claims: [SignatureClaim]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32 * claims.count)
        for claim in claims { claim.signature.r.withBytes { bytes.append(contentsOf: $0) } }
        return bytes
    }

    static func answers(_ claims: [SignatureClaim]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32 * claims.count)
        for claim in claims { claim.signature.s.withBytes { bytes.append(contentsOf: $0) } }
        return bytes
    }

    static func isSmallOrder(_ key: PublicKey) -> Bool {
        guard var point = decode(key.words) else { return false }
        return ced_is_small_order(&point) == 1
    }

    static func decode(_ words: Words256) -> ced_point? {
        var point = ced_point()
        let isPoint = words.withBytes { raw in
            raw.bindMemory(to: UInt8.self).baseAddress.map { ced_decode(&point, $0) == 1 } ?? false
        }
        return isPoint ? point : nil
    }
}

/// That a key signed a message: what a check decides.
public struct SignatureClaim: Sendable {
    public let key: PublicKey
    public let signature: Signature
    public let message: [UInt8]

    public init(key: PublicKey, signature: Signature, message: [UInt8]) {
        self.key = key
        self.signature = signature
        self.message = message
    }

    /// By ``Ed25519Rule``.
    public var isValid: Bool {
        PreparedKeys.shared.key(key)?.holds(self) ?? isValidUnprepared
    }

    /// The same, of a key that nothing is prepared of.
    var isValidUnprepared: Bool {
        guard var r = Ed25519Rule.decode(signature.r) else { return false }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { challenge in
            guard let k = challenge.baseAddress else { return false }
            return signature.s.withBytes { raw in
                guard let s = raw.bindMemory(to: UInt8.self).baseAddress, ced_scalar_is_canonical(s) == 1,
                    var point = DecodedKeys.shared.point(of: key)
                else { return false }
                Ed25519Rule.challenge(self, into: k)
                return ced_equation_holds(&point, &r, s, k) == 1
            }
        }
    }
}
