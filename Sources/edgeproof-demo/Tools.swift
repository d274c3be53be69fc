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
        let output = try await Programs.run(program, arguments, environment: environment)
        guard output.status == 0 else {
            let said = output.err.isEmpty ? output.out : output.err
            throw Failed(
                command: ([program] + arguments).joined(separator: " "), status: output.status,
                output: String(decoding: said.suffix(2_000), as: UTF8.self))
        }
        return output.out
    }
}
