import Foundation

/// What one of the product's programs printed, and how it ended.
public struct ProgramOutput: Sendable {
    public let status: Int32
    public let out: Data
    public let err: Data
}

extension Programs {
    /// Runs a program as a person would, and waits for its end.
    public static func run(
        _ name: String, _ arguments: [String], environment: [String: String]
    ) async throws -> ProgramOutput {
        let process = Process()
        process.executableURL = try url(name)
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
        return ProgramOutput(
            status: process.terminationStatus, out: try Data(contentsOf: out), err: try Data(contentsOf: err))
    }
}
