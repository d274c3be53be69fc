import ArgumentParser
import ChainClient
import Cryptography
import Encoding
import Foundation
import KeyFiles
import LocalNetwork
import Primitives

/// # AttackPeers
///
/// Attacks a devnet of its own as a stranger would who has nothing but TCP connections, and says what came of it; no part
/// of the product. Under each attack clients submit transactions at a steady rate; what is measured is how long these take
/// to become final, how much memory the nodes take, and whether the nodes say in `/metrics` that somebody misbehaves.
///
/// Strangers are a process of their own: in one with the honest client they would keep it from its turns, and what it
/// waits for the nodes would be blamed for.
@main
struct AttackPeers: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attack-peers", abstract: "Attack a devnet of four as a stranger, and measure what clients notice.",
        discussion: "Example: attack-peers --programs .build/release --seconds 120 --attack signatures",
        subcommands: [Measure.self, Strike.self], defaultSubcommand: Measure.self)
}

/// The network, its honest client, and a process of strangers.
struct Measure: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Start the network, attack it, and tell what came of it.")

    @Option(help: "Folder with the built chaind.") var programs: String
    @Option(help: "How long each attack lasts, in seconds.") var seconds: Int = 120
    @Option(help: "Honest transactions a second.") var rate: Int = 20
    @Option(help: "Which attack, by name; may be repeated. All where none is given: \(Attack.allCases.map(\.rawValue).joined(separator: ", ")).")
    var attack: [Attack] = []

    func validate() throws {
        guard seconds > 0, rate > 0 else { throw ValidationError("times and rates are at least 1") }
    }

    func run() async throws {
        say(Outcome.heading)
        var failures = 0
        for attack in attack.isEmpty ? Attack.allCases : attack {
            let outcome = try await Siege(
                attack: attack, programs: URL(filePath: programs, directoryHint: .isDirectory), seconds: seconds, rate: rate
            ).run()
            say(outcome.line)
            if let reason = outcome.firstRefusal { say("  \(outcome.refused) honest transactions refused, the first: \(reason)") }
            if !outcome.holds { failures += 1 }
        }
        if failures > 0 { throw ExitCode(1) }
    }

    /// At once, also where standard output is a file: an attack takes minutes.
    private func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
}

/// The strangers alone.
struct Strike: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Be the strangers of one attack.", shouldDisplay: false)

    @Option(help: "Which attack.") var attack: Attack
    @Option(help: "The network's genesis file.") var genesis: String
    @Option(help: "Account in whose name to sign.") var victim: String
    @Option(help: "Transactions a second that the victim sends itself.") var rate: Double
    @Option(help: "How long, in seconds.") var seconds: Int
    @Option(help: "The nodes' ports for peers.") var port: [Int]

    func run() async throws {
        let genesis = try GenesisDocument.decode(Data(contentsOf: URL(filePath: genesis)))
        await Attackers(
            attack: attack, genesis: genesis, victim: try Account(address: victim), victimsRate: rate, ports: port
        ).run(seconds: seconds)
    }
}

extension Attack: ExpressibleByArgument {}

/// What came of one attack.
struct Outcome {
    let attack: Attack
    let submitted: Int
    let final: Int
    let refused: Int
    let firstRefusal: String?
    let p95Ms: Double
    let longestMs: Double
    let mostMegabytes: Double
    /// Seconds until a restarted node was where the others are; nil where none was restarted, or it never was.
    let backAfter: Double?
    let offences: Double
    let bans: Double
    let skipped: Double

    /// What a network under attack owes its clients.
    var holds: Bool {
        p95Ms < 1_000 && mostMegabytes < 500 && final == submitted && (!attack.restarts || (backAfter ?? .infinity) < 10)
    }

    static let heading =
        "attack       final/sent    p95 ms  longest ms   MB a node  back after s   offences  bans  skipped  holds"

    var line: String {
        func text(_ value: Double, _ digits: Int, _ width: Int) -> String {
            let text = String(format: "%.\(digits)f", value)
            return String(repeating: " ", count: max(0, width - text.count)) + text
        }
        return attack.rawValue.padding(toLength: 12, withPad: " ", startingAt: 0)
            + text(Double(final), 0, 7) + "/" + "\(submitted)".padding(toLength: 6, withPad: " ", startingAt: 0)
            + text(p95Ms, 0, 7) + text(longestMs, 0, 12) + text(mostMegabytes, 0, 12)
            + (attack.restarts ? (backAfter.map { text($0, 1, 14) } ?? "         never") : "             -")
            + text(offences, 0, 11) + text(bans, 0, 6) + text(skipped, 0, 9) + "  " + (holds ? "yes" : "NO")
    }
}
