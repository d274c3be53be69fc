import Foundation
import LocalNetwork
import Testing

/// What somebody meets who starts the programs for the first time, in a shell.
@Suite(.timeLimit(.minutes(20))) struct FirstHourTests {
    /// What a shell makes of the text, with the product's programs in its PATH.
    private func shell(_ text: String) throws -> (status: Int32, text: String) {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/bash")
        process.arguments = ["-c", text]
        let programs = try Programs.url("chain-cli").deletingLastPathComponent().path
        let own = ProcessInfo.processInfo.environment
        process.environment = ["PATH": programs + ":" + (own["PATH"] ?? ""), "HOME": "/nonexistent"]
        process.standardInput = FileHandle.nullDevice
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: bytes, as: UTF8.self))
    }

    /// The export lines work as they stand, `ready` means what it says, and a stop is no failure: no error, no escape
    /// sequence in any log.
    @Test func aDevnetSaysWhatItTakesAndStopsInOrder() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "edgeproof it's \(UUID().uuidString)", directoryHint: .isDirectory)
        defer { try? FileManager.default.removeItem(at: folder) }
        let ports = try FreePorts.take(2)
        let devnet = try ChildProcess(
            name: "devnet", program: try Programs.url("chaind"),
            arguments: [
                "devnet", "--masternodes", "1", "--home", folder.appending(path: "net").path, "--api-port", "\(ports[0])",
                "--peer-port", "\(ports[1])",
            ], logFile: folder.appending(path: "devnet.log"))
        do {
            try await eventually("it is ready") { devnet.logTail(lines: 50).contains("ready: every node answers") }
            let exports = devnet.logTail(lines: 50).split(separator: "\n").filter { $0.hasPrefix("export ") }
            #expect(exports.count == 3)
            let used = try shell(
                exports.joined(separator: "\n") + """

                    set -e
                    chain-cli account list --mine
                    chain-cli transfer bob 5,000 --from alice
                    chain-cli history alice --since 1h
                    """)
            #expect(used.status == 0 && used.text.contains("1,000,000"), "\(used.text)")
            #expect(try await devnet.endInOrder() == 0, "\(devnet.logTail())")
            let log = folder.appending(path: "net/node0/log")
            for file in [devnet.logFile, log] {
                let text = try String(contentsOf: file, encoding: .utf8)
                #expect(!text.lowercased().contains("error") && !text.contains("\u{1b}"), "\(text)")
            }
        } catch {
            await devnet.stop()
            throw error
        }
    }

    /// A worker that is asked to stop ends in order, too.
    @Test func aWorkerStopsInOrder() async throws {
        try await TestNetwork.with(masternodes: 1) { network in
            let worker = try ChildProcess(
                name: "worker", program: try Programs.url("chain-worker"),
                arguments: [
                    "run", "--job", "none", "--role", "fog", "--key", "alice", "--wait", "--node", network.plan.apiURL(0),
                    "--state", network.plan.folder.appending(path: "state").path,
                ], logFile: network.plan.folder.appending(path: "worker.log"), environment: network.plan.environment)
            await network.add(worker)
            try await eventually("it waits") { worker.logTail().contains("waiting for its registration") }
            #expect(try await worker.endInOrder() == 0)
            let log = worker.logTail()
            #expect(!log.lowercased().contains("error") && !log.contains("\u{1b}"), "\(log)")
        }
    }
}
