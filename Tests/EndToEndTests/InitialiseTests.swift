import Foundation
import LocalNetwork
import NodeHome
import Testing

/// What `chaind init` writes.
@Suite(.timeLimit(.minutes(20))) struct InitialiseTests {
    @Test func seedsAreWritten() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "init-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let environment = ["EDGEPROOF_PASSPHRASE": "a passphrase of a test, long enough"]
        let home = folder.appending(path: "home").path
        let wrong = try await Programs.run(
            "chaind", ["init", "--home", home, "--seed", "10.0.0.8"], environment: environment)
        #expect(wrong.status != 0 && String(decoding: wrong.err, as: UTF8.self).contains("HOST:PORT"))
        #expect(!FileManager.default.fileExists(atPath: home))
        let made = try await Programs.run(
            "chaind",
            [
                "init", "--home", home, "--name", "n", "--seed", "10.0.0.8:1", "--seed", "[::1]:2", "--advertise",
                "fog.example:3",
            ], environment: environment)
        #expect(made.status == 0, "\(String(decoding: made.err, as: UTF8.self))")
        let configuration = try NodeHome(home).configuration()
        #expect(configuration.peers.map { "\($0.host) \($0.port)" } == ["10.0.0.8 1", "::1 2"])
        #expect(configuration.peers.allSatisfy { $0.consensusKey == nil })
        #expect(configuration.advertise == "fog.example:3")
    }
}
