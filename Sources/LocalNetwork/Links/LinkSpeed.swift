/// How fast and how far: what a host's line carries in each direction, and how long bytes are under way to another host.
public struct LinkSpeed: Equatable, Sendable, CustomStringConvertible {
    public let bitsPerSecond: Int
    public let delayMs: Int

    private typealias Unit = (name: String, factor: Int)
    private static let rates: [Unit] = [("kbit", 1_000), ("Mbit", 1_000_000), ("Gbit", 1_000_000_000)]
    private static let delays: [Unit] = [("ms", 1), ("s", 1_000)]
    private static let bitRange = 1_000_000...10_000_000_000
    private static let delayRange = 0...5_000

    /// What ``init(_:)`` takes, for people.
    public static let form = "a rate from 1Mbit to 10Gbit and a delay of up to 5s, as in 100Mbit,50ms"

    /// Parses `100Mbit,50ms`; nil for any other form, and beyond the bounds.
    public init?(_ text: String) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count == 2, let bits = Self.value(parts[0], Self.rates),
            let delay = Self.value(parts[1], Self.delays), Self.bitRange.contains(bits), Self.delayRange.contains(delay)
        else { return nil }
        bitsPerSecond = bits
        delayMs = delay
    }

    private static func value(_ text: Substring, _ units: [Unit]) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let name = text.dropFirst(digits.count)
        guard let number = Int(digits), let unit = units.first(where: { $0.name == name }) else { return nil }
        let (value, overflow) = number.multipliedReportingOverflow(by: unit.factor)
        return overflow ? nil : value
    }

    public var bytesPerSecond: Int { bitsPerSecond / 8 }

    public var description: String {
        let unit = Self.rates.last { bitsPerSecond % $0.factor == 0 } ?? (name: "bit", factor: 1)
        return "\(bitsPerSecond / unit.factor)\(unit.name),\(delayMs)ms"
    }
}
