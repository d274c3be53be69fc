import Foundation

/// A report's text, piece by piece.
public struct Markdown: Sendable {
    public private(set) var text = ""

    public init() {}

    public mutating func heading(_ level: Int, _ title: String) {
        text += String(repeating: "#", count: level) + " \(title)\n\n"
    }

    public mutating func paragraph(_ words: String) { text += words + "\n\n" }
    public mutating func picture(_ name: String, _ file: String) { text += "![\(name)](\(file))\n\n" }

    public mutating func table(_ header: [String], _ rows: [[String]]) {
        text += "| " + header.joined(separator: " | ") + " |\n"
        text += "|" + header.indices.map { $0 == 0 ? " --- |" : " ---: |" }.joined() + "\n"
        for row in rows { text += "| " + row.joined(separator: " | ") + " |\n" }
        text += "\n"
    }

    /// `12,345`
    public static func count(_ value: Int) -> String {
        let digits = String(abs(value))
        var result = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { result += "," }
            result.append(digit)
        }
        return value < 0 ? "-" + result : result
    }

    public static func percent(_ value: Double) -> String { String(format: "%.2f %%", value * 100) }
    public static func decimal(_ value: Double, _ digits: Int = 4) -> String { String(format: "%.\(digits)f", value) }

    public static func percent(_ summary: Summary) -> String {
        summary.count > 1
            ? String(format: "%.2f %% ± %.2f", summary.mean * 100, summary.deviation * 100) : percent(summary.mean)
    }
}

/// What a paper's experiment leaves: files by their names.
public struct ReportFiles: Sendable {
    public var files: [(name: String, text: String)] = []

    public init() {}
    public mutating func add(_ name: String, _ text: String) { files.append((name, text)) }
}
