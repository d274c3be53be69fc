import Encoding

/// A 64-bit count of its own kind. Arithmetic saturates, since counts may come from outside.
public protocol Counter: BorshCodable, Hashable, Comparable, Sendable, CustomStringConvertible {
    var value: UInt64 { get }
    init(_ value: UInt64)
}

extension Counter {
    public static var zero: Self { Self(0) }
    public var next: Self { advanced(by: 1) }
    public var previous: Self? { value == 0 ? nil : Self(value - 1) }

    public func advanced(by distance: UInt64) -> Self {
        let (sum, overflow) = value.addingReportingOverflow(distance)
        return Self(overflow ? .max : sum)
    }

    /// `self - other`, or 0 where `other` is the larger.
    public func distance(since other: Self) -> UInt64 { value > other.value ? value - other.value : 0 }

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.value < rhs.value }
    public var description: String { String(value) }
    public func encode(to encoder: inout BorshEncoder) { encoder.integer(value) }
    public init(from decoder: inout BorshDecoder) throws(BorshError) { self.init(try decoder.integer()) }
}

/// Position of a block in the chain; genesis has 0.
public struct Height: Counter {
    public let value: UInt64
    public init(_ value: UInt64) { self.value = value }
}

/// An attempt of one leader within an epoch; the epoch's starting block has view 0.
public struct View: Counter {
    public let value: UInt64
    public init(_ value: UInt64) { self.value = value }
}

/// A span of heights with one active set.
public struct Epoch: Counter {
    public let value: UInt64
    public init(_ value: UInt64) { self.value = value }

    /// The epoch from which on holds what is decided in this one: the set and the leaders of the next are fixed already.
    public var secondAfter: Epoch { advanced(by: 2) }
}

/// Milliseconds since 1970-01-01T00:00:00Z, as block headers carry them.
public struct Time: Counter {
    public let value: UInt64
    public init(_ value: UInt64) { self.value = value }
}
