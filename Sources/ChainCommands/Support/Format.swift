import APIModel
import Cryptography
import Encoding
import Foundation
import Primitives
import ProgramSupport

/// Values as people read them.
enum Format {
    static func number(_ value: some BinaryInteger) -> String { Digits.grouped(value) }
    static func money(_ units: some BinaryInteger) -> String { Digits.money(units) }

    /// UTC, with milliseconds.
    static func time(_ milliseconds: UInt64) -> String {
        // Beyond the year 9999 no calendar helps.
        guard milliseconds < 253_402_300_800_000 else { return "\(milliseconds) ms" }
        let date = Date(timeIntervalSince1970: Double(milliseconds / 1_000))
        let text = date.formatted(.iso8601.dateSeparator(.dash).dateTimeSeparator(.space).timeSeparator(.colon))
        let fraction = String(milliseconds % 1_000)
        return text.replacingOccurrences(of: "Z", with: "") + "."
            + String(repeating: "0", count: 3 - fraction.count) + fraction + " UTC"
    }

    static func duration(_ milliseconds: UInt64) -> String {
        let seconds = milliseconds / 1_000
        switch seconds {
        case 0: return "\(milliseconds) ms"
        case ..<60: return "\(seconds) s"
        case ..<3_600: return "\(seconds / 60) min \(seconds % 60) s"
        case ..<86_400: return "\(seconds / 3_600) h \(seconds % 3_600 / 60) min"
        default: return "\(seconds / 86_400) d \(seconds % 86_400 / 3_600) h"
        }
    }

    static func short(_ digest: some Bytes32) -> String { String(digest.hex.prefix(12)) }

    static func outcome(_ outcome: OutcomeDocument) -> String {
        outcome.kind.rawValue + (outcome.message.map { ": \($0)" } ?? "")
    }

    static func label(_ label: some Label) -> String { PrintableBytes.text(label.bytes) }

    /// Data as text where it is, else as hexadecimal.
    static func data(_ bytes: [UInt8]) -> String {
        if bytes.isEmpty { return "(none)" }
        if let text = String(validating: bytes, as: UTF8.self),
            text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7f || $0 == "\n" || $0 == "\t" })
        {
            return text
        }
        return "0x" + Hexadecimal.encode(bytes)
    }

    /// Units of 2^-20 as a decimal number.
    static func units(_ value: UInt64, digits: Int = 4) -> String { fixed(Double(value) / 1_048_576, digits) }

    /// Millionths as per cent.
    static func percent(micro: UInt64) -> String { fixed(Double(micro) / 10_000, 2) + " %" }

    static func micro(_ value: UInt64, digits: Int = 4) -> String { fixed(Double(value) / 1_000_000, digits) }

    private static func fixed(_ value: Double, _ digits: Int) -> String {
        value.formatted(
            .number.precision(.fractionLength(digits)).grouping(.never).locale(Locale(identifier: "en_US_POSIX")))
    }
}
