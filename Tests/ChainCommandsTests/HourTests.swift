import ArgumentParser
import ChainClient
import ChainCommands
import Foundation
import Testing

/// What somebody meets in the first hour.
@Suite(.timeLimit(.minutes(20))) struct HourTests {
    private let now = Date(timeIntervalSince1970: 1_800_000_000)

    @Test(
        arguments: [
            ("30s", 1_799_999_970_000), ("5min", 1_799_999_700_000), ("2h", 1_799_992_800_000),
            ("3d", 1_799_740_800_000),
            ("2026-03-01", 1_772_323_200_000), ("2026-03-01T12:00:00Z", 1_772_366_400_000),
            // Longer ago than there is time.
            ("99999999d", 0), ("18446744073709551615d", 0),
        ] as [(String, UInt64)])
    func moments(text: String, time: UInt64) throws {
        #expect(try Arguments.time(text, now: now, "--since") == time)
    }

    @Test(arguments: ["", "60", "yesterday", "2026-13-01", "-5s", "5 days", "2026-03-01T25:00:00Z"])
    func refusesMoments(text: String) {
        #expect(throws: UsageError.self) { try Arguments.time(text, now: now, "--since") }
    }

    @Test(
        arguments: [
            ("0", 0), ("5000000", 5_000_000), ("5,000,000", 5_000_000), ("5_000_000", 5_000_000),
            ("1,000 units", 1_000), ("1 unit", 1),
            ("340282366920938463463374607431768211455", .max),
        ] as [(String, UInt128)])
    func amounts(text: String, value: UInt128) throws { #expect(try Arguments.amount(text, "the amount") == value) }

    /// 1,5 was taken for 15.
    @Test(arguments: [
        "", ",", "1,5", "1,00", "1,0000", ",100", "100,", "1,,000", "1_000,000", "1000,000", "1.5", "-1", "+1", "1e9",
        "0x10", "5 coins",
        "\u{0661}", "340282366920938463463374607431768211456",
    ])
    func refusesAmounts(text: String) {
        #expect(throws: UsageError.self) { try Arguments.amount(text, "the amount") }
    }

    /// Several nodes, in one option or in several, as in the variable.
    @Test func nodesWithCommas() throws {
        var options = GlobalOptions()
        options.nodes = ["a:1, http://b:2", "c"]
        #expect(try options.addresses(environment: "x:9").map(\.url) == ["http://a:1", "http://b:2", "http://c:26600"])
        options.nodes = []
        #expect(try options.addresses(environment: "x:9,y").map(\.url) == ["http://x:9", "http://y:26600"])
        #expect(try options.addresses(environment: nil).isEmpty)
        #expect(throws: ClientError.self) { try options.addresses(environment: "http://a:99999") }
        #expect(throws: ClientError.self) { try options.addresses(environment: " , ") }
    }

    @Test(arguments: [
        ["account", "list"], ["account", "list", "--mine"], ["account", "alice"], ["account", "show", "list"],
        ["history", "alice", "--since", "2h"], ["contract", "call", "c", "--action", "256"],
        ["contract", "call", "c", "256"],
        ["transfer", "bob", "1", "--sequence", "7"], ["job", "abort", "j", "--yes"],
        ["job", "fund", "j", "5"], ["job", "withdraw", "j"], ["job", "model", "j"], ["job", "model", "j", "file"],
        ["masternode", "unregister", "m", "-y"],
    ])
    func parses(arguments: [String]) throws { _ = try ChainCLI.parseAsRoot(arguments) }

    @Test(arguments: [["contract", "call", "c"], ["contract", "call", "c", "256", "--action", "256"]])
    func anActionOnce(arguments: [String]) {
        #expect(throws: (any Error).self) { try ChainCLI.parseAsRoot(arguments) }
    }
}
