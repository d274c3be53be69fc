import Foundation
import Testing

/// What the repository promises to whoever joins: files that are there, one form for all modules, and kinds of faults
/// that were looked for everywhere and must not come back.
@Suite(.timeLimit(.minutes(20))) struct RepositoryTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func files(_ folder: String, _ extensions: Set<String>) -> [URL] {
        let found = FileManager.default.enumerator(at: root.appending(path: folder), includingPropertiesForKeys: nil)
        return (found?.compactMap { $0 as? URL } ?? []).filter { extensions.contains($0.pathExtension) }
    }

    @Test(arguments: [
        "LICENSE", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "README.md", ".editorconfig", ".swift-format",
        ".ci/run",
    ])
    func isThere(file: String) throws {
        #expect(try Data(contentsOf: Self.root.appending(path: file)).count > 50)
    }

    /// Each Swift module has a file of its own name, or of its one subject, that opens with what the module promises.
    @Test func modulesOpenWithWhatTheyPromise() throws {
        let modules = try FileManager.default.contentsOfDirectory(atPath: Self.root.appending(path: "Sources").path)
            .filter { $0.first?.isUppercase == true }
        #expect(modules.count > 25)
        for module in modules {
            let files = Self.files("Sources/\(module)", ["swift"])
            if files.isEmpty { continue }
            let opening = try files.contains {
                try String(contentsOf: $0, encoding: .utf8).contains("/// # \(module)\n")
            }
            #expect(opening, "\(module): no file has '/// # \(module)'")
        }
    }

    /// The command line is a thin program over `ChainCommands`.
    @Test func theCommandLineIsThin() throws {
        let lines = try Self.files("Sources/chain-cli", ["swift"]).map {
            try String(contentsOf: $0, encoding: .utf8).split(separator: "\n").count
        }
        #expect(lines.reduce(0, +) < 40)
    }

    /// Each of these let a library's text, or another rule than the rest of the product has, reach a person.
    @Test(arguments: [
        ("localizedDescription", "ProgramSupport.Reason has the words"),
        ("expandingTildeInPath", "ProgramSupport.FilePath goes by HOME"),
        ("NSHomeDirectory", "ProgramSupport.FilePath goes by HOME"),
        ("AsyncHTTPClient", "WebClient is the product's client"),
    ])
    func isNowhere(text: String, instead: String) throws {
        for file in Self.files("Sources", ["swift"]) {
            #expect(
                try !String(contentsOf: file, encoding: .utf8).contains(text), "\(file.lastPathComponent): \(instead)")
        }
    }

    /// A number of milliseconds says so by the end of its name, everywhere in the same way.
    @Test func oneNameOfMilliseconds() throws {
        let other = try Regex("\\b[a-z]+(?:[A-Z][a-z]*)*(?:Milliseconds|Millis|InMs|Msec)\\b")
        let ends = ["Milliseconds", "Millis", "InMs", "Msec"]
        for file in Self.files("Sources", ["swift"]) {
            let text = try String(contentsOf: file, encoding: .utf8)
            guard ends.contains(where: { text.contains($0) }) else { continue }
            for line in text.split(separator: "\n") {
                #expect(line.firstMatch(of: other) == nil, "\(file.lastPathComponent): \(line)")
            }
        }
    }

    /// One spelling in what people read. The messages of consensus keep the names that their paper gives them.
    @Test func oneSpelling() throws {
        let word = try Regex("\\b(?:[Ff]inalized|[Bb]ehavior|[Nn]eighbor|[Aa]nalyze|[Mm]aximize|[Oo]ptimize)\\b")
        for file in Self.files("Docs", ["md"]) + ["README.md", "CHANGELOG.md"].map({ Self.root.appending(path: $0) }) {
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") where !line.contains("`") {
                #expect(line.firstMatch(of: word) == nil, "\(file.lastPathComponent): \(line)")
            }
        }
    }

    /// A test that hangs must end by itself.
    @Test func everySuiteHasATimeLimit() throws {
        for file in Self.files("Tests", ["swift"]) {
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                guard line.drop(while: { $0 == " " }).hasPrefix("@" + "Suite") else { continue }
                #expect(line.contains(".timeLimit("), "\(file.lastPathComponent): \(line)")
            }
        }
    }
}
