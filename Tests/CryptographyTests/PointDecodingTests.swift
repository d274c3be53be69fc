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

    /// Checks with prepared keys say what the plain equation says, on all paths, however many there are and wherever the
    /// wrong ones stand: of right answers, wrong ones, and those with the most extreme signs.
    @Test(arguments: [1, 2, 3, 4, 5, 7, 8, 9, 16, 18, 63, 64, 65, 150])
    func preparedKeysAgree(count: Int) throws {
        let seed = UInt64(0x9e00 + count)
        var generator = SeededGenerator(seed: seed)
        let base: [UInt8] = [0x58] + [UInt8](repeating: 0x66, count: 31)
        let zero = [UInt8](repeating: 0, count: 32), one: [UInt8] = [1] + [UInt8](repeating: 0, count: 31)
        // L - 1 and L.
        var largest = zero
        ced_scalar_negate(&largest, one)
        var order = largest
        order[0] += 1
        /// k with the extremes among them, and for the base point as the key the s that makes R the base point too.
        func challenge() -> [UInt8] {
            let special = [zero, one, largest, [UInt8](repeating: 0xff, count: 31) + [0x0f], [UInt8](repeating: 0x55, count: 31) + [0x05]]
            guard generator.below(2) == 0 else { return special[generator.below(special.count)] }
            var result = zero
            ced_scalar_reduce(&result, generator.bytes(64))
            return result
        }
        var keys: [ced_point] = [], tables: [UnsafeMutablePointer<ced_key>] = []
        defer { for table in tables { table.deallocate() } }
        var (r, s, k): ([UInt8], [UInt8], [UInt8]) = ([], [], [])
        for index in 0..<count {
            var key = ced_point()
            var claim: (r: [UInt8], s: [UInt8], k: [UInt8])
            if generator.below(2) == 0 {
                #expect(ced_decode(&key, base) == 1)
                claim = (base, zero, challenge())
                ced_scalar_multiply_add(&claim.s, one, claim.k, one)
            } else {
                let secret = try Curve25519.Signing.PrivateKey(rawRepresentation: generator.bytes(32))
                let message = generator.bytes(20), signature = Array(try secret.signature(for: message))
                #expect(ced_decode(&key, Array(secret.publicKey.rawRepresentation)) == 1)
                claim = (Array(signature[..<32]), Array(signature[32...]), zero)
                ced_scalar_reduce(&claim.k, Array(SHA512.hash(data: claim.r + Array(secret.publicKey.rawRepresentation) + message)))
            }
            // Half of them wrong, but for a first one.
            switch index == 0 ? 9 : generator.below(10) {
            case 0: claim.s[generator.below(31)] ^= 1 << UInt8(generator.below(8))
            case 1: claim.k[generator.below(31)] ^= 1 << UInt8(generator.below(8))
            case 2: claim.r[generator.below(32)] ^= 1 << UInt8(generator.below(8))
            // y = 2 belongs to no point.
            case 3: claim.r = [2] + [UInt8](repeating: 0, count: 31)
            case 4: claim.s = [order, [UInt8](repeating: 0xff, count: 32)][generator.below(2)]
            default: break
            }
            keys.append(key)
            let table = UnsafeMutablePointer<ced_key>.allocate(capacity: 1)
            ced_prepare_key(table, &key)
            tables.append(table)
            r += claim.r
            s += claim.s
            k += claim.k
        }
        let expected: [UInt8] = (0..<count).map { index in
            func own(_ all: [UInt8]) -> [UInt8] { Array(all[32 * index..<32 * index + 32]) }
            var nonce = ced_point()
            guard ced_decode(&nonce, own(r)) == 1, ced_scalar_is_canonical(own(s)) == 1 else { return 0 }
            return ced_equation_holds(&keys[index], &nonce, own(s), own(k)) == 1 ? 1 : 0
        }
        #expect(expected[0] == 1, "seed \(seed)")
        let widest = ced_widest_path()
        for path in [ced_path_scalar, ced_path_avx512ifma] where path.rawValue <= widest.rawValue {
            var holds = [UInt8](repeating: 9, count: count)
            ced_signatures_hold_by(path, &holds, tables.map { UnsafePointer($0) }, r, s, k, count)
            #expect(holds == expected, "seed \(seed), path \(path)")
        }
        var holds = [UInt8](repeating: 9, count: count)
        ced_signatures_hold(&holds, tables.map { UnsafePointer($0) }, r, s, k, count)
        #expect(holds == expected, "seed \(seed)")
    }

    /// Eight hashes at once are what swift-crypto says, of messages whose ends fall everywhere in a block, long beside short.
    @Test func challengesAgree() {
        guard ced_widest_path() == ced_path_avx512ifma else { return }
        let seed: UInt64 = 0x512
        var generator = SeededGenerator(seed: seed)
        for count in [1, 2, 7, 8, 9, 40] {
            for round in 0..<40 {
                var (r, keys, messages): ([UInt8], [UInt8], [UInt8]) = ([], [], [])
                var ends: [Int] = [], expected: [UInt8] = []
                for index in 0..<count {
                    let nonce = generator.bytes(32), key = generator.bytes(32)
                    let message = generator.bytes(index == round ? generator.below(3_000) : round * 7 + generator.below(9))
                    r += nonce
                    keys += key
                    messages += message
                    ends.append(messages.count)
                    var one = [UInt8](repeating: 0, count: 32)
                    ced_scalar_reduce(&one, Array(SHA512.hash(data: nonce + key + message)))
                    expected += one
                }
                var found = [UInt8](repeating: 9, count: 32 * count)
                ced_challenges_in_eights(&found, r, keys, messages, ends, count)
                #expect(found == expected, "seed \(seed), count \(count), round \(round)")
            }
        }
    }
}
