import CEd25519
import TestSupport
import Testing

/// The square roots by AVX2 and AVX-512 give what the plain code gives, whatever the string.
@Suite(.timeLimit(.minutes(1))) struct PointDecodingTests {
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
}
