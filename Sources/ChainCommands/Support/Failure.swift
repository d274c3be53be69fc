import APIModel
import ArgumentParser
import Audit
import ChainClient
import CommandSupport
import Foundation
import KeyFiles
import Primitives
import ProgramSupport

package typealias UsageError = CommandSupport.UsageError

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
    /// What may still be included, where the outcome is unknown.
    let transaction: TransactionId?

    package init(_ error: any Error) {
        switch error {
        case let error as UsageError: self.init(2, "usage", error.description)
        case let error as FileProblem: self.init(2, "file", error.description)
        case let error as UnknownOutcome: self.init(3, "unknown_outcome", error.description, transaction: error.id)
        case let error as KeyFileError: self.init(2, "key", error.description)
        case let error as Refused: self.init(1, error.code, error.description)
        case let error as ClientError:
            if case .badNode = error {
                self.init(2, "usage", error.description)
            } else if case .notIncluded(let id, _) = error {
                self.init(3, "unknown_outcome", error.description, transaction: id)
            } else {
                self.init(1, error.code ?? Self.code(error), error.description)
            }
        case let error as FailedOutcome: self.init(1, "failed", error.description, isShown: true)
        case let error as Stalled: self.init(1, "stalled", error.description, isShown: true)
        case let error as Damaged: self.init(1, "damaged", error.description, isShown: true)
        case let error as AbortedJob: self.init(1, "aborted", error.description, isShown: true)
        case let error as UnworkableJob: self.init(1, "unworkable", error.description, isShown: true)
        case let error as FailedSuite: self.init(1, "failed", error.description, isShown: true)
        case let error as TransactionFailed: self.init(1, "failed", error.description)
        case let error as AuditError: self.init(1, "audit", error.description)
        case is CancellationError: self.init(1, "cancelled", "cancelled")
        case let error as CocoaError:
            self.init(2, "file", "a file could not be read or written: \(error.filePath ?? "?")")
        default:
            let status = ChainCLI.exitCode(for: error)
            let text = ChainCLI.fullMessage(for: error)
            if status == .success {
                self.init(0, "help", text, isHelp: true)
            } else {
                self.init(
                    status == .validationFailure ? 2 : 1, status == .validationFailure ? "usage" : "failed",
                    status == .validationFailure ? text : Ending.text(error))
            }
        }
    }

    private init(
        _ exitCode: Int32, _ code: String, _ message: String, isHelp: Bool = false, isShown: Bool = false,
        transaction: TransactionId? = nil
    ) {
        self.exitCode = exitCode
        self.code = code
        self.message = message
        self.isHelp = isHelp
        self.isShown = isShown
        self.transaction = transaction
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
            Console.error("chain-cli: " + (message.hasPrefix("Error:") ? String(message.dropFirst(7)) : message))
            if asJSON, !isShown {
                if let transaction {
                    Console.json(UnknownOutcome.Document(id: transaction, reason: message))
                } else {
                    Console.json(ErrorDocument(code: code, reason: message))
                }
            }
        }
        Foundation.exit(exitCode)
    }
}

/// It may have happened or not: exit code 3, with what settles it.
package struct UnknownOutcome: Error, CustomStringConvertible {
    let id: TransactionId
    let sequence: UInt64

    package init(id: TransactionId, sequence: UInt64) {
        self.id = id
        self.sequence = sequence
    }

    package var description: String {
        "no final block has transaction \(id) yet, and it may still come. Ask with 'chain-cli tx show \(id)', or give the "
            + "same command again with --sequence \(sequence): that never acts twice"
    }

    struct Document: Encodable {
        struct Detail: Encodable {
            let code = "unknown_outcome"
            let reason: String
        }

        let error: Detail
        @HexText var id: TransactionId

        init(id: TransactionId, reason: String) {
            error = Detail(reason: reason)
            self.id = id
        }
    }
}
