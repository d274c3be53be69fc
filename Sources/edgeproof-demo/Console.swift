import Foundation

/// What the demo tells people, on standard error; the facts are in the report.
enum Console {
    private static let start = ContinuousClock.now

    /// A log gets no escape sequences.
    private static let isTerminal = isatty(STDERR_FILENO) == 1

    static func step(_ text: String) { write(isTerminal ? "\u{1B}[1m\(stamp) \(text)\u{1B}[0m" : "\(stamp) \(text)") }
    static func say(_ text: String) { write("\(stamp) \(text)") }
    static func fail(_ text: String) { write("error: \(text)") }
    static func plain(_ text: String) { write(text) }

    static var elapsedSeconds: Double {
        let elapsed = (ContinuousClock.now - start).components
        return Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18
    }

    private static var stamp: String { String(format: "%6.1f s ", elapsedSeconds) }
    private static func write(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
}
