import Foundation
import Testing

/// `Tests/Verifier/verify.py`, which was written from `Docs/protocol.md` alone and reads its layouts out of it: a
/// second implementation, for which the document must be enough.
enum DocumentVerifier {
    /// Checks a node's chain and audit files; without Python on this machine there is nothing to run it with.
    static func check(_ network: TestNetwork, audits: [String]) async throws {
        guard let python = ["/usr/bin/python3", "/usr/local/bin/python3"].first(where: FileManager.default.isExecutableFile) else {
            print("no python3 here: the verifier that was written from Docs/protocol.md did not run")
            return
        }
        let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Verifier/verify.py")
        let process = Process()
        process.executableURL = URL(filePath: python)
        process.arguments =
            [script.path, "--genesis", network.plan.genesisFile.path, "--node", network.plan.apiURL(0)]
            + audits.flatMap { ["--audit", $0] }
        process.standardInput = FileHandle.nullDevice
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        // A few lines: they fit the pipe, so that it never waits for a reader.
        while process.isRunning { try await Task.sleep(for: .milliseconds(20)) }
        let said = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        #expect(process.terminationStatus == 0, "\(said)")
    }
}
