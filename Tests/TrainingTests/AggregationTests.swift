import Encoding
import Tensor
import Testing

import Training

private func randomVectors(_ number: Int, count: Int, key: UInt64, scale: Float = 1) -> [[Float]] {
    (0..<number).map { index in
        var stream = GaussianStream(RandomStream(key: key, worker: UInt32(index)))
        return (0..<count).map { _ in stream.next() * scale }
    }
}

@Suite(.timeLimit(.minutes(20))) struct AggregationTests {
    @Test func theMeanIsTheMeanAndRobustOnesIgnoreOutliers() {
        let honest = randomVectors(5, count: 200, key: 1).map { $0.map { $0 * 0.1 + 1 } }
        let evil = [[Float]](repeating: Array(repeating: -1_000, count: 200), count: 2)
        let all = honest + evil
        func worst(_ aggregation: Aggregation) -> Float {
            RobustMean.combine(all, by: aggregation).map { abs($0 - 1) }.max() ?? .infinity
        }
        #expect(worst(.mean) > 100)
        #expect(worst(.trimmed(300_000)) < 0.5)
        #expect(worst(.median) < 0.5)
        #expect(worst(.krum(malicious: 2)) < 0.5)
        #expect(RobustMean.krum(all, malicious: 2) < 5)
        #expect(RobustMean.combine([], by: .median).isEmpty)
        for aggregation in [Aggregation.mean, .trimmed(400_000), .median, .krum(malicious: 1)] {
            #expect(RobustMean.combine([honest[0]], by: aggregation) == honest[0])
        }
        #expect(RobustMean.combine([[1, 5], [2, 6], [6, 1]], by: .median) == [2, 5])
        #expect(RobustMean.combine([[1], [2], [6], [100]], by: .median) == [4])
        #expect(RobustMean.combine([[1], [2], [6], [100]], by: .trimmed(250_000)) == [4])
    }

    @Test func theLargestFractionIsSharedAndTheRestComesLater() throws {
        let difference = randomVectors(1, count: 1_000, key: 2)[0]
        var sharing = LargestFraction()
        guard case .sparse(let count, let positions, let values) = sharing.share(difference, fraction: 100_000) else {
            Issue.record("not sparse")
            return
        }
        #expect(count == 1_000 && positions.count == 100)
        let threshold = difference.map { abs($0) }.sorted(by: >)[99]
        #expect(values.allSatisfy { abs($0) >= threshold })
        #expect(zip(positions, values).allSatisfy { difference[Int($0)] == $1 })
        // What was left out and what was shared are the whole.
        #expect(sharing.residual.enumerated().allSatisfy { index, left in
            positions.contains(UInt32(index)) ? left == 0 : left == difference[index]
        })
        // Sharing on without new differences brings everything through in ten rounds.
        var sum = [Float](repeating: 0, count: 1_000)
        for (position, value) in zip(positions, values) { sum[Int(position)] += value }
        for _ in 0..<9 {
            let next = sharing.share([Float](repeating: 0, count: 1_000), fraction: 100_000)
            for (index, value) in (next.values ?? []).enumerated() { sum[index] += value }
        }
        #expect(sum == difference)
        #expect(sharing.share(difference, fraction: 1_000_000) == .dense(difference))
        // Equal magnitudes: those that come first.
        var equal = LargestFraction()
        #expect(equal.share([1, -1, 1, -1], fraction: 500_000) == .sparse(count: 4, positions: [0, 1], values: [1, -1]))
    }

    @Test func differencesRoundTripAndDamageIsRefused() throws {
        for difference in [
            Difference.dense([1, -2, 0.5]), .sparse(count: 10, positions: [1, 9], values: [3, 4]),
            .masked([1, 2, .max]), .dense([]),
        ] {
            let bytes = difference.borsh
            #expect(try Difference(borsh: bytes) == difference)
            for count in 0..<bytes.count { #expect(throws: (any Error).self) { try Difference(borsh: Array(bytes[..<count])) } }
        }
        #expect(Difference.sparse(count: 4, positions: [1, 3], values: [5, 6]).values == [0, 5, 0, 6])
        #expect(Difference.masked([1]).values == nil)
        for bad in [
            Difference.dense([.nan]), .dense([.infinity]), .sparse(count: 2, positions: [1, 1], values: [1, 1]),
            .sparse(count: 2, positions: [2], values: [1]), .sparse(count: 1 << 27, positions: [1], values: [1]),
        ] { #expect(throws: (any Error).self) { try Difference(borsh: bad.borsh) } }
        // A length that lies.
        #expect(throws: (any Error).self) { try Difference(borsh: [0, 255, 255, 255, 3]) }
    }

    @Test func absurdDifferencesAreRefusedByName() {
        let weights = randomVectors(1, count: 500, key: 3)[0]
        let honest = randomVectors(3, count: 500, key: 4, scale: 0.1)
        var check = DifferenceCheck(weights: weights)
        #expect(check.refusal(of: honest[0], from: 0) == nil)
        #expect(check.refusal(of: honest[1], from: 1) == nil)
        #expect(check.refusal(of: honest[0], from: 2) == .copied(of: 0))
        // Also with a little noise on it.
        let copied = zip(honest[1], randomVectors(1, count: 500, key: 5, scale: 1e-5)[0]).map { $0 + $1 }
        #expect(check.refusal(of: copied, from: 2) == .copied(of: 1))
        #expect(check.refusal(of: Array(honest[2].dropLast()), from: 2) == .wrongShape(expected: [500], found: [499]))
        var broken = honest[2]
        broken[3] = .nan
        #expect(check.refusal(of: broken, from: 2) == .values)
        broken[3] = -.infinity
        #expect(check.refusal(of: broken, from: 2) == .values)
        guard case .norm = check.refusal(of: honest[2].map { $0 * 1e6 }, from: 2) else {
            Issue.record("an absurd norm was taken")
            return
        }
        #expect(check.refusal(of: honest[2], from: 2) == nil)
        // Nothing to say is no copy: two idle workers.
        #expect(check.refusal(of: [Float](repeating: 0, count: 500), from: 3) == nil)
        #expect(check.refusal(of: [Float](repeating: 0, count: 500), from: 4) == nil)
    }

    /// A message read and written again has the bytes that came, and its sender holds the numbers that its receiver does.
    @Test(arguments: BoundaryPrecision.allCases) func boundaryMessagesAreOneThing(precision: BoundaryPrecision) throws {
        var differs = 0
        for key in 0..<200 as Range<UInt64> {
            var stream = GaussianStream(RandomStream(key: key))
            // From tiny to huge, and samples far from 0 beside ones around it.
            let scale = Float(sign: .plus, exponent: Int(key % 40) - 20, significand: 1)
            let shift: Float = key % 3 == 0 ? 1_000 * scale : 0
            let tensor = try FloatTensor(shape: [3, 7], elements: (0..<21).map { _ in stream.next() * scale + shift })
            let sent = ActivationMessage(round: 1, step: 2, boundary: tensor, labels: [1, 2, 3], precision: precision)
            let received = try ActivationMessage(borsh: sent.borsh)
            #expect(received == sent && received.borsh == sent.borsh, "key \(key)")
            #expect(received.boundary == (try BoundaryCodec.rounded(tensor, to: precision)), "key \(key)")
            let gradient = GradientMessage(round: 1, step: 2, gradient: tensor, loss: 0.5, precision: precision)
            let back = try GradientMessage(borsh: gradient.borsh)
            #expect(back == gradient && back.borsh == gradient.borsh && back.gradient == gradient.gradient, "key \(key)")
            // What the message must not do: take its bytes from its values anew.
            if try BoundaryCodec.rounded(sent.boundary, to: precision) != sent.boundary { differs += 1 }
        }
        #expect((differs > 0) == (precision == .bits8), "\(differs) of 200 change when rounded twice")
    }

    @Test func boundaryValuesInFewerBits() throws {
        var stream = GaussianStream(RandomStream(key: 6))
        let tensor = try FloatTensor(shape: [5, 3, 4], elements: (0..<60).map { _ in stream.next() * 3 })
        for precision in BoundaryPrecision.allCases {
            var encoder = BorshEncoder()
            encoder.boundary(tensor, as: precision)
            var decoder = BorshDecoder(encoder.bytes)
            let arrived = try decoder.boundary()
            try decoder.finish()
            #expect(arrived.precision == precision)
            // What the sender thinks the receiver has is what it has, to the bit.
            #expect(arrived.tensor == (try BoundaryCodec.rounded(tensor, to: precision)))
            // header: rank and precision, three sizes
            #expect(encoder.bytes.count <= BoundaryCodec.byteCount(shape: [5, 3, 4], precision: precision) + 1)
            let worst = zip(arrived.tensor.elements, tensor.elements).map { abs($0 - $1) }.max() ?? .infinity
            #expect(worst <= [.float32: 0, .bits16: 0.04, .bits8: 0.04][precision] ?? 0, "\(precision) \(worst)")
            for count in 0..<encoder.bytes.count {
                var short = BorshDecoder(Array(encoder.bytes[..<count]))
                #expect(throws: (any Error).self) { try short.boundary() }
            }
        }
        // Twice the same road is the same as once.
        for precision in [BoundaryPrecision.bits16] {
            let once = try BoundaryCodec.rounded(tensor, to: precision)
            #expect(try BoundaryCodec.rounded(once, to: precision) == once)
        }
        #expect(BoundaryCodec.float(bits16: BoundaryCodec.bits16(.greatestFiniteMagnitude)).isFinite)
        #expect(BoundaryCodec.float(bits16: BoundaryCodec.bits16(1)) == 1)
        let constant = try FloatTensor(shape: [1, 4], elements: [2, 2, 2, 2])
        #expect(try BoundaryCodec.rounded(constant, to: .bits8) == constant)
    }
}
