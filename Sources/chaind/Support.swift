import ArgumentParser
import CommandSupport
import Foundation
import KeyFiles
import Logging
import NodeHome
import Primitives
import ProgramSupport

enum Logging {
    /// Logs go to standard error; standard output is for what a command answers.
    static func make(level: Logger.Level) -> Logger {
        var logger = Logger(label: "chaind") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = level
        return logger
    }
}

/// Files and texts that an operator gives.
enum Inputs {
    static func genesis(_ path: String) throws -> Genesis {
        let bytes = try InputFile.read(path, "genesis", limit: 64 << 20)
        do { return try GenesisDocument.decode(Data(bytes)) } catch { throw UsageError("\(path): \(error)") }
    }

    static func member(_ path: String) throws -> Masternode {
        let bytes = try InputFile.read(path, "masternode's description", limit: 100_000)
        do { return try MemberDocument.decode(Data(bytes)).masternode() } catch {
            throw UsageError("\(path): \(error)")
        }
    }

    static func account(_ text: String, _ option: String) throws -> Account {
        do { return try Account(address: text) } catch { throw UsageError("\(option) \(text): \(error)") }
    }
}

/// Progress on the terminal; a file or a pipe gets none of it.
enum Progress {
    private static let isTerminal = isatty(STDERR_FILENO) == 1

    static func show(_ text: String, isLast: Bool) {
        guard isTerminal else { return }
        FileHandle.standardError.write(Data(("\r\u{1b}[K" + text + (isLast ? "\n" : "")).utf8))
    }
}

/// What an operator should know, and is no failure.
enum Note {
    static func say(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
}

enum Failure {
    /// What an operator can put right ends with 2, what the store, the chain or the machine refuses with 1.
    static func ending(_ error: any Error) -> Ending? {
        switch error {
        case let error as NodeHomeError: Ending(code: Ending.usage, message: error.description)
        case let error as KeyFileError: Ending(code: Ending.usage, message: error.description)
        case let error as MasternodeSetError: Ending(code: Ending.usage, message: "the --member files: \(error)")
        case let error as GenesisError: Ending(code: Ending.usage, message: "\(error)")
        case let error as DevnetFailure: Ending(code: Ending.refused, message: error.description)
        default: nil
        }
    }
}
