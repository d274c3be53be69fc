import Tensor
import Testing

@Suite(.timeLimit(.minutes(20))) struct RandomTests {
    /// The known-answer vectors that the authors publish with their Random123 library.
    @Test func philoxVectors() {
        #expect(
            Philox4x32.block(counter: .zero, key: .zero)
                == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
        #expect(
            Philox4x32.block(counter: SIMD4(repeating: .max), key: SIMD2(repeating: .max))
                == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
        #expect(
            Philox4x32.block(
                counter: SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), key: SIMD2(0xa409_3822, 0x299f_31d0))
                == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
    }

    @Test func streamsAreNamedByEveryPartOfTheirKey() {
        func first(_ key: UInt64, _ round: UInt32, _ worker: UInt32, _ step: UInt32) -> [UInt32] {
            var stream = RandomStream(key: key, round: round, worker: worker, step: step)
            return (0..<8).map { _ in stream.nextWord() }
        }
        let streams = [
            first(7, 1, 2, 3), first(8, 1, 2, 3), first(7 + 1 << 32, 1, 2, 3), first(7, 2, 2, 3), first(7, 1, 3, 3),
            first(7, 1, 2, 4),
        ]
        #expect(Set(streams).count == streams.count)
        #expect(first(7, 1, 2, 3) == first(7, 1, 2, 3))
    }

    @Test func indicesAndUnitsAreUniform() {
        var stream = RandomStream(key: 42)
        var counts = [Int](repeating: 0, count: 7)
        var sum = 0.0
        for _ in 0..<70_000 {
            counts[stream.nextIndex(below: 7)] += 1
            sum += Double(stream.nextUnit())
        }
        // 9,257 degrees of luck: five standard deviations of a binomial with mean 10,000 are about 463.
        #expect(counts.allSatisfy { abs($0 - 10_000) < 463 })
        #expect(abs(sum / 70_000 - 0.5) < 0.006)
        #expect(stream.nextIndex(below: 0) == 0)
        #expect(stream.nextIndex(below: -3) == 0)
    }
}
