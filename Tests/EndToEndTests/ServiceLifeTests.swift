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
        parameters.serviceNoticeMs = 2_000
        try await TestNetwork(masternodes: 1, parameters: parameters).use { network in
            func done(_ arguments: String...) async throws {
                let output = try await network.run("chain-cli", arguments, node: 0)
                #expect(output.status == 0, "\(arguments.joined(separator: " ")): \(output.err)")
            }
            func refused(_ words: String, _ arguments: String...) async throws {
                let output = try await network.run("chain-cli", arguments, node: 0)
                #expect(output.status == 1 && output.err.contains(words), "\(arguments.joined(separator: " ")): \(output.err)")
            }
            func service() async throws -> [String: Any] {
                try #require(try await network.cli("service", "show", "s", "--json").json)
            }

            try await done("service", "register", "s", "--code", try contract("tally"), "--deposit", "50000000", "--from", "alice")
            let old = try #require(try await service()["codeHash"] as? String)
            try await refused("no upgrade of 's' is announced", "service", "upgrade", "s", "--apply", "--from", "alice")
            try await done("service", "upgrade", "s", "--code", try contract("counter"), "--from", "alice")
            let pending = try #require(try await service()["notice"] as? [String: Any])
            let new = try #require(pending["codeHash"] as? String)
            #expect(pending["kind"] as? String == "upgrade" && new != old)
            #expect(try await network.cli("service", "show", "s").out.contains("pending"))
            try await eventually("the notice is over") {
                try await network.run("chain-cli", ["service", "upgrade", "s", "--apply", "--from", "alice"], node: 0).status == 0
            }
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
            try await eventually("the end is due") {
                let output = try await network.run("chain-cli", ["service", "retire", "s", "--apply", "--yes", "--from", "bob"], node: 0)
                return output.err.contains("says whose it is")
            }
            #expect(try await service()["retiredAt"] == nil)
        }
    }
}
