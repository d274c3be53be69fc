import APIModel
import ArgumentParser
import Audit
import ChainClient
import Foundation
import KeyFiles

/// The user asked for something that can't be: exit code 2.
package struct UsageError: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// The chain, or a check, said no: exit code 1.
package struct Refused: Error, CustomStringConvertible {
    let code: String
    package let description: String

    package init(_ code: String, _ description: String) {
        self.code = code
        self.description = description
    }
}

/// How the program ends when something went wrong.
package struct Failure {
    package let exitCode: Int32
    let code: String
    let message: String
    /// Help and version are not errors: they go to standard output.
    let isHelp: Bool
    /// The result was printed already, as the one document of `--json`.
    let isShown: Bool

    package init(_ error: any Error) {
        switch error {
        case let error as UsageError: self.init(2, "usage", error.description)
        case let error as KeyFileError: self.init(2, "key", error.description)
        case let error as Refused: self.init(1, error.code, error.description)
        case let error as ClientError:
            if case .badNode = error { self.init(2, "usage", error.description) } else {
                self.init(1, error.code ?? Self.code(error), error.description)
            }
        case let error as FailedOutcome: self.init(1, "failed", error.description, isShown: true)
        case let error as AbortedJob: self.init(1, "aborted", error.description, isShown: true)
        case let error as UnworkableJob: self.init(1, "unworkable", error.description, isShown: true)
        case let error as FailedSuite: self.init(1, "failed", error.description, isShown: true)
        case let error as TransactionFailed: self.init(1, "failed", error.description)
        case let error as AuditError: self.init(1, "audit", error.description)
        case is CancellationError: self.init(1, "cancelled", "cancelled")
        case let error as CocoaError: self.init(2, "file", error.localizedDescription)
        default:
            let status = ChainCLI.exitCode(for: error)
            let text = ChainCLI.fullMessage(for: error)
            if status == .success { self.init(0, "help", text, isHelp: true) } else {
                self.init(status == .validationFailure ? 2 : 1, status == .validationFailure ? "usage" : "failed", text)
            }
        }
    }

    private init(_ exitCode: Int32, _ code: String, _ message: String, isHelp: Bool = false, isShown: Bool = false) {
        self.exitCode = exitCode
        self.code = code
        self.message = message
        self.isHelp = isHelp
        self.isShown = isShown
    }

    private static func code(_ error: ClientError) -> String {
        switch error {
        case .unreachable: "unreachable"
        case .badAnswer: "bad_answer"
        case .notIncluded: "not_included"
        case .expired: "expired"
        case .displaced: "displaced"
        case .missingBlock: "missing_block"
        case .noSuchService: "unknown_service"
        case .badNode, .refused: "refused"
        }
    }

    func exit(asJSON: Bool) -> Never {
        if isHelp {
            Console.out(message)
        } else {
            let prefix = message.hasPrefix("Error:") ? "" : "chain-cli: "
            Console.error(prefix + message)
            if asJSON, !isShown { Console.json(ErrorDocument(code: code, reason: message)) }
        }
        Foundation.exit(exitCode)
    }
}
