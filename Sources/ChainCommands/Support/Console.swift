import ArgumentParser
import Foundation
import Synchronization

/// What people and programs see. Nothing is held back in a buffer, so that a pipe sees each line when it is written.
enum Console {
    static func out(_ text: String) {
        write(text + "\n", to: .standardOutput)
    }

    /// A reader that went away, as `head` does, is not this program's failure.
    fileprivate static func write(_ text: String, to handle: FileHandle) {
        try? handle.write(contentsOf: Data(text.utf8))
    }

    static func error(_ text: String) {
        Progress.clear()
        write(text + "\n", to: .standardError)
    }

    static func json(_ document: some Encodable) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(document) else { return }
        write(String(decoding: data, as: UTF8.self) + "\n", to: .standardOutput)
    }
}

/// `--yes`: what can't be undone is asked about on a terminal, and refused without it where nobody can answer.
struct ConfirmationOptions: ParsableArguments {
    @Flag(name: .shortAndLong, help: "Do it without asking: it can't be undone.") var yes = false

    func require(_ what: String) throws {
        if yes { return }
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else {
            throw UsageError("\(what) can't be undone: say --yes if it is meant")
        }
        FileHandle.standardError.write(Data("\(what) can't be undone. Go on? Type yes: ".utf8))
        guard readLine(strippingNewline: true)?.lowercased() == "yes" else {
            throw UsageError("nothing was done")
        }
    }
}

/// One line on the terminal that says what is being waited for. Silent where standard error is not a terminal.
enum Progress {
    private static let isTerminal = isatty(STDERR_FILENO) == 1
    private static let shown = Mutex(false)

    static func show(_ text: String) {
        guard isTerminal else { return }
        shown.withLock { $0 = true }
        Console.write("\r\u{1b}[K\(text)", to: .standardError)
    }

    static func clear() {
        guard isTerminal,
            shown.withLock({ was in
                defer { was = false }; return was
            })
        else { return }
        Console.write("\r\u{1b}[K", to: .standardError)
    }

    /// Shows `text` and the seconds that went by while the work runs.
    static func during<Result: Sendable>(
        _ text: String, _ work: @Sendable () async throws -> Result
    ) async throws -> Result {
        guard isTerminal else { return try await work() }
        let start = ContinuousClock.now
        let ticker = Task {
            while !Task.isCancelled {
                show("\(text) (\((ContinuousClock.now - start).components.seconds) s)")
                try await Task.sleep(for: .milliseconds(500))
            }
        }
        defer {
            ticker.cancel()
            clear()
        }
        return try await work()
    }
}

/// Aligned columns. Numbers stand to the right.
struct Table {
    enum Column {
        case left(String)
        case right(String)

        var title: String {
            switch self {
            case .left(let title), .right(let title): title
            }
        }
    }

    let columns: [Column]
    private var rows: [[String]] = []

    init(_ columns: [Column]) { self.columns = columns }

    mutating func add(_ cells: String...) { rows.append(cells) }

    /// - Parameter none: what stands there without any row.
    func text(none: String) -> String {
        guard !rows.isEmpty else { return none }
        let lines = [columns.map { $0.title.uppercased() }] + rows
        let widths = columns.indices.map { column in
            lines.map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0
        }
        return lines.map { line in
            var text = ""
            for (column, cell) in line.enumerated() {
                let padding = String(repeating: " ", count: max(0, widths[column] - cell.count))
                if column > 0 { text += "  " }
                switch columns[column] {
                case .left: text += cell + (column == line.count - 1 ? "" : padding)
                case .right: text += padding + cell
                }
            }
            return text
        }.joined(separator: "\n")
    }
}

/// Names and values below each other.
func facts(_ pairs: [(String, String?)]) -> String {
    let known = pairs.compactMap { name, value in value.map { (name, $0) } }
    let width = known.map(\.0.count).max() ?? 0
    return known.map { name, value in
        name + String(repeating: " ", count: width - name.count + 2)
            + value.replacingOccurrences(of: "\n", with: "\n" + String(repeating: " ", count: width + 2))
    }.joined(separator: "\n")
}
