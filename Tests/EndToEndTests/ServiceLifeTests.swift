import Foundation
import Primitives
import Testing

/// An owner upgrades its service, hands it over, and the new owner ends it, by the commands that people use.
@Suite(.timeLimit(.minutes(20))) struct ServiceLifeTests {
    private func contract(_ name: String) throws -> String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appending(path: "Contracts/.build/\(name).wasm").path
        try #require(FileManager.default.fileExists(atPath: file), "Contracts/build makes it")
        return file
    }

    @Test func upgradeHandOverAndEnd() async throws {
        var parameters = Parameters()
        parameters.heartbeatMs = 3_000
        // As long as the notice is the time after it in which the change can happen: a busy machine may need some seconds
        // for the command that makes it so.
        parameters.serviceNoticeMs = 8_000
        try await TestNetwork(masternodes: 1, parameters: parameters).use { network in
            func done(_ arguments: String...) async throws {
                let output = try await network.run("chain-cli", arguments, node: 0)
                #expect(output.status == 0, "\(arguments.joined(separator: " ")): \(output.err)")
            }
            func refused(_ words: String, _ arguments: String...) async throws {
                let output = try await network.run("chain-cli", arguments, node: 0)
                #expect(output.status == 1 && output.err.contains(words), "\(arguments.joined(separator: " ")): \(output.err)")
            }
            /// Applies what was announced, once it can be, and announces it again should the time for that have gone by.
            func applied(_ what: String, _ command: [String], announcing: [String], until: (TestNetwork.Output) -> Bool) async throws {
                try await eventually(what) {
                    let output = try await network.run("chain-cli", command, node: 0)
                    if until(output) { return true }
                    if output.err.contains("announce it again") { _ = try await network.run("chain-cli", announcing, node: 0) }
                    return false
                }
            }
            func service() async throws -> [String: Any] {
                try #require(try await network.cli("service", "show", "s", "--json").json)
            }

            try await done("service", "register", "s", "--code", try contract("tally"), "--deposit", "50000000", "--from", "alice")
            let old = try #require(try await service()["codeHash"] as? String)
            try await refused("no upgrade of 's' is announced", "service", "upgrade", "s", "--apply", "--from", "alice")
            let upgrade = ["service", "upgrade", "s", "--code", try contract("counter"), "--from", "alice"]
            #expect(try await network.run("chain-cli", upgrade, node: 0).status == 0)
            let pending = try #require(try await service()["notice"] as? [String: Any])
            let new = try #require(pending["codeHash"] as? String)
            #expect(pending["kind"] as? String == "upgrade" && new != old)
            #expect(try await network.cli("service", "show", "s").out.contains("pending"))
            try await applied(
                "the notice is over", ["service", "upgrade", "s", "--apply", "--from", "alice"], announcing: upgrade
            ) { $0.status == 0 }
            let exchanged = try await service()
            #expect(exchanged["codeHash"] as? String == new && exchanged["notice"] == nil)
            try await done("contract", "call", "s", "256", "--data-hex", "0500000000000000", "--from", "bob")
            #expect(try await network.cli("contract", "query", "s").out.contains("0500000000000000"))

            try await refused("belongs to", "service", "transfer", "s", "--to", "bob", "--from", "bob")
            try await done("service", "transfer", "s", "--to", "bob", "--from", "alice")
            let hash = try #require(try await service()["recordHash"] as? String)
            try await refused("has changed", "service", "transfer", "s", "--accept", old, "--from", "bob")
            try await done("service", "transfer", "s", "--accept", hash, "--from", "bob")
            try await refused("belongs to", "service", "retire", "s", "--from", "alice")

            // The counter does not say whose its money is.
            try await done("service", "retire", "s", "--from", "bob")
            let early = try await network.cli("service", "retire", "s", "--apply", "--from", "bob")
            #expect(early.status == 2 && early.err.contains("can't be undone"), "\(early.err)")
            try await applied(
                "the end is due", ["service", "retire", "s", "--apply", "--yes", "--from", "bob"],
                announcing: ["service", "retire", "s", "--from", "bob"]
            ) { $0.err.contains("says whose it is") }
            #expect(try await service()["retiredAt"] == nil)
        }
    }
}
