import Foundation

/// Mean and spread of a few numbers.
public struct Summary: Codable, Sendable, Equatable {
    public let count: Int
    public let mean: Double
    /// The sample's standard deviation (n - 1); 0 for one number.
    public let deviation: Double

    public init(_ values: [Double]) {
        count = values.count
        let mean = values.reduce(0, +) / Double(max(values.count, 1))
        self.mean = mean
        deviation =
            values.count > 1
            ? (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)).squareRoot() : 0
    }
}

/// Whether two ways of training differ, given one result of each for the same seeds.
public struct PairedComparison: Codable, Sendable, Equatable {
    public let pairs: Int
    /// The mean of first - second.
    public let difference: Double
    /// Student's t of the differences; nil for one pair, or when all differences are the same.
    public let t: Double?
    /// Two-sided, of the paired t-test.
    public let p: Double?
    /// Two-sided, of the exact sign-flip permutation test, which assumes no distribution: the share of the 2^n ways to
    /// flip signs whose mean is as far from 0. It can't be below 2 / 2^n. Nil above 20 pairs.
    public let permutationP: Double?

    public init(_ first: [Double], _ second: [Double]) {
        let differences = zip(first, second).map { $0 - $1 }
        let summary = Summary(differences)
        pairs = differences.count
        difference = summary.mean
        if differences.count > 1, summary.deviation > 0 {
            let t = summary.mean / (summary.deviation / Double(differences.count).squareRoot())
            self.t = t
            p = StudentT.twoSided(t: t, degrees: Double(differences.count - 1))
        } else {
            t = nil
            p = nil
        }
        if (1...20).contains(differences.count) {
            let observed = abs(differences.reduce(0, +))
            var extreme = 0
            for signs in 0..<(1 << differences.count) {
                var sum = 0.0
                for (index, value) in differences.enumerated() { sum += signs >> index & 1 == 1 ? -value : value }
                if abs(sum) >= observed - 1e-12 { extreme += 1 }
            }
            permutationP = Double(extreme) / Double(1 << differences.count)
        } else {
            permutationP = nil
        }
    }
}

/// Student's t distribution through the regularised incomplete beta function (Lentz's continued fraction, as in
/// "Numerical Recipes", section 6.4).
package enum StudentT {
    package static func twoSided(t: Double, degrees: Double) -> Double {
        beta(degrees / (degrees + t * t), degrees / 2, 0.5)
    }

    static func beta(_ x: Double, _ a: Double, _ b: Double) -> Double {
        guard x > 0 else { return 0 }
        guard x < 1 else { return 1 }
        let logFront = logGamma(a + b) - logGamma(a) - logGamma(b) + a * log(x) + b * log(1 - x)
        let front = exp(logFront)
        return x < (a + 1) / (a + b + 2) ? front * fraction(x, a, b) / a : 1 - front * fraction(1 - x, b, a) / b
    }

    /// Lanczos' approximation (g = 7, n = 9): `lgamma` of the C library keeps a global sign.
    static func logGamma(_ x: Double) -> Double {
        let coefficients = [
            0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
            12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
        ]
        if x < 0.5 { return log(Double.pi / sin(Double.pi * x)) - logGamma(1 - x) }
        let shifted = x - 1
        var sum = coefficients[0]
        for index in 1..<coefficients.count { sum += coefficients[index] / (shifted + Double(index)) }
        let base = shifted + 7.5
        return 0.5 * log(2 * Double.pi) + (shifted + 0.5) * log(base) - base + log(sum)
    }

    private static func fraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
        let tiny = 1e-300
        func safe(_ value: Double) -> Double { abs(value) < tiny ? tiny : value }
        var c = 1.0
        var d = 1 / safe(1 - (a + b) * x / (a + 1))
        var result = d
        for m in 1...300 {
            let m = Double(m)
            let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            d = 1 / safe(1 + even * d)
            c = safe(1 + even / c)
            result *= d * c
            let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            d = 1 / safe(1 + odd * d)
            c = safe(1 + odd / c)
            let change = d * c
            result *= change
            if abs(change - 1) < 1e-15 { break }
        }
        return result
    }
}
