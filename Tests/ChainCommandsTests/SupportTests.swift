import Foundation
import Primitives
import ProgramSupport
import Testing

/// What all programs share: paths, reasons, numbers, addresses.
@Suite(.timeLimit(.minutes(20))) struct SupportTests {
    @Test(arguments: [
        ("~", "/h"), ("~/a", "/h/a"), ("a~", "a~"), ("/~/a", "/~/a"), ("~x/a", "~x/a"), ("", ""),
    ])
    func homeIsWhatHOMESays(path: String, expanded: String) {
        #expect(FilePath.expanded(path, home: "/h") == expanded)
    }

    /// Libraries' texts reach nobody.
    @Test func reasonsAreTheProductsWords() throws {
        func reason(_ body: () throws -> Void) -> String {
            do { try body() } catch { return Reason.text(error) }
            return "nothing failed"
        }
        let missing = URL(filePath: "/nonexistent/\(UUID().uuidString)")
        #expect(reason { _ = try Data(contentsOf: missing) } == "there is no such file or folder")
        #expect(reason { try Data().write(to: missing) } == "there is no such file or folder")
        #expect(
            reason { _ = try FileManager.default.contentsOfDirectory(atPath: missing.path) }
                == "there is no such file or folder")
        #expect(
            reason { try FileManager.default.createDirectory(atPath: "/dev/null/x", withIntermediateDirectories: true) }
                == "a part of its path is no folder")
        #expect(
            reason { _ = try JSONDecoder().decode([Int].self, from: Data("{".utf8)) }
                == "it has another form than it must have")
        #expect(reason { throw POSIXError(.ENOSPC) } == "the disk is full")
        // The product's own speak for themselves.
        #expect(reason { throw FileProblem("x is no y") } == "x is no y")
        #expect(Reason.network(ECONNREFUSED) == "connection refused")
    }

    @Test(arguments: [
        (0, "0"), (7, "7"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567"), (-1_000, "-1,000"),
        (-100, "-100"),
    ])
    func groups(value: Int, text: String) { #expect(Digits.grouped(value) == text) }

    @Test func addressesSayWhatIsWrongWithThem() {
        let address = Account.zero.description
        func problem(_ text: String) -> String {
            do { _ = try Account(address: text) } catch { return error.description }
            return "none"
        }
        #expect(problem(address) == "none")
        #expect(problem(String(address.dropLast())).hasSuffix("it has 62 characters, and every address has 63"))
        #expect(problem(address + "q").hasSuffix("it has 64 characters, and every address has 63"))
        #expect(
            problem("edge1" + String(repeating: "p", count: 58)).hasSuffix(
                "has a wrong checksum: a character is mistyped"))
        // A mistyped 1 was taken for the end of another prefix.
        #expect(
            problem("edge1q1" + address.dropFirst(7)).hasSuffix(
                "the character '1' at position 7, which addresses never use"))
        #expect(problem("bc1" + address.dropFirst(5)).contains("starts with 'bc1' instead of 'edge1'"))
    }
}
