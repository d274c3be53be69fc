import ArgumentParser
import Dispatch
import Foundation
import Logging

enum Logging {
    /// Logs go to standard error; standard output is for what a command answers.
    static func make(level: Logger.Level) -> Logger {
        var logger = Logger(label: "chaind") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = level
        return logger
    }
}

enum Failure {
    /// Prints what went wrong as people read it, and exits with 1.
    static func reported<Value>(_ body: () async throws -> Value) async throws -> Value {
        do { return try await body() } catch let error as ExitCode { throw error } catch is CancellationError {
            throw ExitCode.success
        } catch {
            FileHandle.standardError.write(Data("error: \(error)\n".utf8))
            throw ExitCode.failure
        }
    }
}

enum Signals {
    /// Runs the body until it ends by itself or the process gets SIGINT or SIGTERM, which cancel it.
    static func untilStopped(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let task = Task { try await body() }
        let sources = [SIGINT, SIGTERM].map { signal in
            Foundation.signal(signal, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: signal, queue: .global())
            source.setEventHandler { task.cancel() }
            source.resume()
            return source
        }
        defer { for source in sources { source.cancel() } }
        do { try await task.value } catch is CancellationError {}
    }
}
