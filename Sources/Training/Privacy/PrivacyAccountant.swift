/// How much a differentially private training has told about one sample: the Rényi differential privacy of the sampled
/// Gaussian mechanism (Mironov, Talwar and Zhang, 2019), converted by Theorem 21 of Balle et al. (AISTATS 2020), as
/// TensorFlow Privacy and Opacus do it.
///
/// Neighbours differ by one sample that is there or not. The sampling is Poisson's: each sample is in a step with the
/// probability `rate`, independently (``PrivateStep`` draws so). Fixed batches of the same size are *not* covered.
public struct PrivacyAccountant: Sendable, Equatable {
    /// The orders that TensorFlow Privacy uses.
    public static let orders: [Double] =
        [1.25, 1.5, 1.75, 2, 2.25, 2.5, 3, 3.5, 4, 4.5] + (5...63).map(Double.init) + [128, 256, 512]

    public let noiseMultiplier: Double
    public let rate: Double
    public private(set) var steps: UInt64 = 0
    /// Of one step, for each order.
    private let perStep: [Double]

    /// - Parameters:
    ///   - noiseMultiplier: the noise's standard deviation over the clip norm, above 0.
    ///   - rate: the probability of a sample to be in a step, in 0...1.
    public init(noiseMultiplier: Double, rate: Double) {
        self.noiseMultiplier = noiseMultiplier
        self.rate = min(max(rate, 0), 1)
        let rate = self.rate
        perStep = Self.orders.map { Self.divergence(order: $0, rate: rate, noise: noiseMultiplier) }
    }

    public mutating func step(_ count: UInt64 = 1) {
        steps &+= count
    }

    /// The least epsilon over all orders for this delta, after the steps so far and `further` ones. Nothing has been
    /// told after no steps: 0.
    public func epsilon(delta: Double, further: UInt64 = 0) -> Double {
        let number = Double(steps) + Double(further)
        guard number > 0, rate > 0 else { return 0 }
        guard delta > 0, noiseMultiplier > 0 else { return .infinity }
        var least = Double.infinity
        for (order, divergence) in zip(Self.orders, perStep) {
            let epsilon =
                divergence * number + RealFunctions.log(1 - 1 / order)
                - RealFunctions.log(delta * order) / (order - 1)
            least = min(least, epsilon)
        }
        return max(least, 0)
    }

    /// How many steps in all a budget allows.
    public func stepsWithin(epsilon: Double, delta: Double) -> UInt64 {
        var fresh = self
        fresh.steps = 0
        var low: UInt64 = 0
        var high: UInt64 = 1
        while high < 1 << 40, fresh.epsilon(delta: delta, further: high) <= epsilon {
            low = high
            high <<= 1
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if fresh.epsilon(delta: delta, further: middle) <= epsilon { low = middle } else { high = middle }
        }
        return low
    }

    /// The Rényi divergence of one step: `log A / (order - 1)` with
    /// `A = E over z of N(0, s^2) of ((1 - q) + q exp((2z - 1) / (2 s^2)))^order`.
    ///
    /// The integral is taken by the trapezoidal rule, which converges exponentially for such a function; the logarithm
    /// of the integrand keeps it from overflowing. Any real order above 1 will do.
    package static func divergence(order: Double, rate: Double, noise: Double) -> Double {
        guard rate > 0 else { return 0 }
        guard noise > 0 else { return .infinity }
        let variance = noise * noise
        if rate == 1 { return order / (2 * variance) }
        // The nearest singularity is at a distance of pi s^2 from the real axis.
        let width = min(0.1 * noise, 0.3 * variance)
        let (from, to) = (-14 * noise, order + 14 * noise)
        let (logRate, logRest) = (RealFunctions.log(rate), RealFunctions.log(1 - rate))
        // The constant 1 / (s sqrt(2 pi)).
        let scale = RealFunctions.log(width) - RealFunctions.log(noise) - 0.9189385332046727
        func logTerm(_ z: Double) -> Double {
            let mixed = RealFunctions.logSum(logRest, logRate + (2 * z - 1) / (2 * variance))
            return order * mixed - z * z / (2 * variance)
        }
        // Two passes: the largest term first, so that the sum neither overflows nor loses its small parts.
        let count = min(Int(((to - from) / width).rounded(.up)), 4_000_000)
        let step = (to - from) / Double(max(count, 1))
        var largest = -Double.infinity
        for index in 0...count { largest = max(largest, logTerm(from + Double(index) * step)) }
        var sum = 0.0
        for index in 0...count { sum += RealFunctions.exp(logTerm(from + Double(index) * step) - largest) }
        let logA = largest + RealFunctions.log(sum) + scale + RealFunctions.log(step / width)
        return max(logA, 0) / (order - 1)
    }
}

extension PrivacyPlan {
    /// The accountant of a worker with so many samples that takes batches of this expected size.
    public func accountant(samples: Int, batchSize: Int) -> PrivacyAccountant {
        PrivacyAccountant(
            noiseMultiplier: Double(noiseMultiplier) / 1e6, rate: Double(batchSize) / Double(max(samples, 1)))
    }
}
