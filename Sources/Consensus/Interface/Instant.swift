/// A point on the host's monotonic clock, in milliseconds since any origin that stays fixed while the process runs.
///
/// It never enters a message, the journal or a certificate: two hosts, or two runs of one host, share no origin.
public struct Instant: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let milliseconds: UInt64

    public init(milliseconds: UInt64) { self.milliseconds = milliseconds }

    /// Saturates at the end of the range.
    public func advanced(byMs distance: UInt64) -> Instant {
        let (sum, overflow) = milliseconds.addingReportingOverflow(distance)
        return Instant(milliseconds: overflow ? .max : sum)
    }

    public static func < (lhs: Instant, rhs: Instant) -> Bool { lhs.milliseconds < rhs.milliseconds }
    public var description: String { "\(milliseconds) ms" }
}
