import CEd25519
import Crypto
import TestSupport
import Testing

/// The square roots and sums by AVX2 and AVX-512 give what the plain code gives, whatever the input.
@Suite(.timeLimit(.minutes(20))) struct PointDecodingTests {
    @Test(arguments: [1, 2, 3, 4, 5, 7, 8, 9, 16, 1_001])
    func allPathsAgree(count: Int) {
        let seed = UInt64(count)
        var generator = SeededGenerator(seed: seed)
        var bytes = generator.bytes(32 * count)
        // Among random strings, half of which are points: y of 0, 1 and p - 1, and all ones.
        let special: [[UInt8]] = [
            [UInt8](repeating: 0, count: 32), [1] + [UInt8](repeating: 0, count: 31),
            [0xec] + [UInt8](repeating: 0xff, count: 30) + [0x7f], [UInt8](repeating: 0xff, count: 32),
        ]
        for (index, string) in special.enumerated() where 3 * index + 1 < count {
            bytes.replaceSubrange(32 * (3 * index + 1)..<32 * (3 * index + 2), with: string)
        }
        func decode(_ path: ced_path) -> (coordinates: [[UInt64]], valid: [UInt8]) {
            var points = Array(repeating: ced_point(), count: count)
            var valid = [UInt8](repeating: 9, count: count)
            ced_decode_many_by(path, &points, &valid, bytes, count)
            return (
                points.map { point in
                    // Equal representations are asked for, not just equal points: they come from one canonical form.
                    withUnsafeBytes(of: point) { Array($0.bindMemory(to: UInt64.self)) }
                }, valid
            )
        }
        let plain = decode(ced_path_scalar)
        #expect(plain.valid.allSatisfy { $0 <= 1 })
        let widest = ced_widest_path()
        for path in [ced_path_avx2, ced_path_avx512ifma] where path.rawValue <= widest.rawValue {
            let other = decode(path)
            #expect(other.valid == plain.valid, "seed \(seed)")
            #expect(other.coordinates == plain.coordinates, "seed \(seed)")
        }
        for index in 0..<count {
            var point = ced_point()
            let one = Array(bytes[32 * index..<32 * index + 32])
            let isPoint = ced_decode(&point, one)
            #expect(isPoint == Int32(plain.valid[index]), "seed \(seed)")
        }
    }

    /// Sums that are neutral, and others, of long and short scalars in any order.
    @Test(arguments: [1, 2, 3, 4, 7, 8, 9, 31, 64, 255, 1_000])
    func allPathsAgreeOnSums(pairs: Int) throws {
        let seed = UInt64(pairs)
        var generator = SeededGenerator(seed: seed)
        func scalar(_ isShort: Bool) -> [UInt8] {
            var result = [UInt8](repeating: 0, count: 32)
            ced_scalar_reduce(&result, generator.bytes(64))
            if isShort { result.replaceSubrange(16..<32, with: [UInt8](repeating: 0, count: 16)) }
            return result
        }
        var terms: [(point: ced_point, scalar: [UInt8])] = []
        while terms.count < 2 * pairs {
            var encoding = generator.bytes(32), point = ced_point(), opposite = ced_point()
            guard ced_decode(&point, encoding) == 1 else { continue }
            encoding[31] ^= 0x80
            guard ced_decode(&opposite, encoding) == 1 else { continue }
            // Zeros and the largest digits among them.
            let special: [[UInt8]] = [
                [UInt8](repeating: 0, count: 32), [UInt8](repeating: 0x88, count: 16) + [UInt8](repeating: 0, count: 16),
                [UInt8](repeating: 0xff, count: 31) + [0x0f], [UInt8](repeating: 0x77, count: 31) + [0x07],
            ]
            let common = generator.below(8) == 0 ? special[generator.below(4)] : scalar(generator.below(2) == 0)
            terms += [(point, common), (opposite, common)]
        }
        let base = scalar(false)
        var minus = [UInt8](repeating: 0, count: 32), basePoint = ced_point()
        ced_scalar_negate(&minus, base)
        #expect(ced_decode(&basePoint, [0x58] + [UInt8](repeating: 0x66, count: 31)) == 1)
        terms.append((basePoint, minus))
        for place in terms.indices { terms.swapAt(place, place + generator.below(terms.count - place)) }
        let scratch = UnsafeMutableRawPointer.allocate(byteCount: ced_sum_scratch(terms.count), alignment: 64)
        defer { scratch.deallocate() }
        let widest = ced_widest_path()
        for (isNeutral, changed) in [(true, nil), (false, 0), (false, terms.count - 1)] as [(Bool, Int?)] {
            var scalars = terms.flatMap(\.scalar)
            if let changed { scalars[32 * changed] ^= 1 }
            for path in [ced_path_scalar, ced_path_avx512ifma] where path.rawValue <= widest.rawValue {
                let answer = ced_sum_is_small_by(path, scalars, terms.map(\.point), terms.count, base, scratch)
                #expect(answer == (isNeutral ? 1 : 0), "seed \(seed), path \(path)")
            }
            #expect(ced_sum_is_small(scalars, terms.map(\.point), terms.count, base, scratch) == (isNeutral ? 1 : 0))
        }
    }

    /// A prepared key says what the key itself says: of right answers, wrong ones, and those with the most extreme digits.
    @Test func preparedKeysAgree() throws {
        let seed: UInt64 = 0x9e
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<40 {
            let secret = try Curve25519.Signing.PrivateKey(rawRepresentation: generator.bytes(32))
            var key = ced_point(), prepared = ced_key()
            #expect(ced_decode(&key, Array(secret.publicKey.rawRepresentation)) == 1)
            ced_prepare_key(&prepared, &key)
            let message = generator.bytes(20), signature = Array(try secret.signature(for: message))
            var nonce = ced_point(), k = [UInt8](repeating: 0, count: 32)
            #expect(ced_decode(&nonce, Array(signature[..<32])) == 1)
            ced_scalar_reduce(&k, Array(SHA512.hash(data: Array(signature[..<32]) + Array(secret.publicKey.rawRepresentation) + message)))
            let s = Array(signature[32...])
            #expect(ced_equation_holds_for(&prepared, &nonce, s, k) == 1, "seed \(seed)")
            // L - 1, small ones, and bits of one part or at the borders of two.
            var largest = [UInt8](repeating: 0, count: 32)
            ced_scalar_negate(&largest, [1] + [UInt8](repeating: 0, count: 31))
            let others =
                [largest, [UInt8](repeating: 0, count: 32), [UInt8](repeating: 0xff, count: 31) + [0x0f]]
                + (0..<8).map { _ in
                    var one = s
                    one[generator.below(31)] ^= 1 << UInt8(generator.below(8))
                    return one
                }
            for other in others {
                #expect(
                    ced_equation_holds_for(&prepared, &nonce, other, k) == ced_equation_holds(&key, &nonce, other, k),
                    "seed \(seed)")
                #expect(
                    ced_equation_holds_for(&prepared, &nonce, s, other) == ced_equation_holds(&key, &nonce, s, other),
                    "seed \(seed)")
            }
        }
    }
}
