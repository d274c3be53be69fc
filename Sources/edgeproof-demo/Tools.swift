import Foundation
import LocalNetwork

/// Runs the product's other programs as a person would.
struct Tools: Sendable {
    let environment: [String: String]

    struct Failed: Error, CustomStringConvertible {
        let command: String
        let status: Int32
        let output: String
        var description: String { "'\(command)' ended with status \(status): \(output)" }
    }

    /// What the program printed on standard output. Throws when it does not end with 0.
    @discardableResult
    func run(_ program: String, _ arguments: [String]) async throws -> Data {
        let process = Process()
        process.executableURL = try Programs.url(program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        let folder = FileManager.default.temporaryDirectory.appending(path: "edgeproof-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        // Files, not pipes: whatever it prints, the program never waits for a reader.
        let (out, err) = (folder.appending(path: "out"), folder.appending(path: "err"))
        for file in [out, err] { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
        process.standardOutput = try FileHandle(forWritingTo: out)
        process.standardError = try FileHandle(forWritingTo: err)
        try process.run()
        while process.isRunning { try await Task.sleep(for: .milliseconds(10)) }
        let output = try Data(contentsOf: out)
        guard process.terminationStatus == 0 else {
            let text = String(decoding: try Data(contentsOf: err).suffix(2_000), as: UTF8.self)
            throw Failed(
                command: ([program] + arguments).joined(separator: " "), status: process.terminationStatus,
                output: text.isEmpty ? String(decoding: output.suffix(2_000), as: UTF8.self) : text)
        }
        return output
    }
}
