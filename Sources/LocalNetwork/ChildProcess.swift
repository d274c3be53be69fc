import Foundation
import ProgramSupport
import Synchronization

/// A program that this process started and will stop.
public final class ChildProcess: Sendable {
    public let name: String
    private let process: Mutex<Process>
    public let logFile: URL

    /// Starts the program. Its standard output and error go to the log file, appended.
    public init(
        name: String, program: URL, arguments: [String], logFile: URL, environment: [String: String] = [:]
    ) throws {
        self.name = name
        self.logFile = logFile
        if !FileManager.default.fileExists(atPath: logFile.path) {
            try FileManager.default.createDirectory(
                at: logFile.deletingLastPathComponent(), withIntermediateDirectories: true)
            _ = FileManager.default.createFile(atPath: logFile.path, contents: nil)
        }
        let log = try FileHandle(forWritingTo: logFile)
        try log.seekToEnd()
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
            .merging([ProgramSupport.stopWithParent: "1"]) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = log
        process.standardError = log
        try process.run()
        self.process = Mutex(process)
    }

    public var isRunning: Bool { process.withLock { $0.isRunning } }
    public var processIdentifier: Int32 { process.withLock { $0.processIdentifier } }
    /// Nil while it runs.
    public var exitStatus: Int32? { process.withLock { $0.isRunning ? nil : $0.terminationStatus } }

    /// SIGKILL: what a power cut looks like to the program.
    public func kill() {
        let pid = process.withLock { $0.isRunning ? $0.processIdentifier : 0 }
        if pid > 0 { Foundation.kill(pid, SIGKILL) }
    }

    public func terminate() {
        let pid = process.withLock { $0.isRunning ? $0.processIdentifier : 0 }
        if pid > 0 { Foundation.kill(pid, SIGTERM) }
    }

    /// Asks it to stop, waits, and kills it if it does not.
    public func stop() async {
        terminate()
        let deadline = ContinuousClock.now + .milliseconds(LocalNetwork.stopGraceMs)
        while isRunning, ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(20)) }
        if isRunning { kill() }
        await waitForExit()
    }

    @discardableResult
    public func waitForExit() async -> Int32 {
        while isRunning { try? await Task.sleep(for: .milliseconds(20)) }
        return exitStatus ?? -1
    }

    /// The last lines of the log, for error messages.
    public func logTail(lines: Int = 12) -> String {
        guard let data = try? Data(contentsOf: logFile) else { return "" }
        return String(decoding: data.suffix(16_384), as: UTF8.self).split(separator: "\n").suffix(lines)
            .joined(separator: "\n")
    }
}

/// Where the product's programs lie: beside the one that runs, or in the package's build folder.
public enum Programs {
    public static func url(_ name: String) throws -> URL {
        let own = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        let executable = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")).map {
            URL(filePath: $0).deletingLastPathComponent()
        }
        var searched: [String] = []
        for folder in [executable, own].compactMap({ $0 }) {
            let candidate = folder.appending(path: name)
            if FileManager.default.isExecutableFile(atPath: candidate.path) { return candidate }
            searched.append(folder.path)
        }
        throw ProgramError.notFound(name, searched: searched)
    }
}

public enum ProgramError: Error, CustomStringConvertible {
    case notFound(String, searched: [String])

    public var description: String {
        switch self {
        case .notFound(let name, let searched):
            "the program \(name) is not in \(searched.joined(separator: " or ")): build it with 'scripts/setup'"
        }
    }
}
