import ArgumentParser
import Encoding
import Foundation
import ProgramSupport

/// # CommandSupport
///
/// How every program of the product takes its arguments and ends.
///
/// The module promises
/// - the exit code is 0 when it is done, 1 when the chain or a check said no, 2 for bad usage (arguments, files and
///   configuration that a person can put right), 3 when the outcome is unknown;
/// - an error is one text on standard error, in the product's own words; what no part of the product has words for is
///   said to be that, with its details;
/// - a mistyped command is answered with the nearest one;
/// - an empty argument is a mistake, since it comes from a variable that is not set.
public enum Commands {
    /// The command that the arguments name.
    /// - Throws: ``UsageError`` for a command that there is not, else what the parser says.
    /// - Parameter mayBeEmpty: options for whose value nothing is a value.
    public static func parse<Root: ParsableCommand>(
        _ root: Root.Type, _ arguments: [String], mayBeEmpty: Set<String> = []
    ) throws -> any ParsableCommand {
        if let problem = unknownCommand(root, arguments) ?? emptyArgument(arguments, mayBeEmpty) { throw problem }
        return try root.parseAsRoot(arguments)
    }

    /// `--home "$HOEM"` would else mean the folder where the command was given.
    static func emptyArgument(_ arguments: [String], _ mayBeEmpty: Set<String>) -> UsageError? {
        var option: String?
        for argument in arguments {
            if argument == "--" { return nil }
            if argument.isEmpty, !(option.map { mayBeEmpty.contains($0) } ?? false) {
                return UsageError(
                    (option.map { "what stands after \($0) is empty" } ?? "an argument is empty")
                        + ": it may come from a variable that is not set")
            }
            if argument.hasPrefix("--"), argument.hasSuffix("="), !mayBeEmpty.contains(String(argument.dropLast())) {
                return UsageError("\(argument) has no value: it may come from a variable that is not set")
            }
            option = argument.hasPrefix("-") && !argument.contains("=") ? argument : nil
        }
        return nil
    }

    /// Walks down the groups: the first word that names no command of a group which takes nothing else is a mistake.
    static func unknownCommand(_ root: any ParsableCommand.Type, _ arguments: [String]) -> UsageError? {
        var group: any ParsableCommand.Type = root
        var path = [root._commandName]
        for word in arguments {
            let commands = group.configuration.subcommands
            guard !commands.isEmpty, !word.hasPrefix("-"), word != "help" else { return nil }
            if let next = commands.first(where: { $0._commandName == word || $0.configuration.aliases.contains(word) })
            {
                group = next
                path.append(word)
                continue
            }
            let names = commands.filter { $0.configuration.shouldDisplay }.map { $0._commandName }
            // A default command's own words may stand here.
            if takesWords(group) { return nil }
            return UsageError(
                "'\(path.joined(separator: " "))' has no command '\(word)'" + Spelling.hint(for: word, among: names)
                    + ". There are: \(names.joined(separator: ", ")). More: \(path.joined(separator: " ")) --help")
        }
        return nil
    }

    /// Whether a group's default command takes words of its own, as `audit ACCOUNT` does.
    private static func takesWords(_ group: any ParsableCommand.Type) -> Bool {
        guard let standard = group.configuration.defaultSubcommand else { return false }
        return (try? standard.parse(["word"])) != nil
    }

    /// Parses, runs and ends the process with the code that fits.
    public static func main<Root: ParsableCommand>(
        _ root: Root.Type, _ arguments: [String] = Array(CommandLine.arguments.dropFirst()),
        explain: (any Error) -> Ending? = { _ in nil }
    ) async {
        do {
            var command = try parse(root, arguments)
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            let ending = explain(error) ?? Ending(error, in: root)
            if ending.isAnswer {
                try? FileHandle.standardOutput.write(contentsOf: Data((ending.message + "\n").utf8))
            } else if !ending.message.isEmpty {
                let text = ending.message.hasPrefix("Error:") ? String(ending.message.dropFirst(7)) : ending.message
                try? FileHandle.standardError.write(contentsOf: Data("\(root._commandName): \(text)\n".utf8))
            }
            exit(ending.code)
        }
    }
}

/// How a program ends when something kept it from its end.
public struct Ending: Equatable, Sendable {
    public static let refused: Int32 = 1
    public static let usage: Int32 = 2
    public static let unknown: Int32 = 3

    public let code: Int32
    public let message: String
    /// Help and version are what was asked for: they go to standard output.
    public let isAnswer: Bool

    public init(code: Int32, message: String, isAnswer: Bool = false) {
        self.code = code
        self.message = message
        self.isAnswer = isAnswer
    }

    /// What is the same in all programs.
    public init<Root: ParsableCommand>(_ error: any Error, in root: Root.Type) {
        switch error {
        case let error as UsageError: self.init(code: Self.usage, message: error.description)
        case let error as FileProblem: self.init(code: Self.usage, message: error.description)
        case let error as ExitCode: self.init(code: error.rawValue, message: "")
        case is CancellationError: self.init(code: 0, message: "")
        default:
            switch root.exitCode(for: error) {
            case .success: self.init(code: 0, message: root.fullMessage(for: error), isAnswer: true)
            case .validationFailure: self.init(code: Self.usage, message: root.fullMessage(for: error))
            default: self.init(code: Self.refused, message: Self.text(error))
            }
        }
    }

    /// The product's errors describe themselves; others do not speak to people.
    public static func text(_ error: any Error) -> String {
        guard Reason.isForeign(error) else { return "\(error)" }
        return "something failed that this program has no words for; please report it with these details: "
            + "\(String(reflecting: type(of: error))): \(error)"
    }
}

/// The user asked for something that can't be, or named a file that is not what it should be: exit code 2.
public struct UsageError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}
