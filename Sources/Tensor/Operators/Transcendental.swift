/// `exp` and `log` of the project's own: C libraries differ in the last bit, and a digest is over every bit.
///
/// Both use additions, multiplications, one division and exponent arithmetic in a fixed order. Against the correctly
/// rounded result they are off by at most 2 units in the last place over the whole range (the tests hold them to it).
public enum Transcendental {
    /// ln 2 in two parts. The first has 9 significant bits, so its products with exponents below 2^15 are exact.
    private static let ln2High: Float = 0x1.63p-1
    private static let ln2Low: Float = -0x1.bd0106p-13
    private static let roundingShift: Float = 0x1.8p23

    /// e to the power `x`: 0 below about -103.97, infinity above about 88.72, NaN for NaN.
    ///
    /// `x = n ln 2 + r` with `|r| <= ln 2 / 2`; then the Taylor polynomial of degree 7 in `r` (its first omitted term
    /// is below 2^-27), times `2^n`.
    public static func exp(_ x: Float) -> Float {
        if x > 89 { return .infinity }
        if x < -104 { return 0 }
        guard x == x else { return .nan }
        // Adding and taking away 3 * 2^22 rounds to the nearest integer, ties to even, with no call to a C library.
        let n = (x * 0x1.715476p0 + roundingShift) - roundingShift
        let r = (x - n * ln2High) - n * ln2Low
        var sum: Float = 1.0 / 5040
        sum = sum * r + 1.0 / 720
        sum = sum * r + 1.0 / 120
        sum = sum * r + 1.0 / 24
        sum = sum * r + 1.0 / 6
        sum = sum * r + 0.5
        sum = (sum * r) * r + r
        sum = sum + 1
        // 2^n in two factors, each a normal number, so that overflow and gradual underflow round once, at the end.
        let exponent = Int(n)
        let half = exponent / 2
        return (sum * powerOfTwo(half)) * powerOfTwo(exponent - half)
    }

    /// The natural logarithm: -infinity for 0, NaN below 0, infinity for infinity, NaN for NaN.
    ///
    /// `x = 2^n m` with `m` in `sqrt(1/2)...sqrt(2)`; with `f = m - 1` and `s = f / (2 + f)` it is
    /// `n ln 2 + f - f^2/2 + s (f^2/2 + R(s^2))`, where `R` are the terms of `2 atanh(s) - 2 s` from `s^3` to `s^11`.
    public static func log(_ x: Float) -> Float {
        guard x > 0 else { return x == 0 ? -.infinity : .nan }
        guard x < .infinity else { return .infinity }
        // Subnormals are first made normal, exactly.
        let scaled = x < .leastNormalMagnitude ? x * 0x1p24 : x
        var n = x < .leastNormalMagnitude ? -24 : 0
        // With the bits of sqrt(1/2) taken off, the exponent field splits at sqrt(1/2) and not at 1.
        let offset = Int(scaled.bitPattern) - 0x3F35_04F3
        n += offset >> 23
        let m = Float(bitPattern: UInt32(truncatingIfNeeded: (offset & 0x7F_FFFF) + 0x3F35_04F3))
        let f = m - 1
        let s = f / (2 + f)
        let z = s * s
        var series: Float = 2.0 / 11
        series = series * z + 2.0 / 9
        series = series * z + 2.0 / 7
        series = series * z + 2.0 / 5
        series = series * z + 2.0 / 3
        series = series * z
        let halfSquare = 0.5 * f * f
        let exponent = Float(n)
        return ((s * (halfSquare + series) + exponent * ln2Low) - halfSquare + f) + exponent * ln2High
    }

    /// The hyperbolic tangent, odd to the bit: with `t = exp(-2 |x|)` it is `(1 - t) / (1 + t)` under x's sign, and the
    /// first terms of its series, `x - x^3/3 + 2 x^5/15 - 17 x^7/315 + 62 x^9/2835`, below 0.25, where `1 - t` would
    /// cancel.
    public static func tanh(_ x: Float) -> Float {
        let size = x.magnitude
        if size < 0.25 {
            let square = x * x
            var sum: Float = 62.0 / 2835
            sum = sum * square - 17.0 / 315
            sum = sum * square + 2.0 / 15
            sum = sum * square - 1.0 / 3
            return (sum * square) * x + x
        }
        let t = exp(-2 * size)
        let value = (1 - t) / (1 + t)
        return x < 0 ? -value : value
    }

    /// `1 / (1 + exp(-x))`.
    public static func sigmoid(_ x: Float) -> Float { 1 / (1 + exp(-x)) }

    /// `2^n` for the exponents of normal numbers.
    private static func powerOfTwo(_ n: Int) -> Float {
        Float(sign: .plus, exponent: n, significand: 1)
    }
}
