/// The few functions of real numbers that the accountant needs, to about 15 digits: this layer has no C library, and a
/// budget that is spent here must be spent on every machine.
package enum RealFunctions {
    private static let ln2High = 0x1.62e42feep-1
    private static let ln2Low = 0x1.a39ef35793c76p-33

    package static func exp(_ x: Double) -> Double {
        guard x == x else { return .nan }
        if x > 709.7 { return .infinity }
        if x < -745 { return 0 }
        let n = (x * 1.4426950408889634).rounded()
        let r = (x - n * ln2High) - n * ln2Low
        // Taylor to degree 13: with |r| <= 0.35 the first omitted term is below 2^-57.
        var sum = 1.0
        var divisor = 13.0
        while divisor >= 1 {
            sum = 1 + sum * r / divisor
            divisor -= 1
        }
        let half = Int(n) / 2
        return sum * Double(sign: .plus, exponent: half, significand: 1)
            * Double(sign: .plus, exponent: Int(n) - half, significand: 1)
    }

    /// The natural logarithm: -infinity for 0, NaN below it.
    package static func log(_ x: Double) -> Double {
        guard x > 0 else { return x == 0 ? -.infinity : .nan }
        guard x < .infinity else { return .infinity }
        var exponent = Double(x.exponent)
        var m = x.significand
        if m > 1.4142135623730951 {
            m /= 2
            exponent += 1
        }
        // 2 atanh(s) with |s| <= 0.172: the term after s^19 is below 2^-56.
        let s = (m - 1) / (m + 1)
        let z = s * s
        var series = 0.0
        var odd = 21.0
        while odd >= 1 {
            series = series * z + 1 / odd
            odd -= 2
        }
        return exponent * ln2High + (exponent * ln2Low + 2 * s * series)
    }

    /// `log(e^a + e^b)` without overflow.
    static func logSum(_ a: Double, _ b: Double) -> Double {
        let (high, low) = (max(a, b), min(a, b))
        guard low > -.infinity else { return high }
        return high + log(1 + exp(low - high))
    }
}
