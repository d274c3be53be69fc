import ArgumentParser
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
