import ArgumentParser
import ChainClient
import CommandSupport
import Foundation
import KeyFiles
import Primitives
import ProgramSupport
import WorkerRuntime

/// How a worker ends: 2 for what whoever started it can put right in the command or in a file, 1 for what the job, the
/// chain or another worker said.
enum Failure {
    /// Says what went wrong; the process ends with what is given back.
    static func told(_ error: any Error) -> any Error {
        if error is ExitCode || error is CancellationError { return error }
        FileHandle.standardError.write(Data("error: \(Ending.text(error))\n".utf8))
        return ExitCode(code(of: error))
    }

    private static func code(of error: any Error) -> Int32 {
        switch error {
        case is UsageError, is FileProblem, is KeyFileError, is AccountError, is ValidationError: Ending.usage
        case ClientError.badNode: Ending.usage
        case WorkerError.unusableData, WorkerError.unusableModel, WorkerError.cannotWrite, WorkerError.cannotListen:
            Ending.usage
        default: Ending.refused
        }
    }
}
