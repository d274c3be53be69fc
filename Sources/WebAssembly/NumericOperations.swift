// The numeric operations whose meaning Swift's operators don't have exactly (specification 1.0, section 4.3).

extension Float {
    static let canonicalNaNBits: UInt32 = 0x7fc0_0000

    /// The result of an arithmetic instruction as bits: every NaN is the canonical one.
    @inline(__always)
    var canonicalBits: UInt32 { isNaN ? Self.canonicalNaNBits : bitPattern }
}

extension Double {
    static let canonicalNaNBits: UInt64 = 0x7ff8_0000_0000_0000

    @inline(__always)
    var canonicalBits: UInt64 { isNaN ? Self.canonicalNaNBits : bitPattern }
}

extension BinaryFloatingPoint {
    /// NaN if either is NaN, and -0 is less than +0.
    @inline(__always)
    func wasmMinimum(_ other: Self) -> Self {
        if isNaN || other.isNaN { return .nan }
        if self == other { return sign == .minus ? self : other }
        return self < other ? self : other
    }

    @inline(__always)
    func wasmMaximum(_ other: Self) -> Self {
        if isNaN || other.isNaN { return .nan }
        if self == other { return sign == .plus ? self : other }
        return self > other ? self : other
    }
}

/// A float's integral part as an integer, or why there is none.
enum Truncated<Result: FixedWidthInteger> {
    case value(Result)
    case failed(Outcome)
}

extension FixedWidthInteger {
    @inline(__always)
    static func truncating(_ value: some BinaryFloatingPoint) -> Truncated<Self> {
        if let result = Self(exactly: value.rounded(.towardZero)) { return .value(result) }
        return .failed(value.isNaN ? .invalidConversion : .integerOverflow)
    }

    /// NaN becomes 0, what doesn't fit the nearest bound.
    @inline(__always)
    static func saturating(_ value: some BinaryFloatingPoint) -> Self {
        if let result = Self(exactly: value.rounded(.towardZero)) { return result }
        if value.isNaN { return 0 }
        return value < 0 ? .min : .max
    }
}

/// The quotient or remainder of a signed division, or why there is none.
enum Divided<Result: FixedWidthInteger> {
    case value(Result)
    case failed(Outcome)
}

extension FixedWidthInteger {
    @inline(__always)
    func wasmQuotient(_ divisor: Self) -> Divided<Self> {
        if divisor == 0 { return .failed(.divideByZero) }
        let (quotient, overflow) = dividedReportingOverflow(by: divisor)
        return overflow ? .failed(.integerOverflow) : .value(quotient)
    }

    /// The remainder of the smallest number by -1 is 0, no overflow.
    @inline(__always)
    func wasmRemainder(_ divisor: Self) -> Divided<Self> {
        if divisor == 0 { return .failed(.divideByZero) }
        return .value(remainderReportingOverflow(dividingBy: divisor).partialValue)
    }
}

extension UInt32 {
    @inline(__always)
    func rotated(left count: UInt32) -> UInt32 { self &<< count | self &>> (0 &- count) }
}

extension UInt64 {
    @inline(__always)
    func rotated(left count: UInt64) -> UInt64 { self &<< count | self &>> (0 &- count) }
}
