import ArgumentParser

/// A TCP port as an argument: 1 to 65,535, and nothing is ever wrapped into that.
public struct PortNumber: ExpressibleByArgument, Equatable, Sendable {
    public let number: Int

    public init?(argument: String) {
        guard let number = UInt16(argument), number > 0 else { return nil }
        self.number = Int(number)
    }
}
