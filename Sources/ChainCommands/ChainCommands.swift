import APIModel
import ArgumentParser
import CommandSupport
import ProgramSupport

/// # ChainCommands
///
/// The commands of `chain-cli` as a library: they ask a chain, sign for it, and check what it says. A command parses
/// its arguments, calls `ChainClient` or `Audit`, and shows a document: as one JSON document with `--json`, as text
/// else. A new command is a file of its own and a line in ``ChainCLI``'s list.
///
/// The module promises
/// - standard output holds what was asked for and nothing else; progress and notes go to standard error;
/// - the exit code is 0 when it is done, 1 when the chain or a check said no, 2 for bad usage, 3 when the outcome is
///   unknown;
/// - an error says what was wrong, where, and what to do, in the program's own words.
public struct ChainCLI: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "chain-cli",
        abstract: "Ask an Edgeproof chain, send it transactions, and check its records.",
        discussion: """
            A node is asked at --node, else at EDGEPROOF_NODE, else at http://127.0.0.1:\(APIModel.defaultPort). Keys lie encrypted in \
            --keys; their passphrase comes from EDGEPROOF_PASSPHRASE_FILE, EDGEPROOF_PASSPHRASE or the terminal.

            Examples:
              chain-cli status
              chain-cli keys new alice
              chain-cli tx submit --service s --post p --action 5 --data hello --from alice --wait

            Exit codes: 0 done; 1 the chain or a check said no; 2 bad usage; 3 outcome unknown: it may still come.
            """,
        version: Product.version,
        subcommands: [
            StatusCommand.self, BlockCommand.self,
            KeysCommand.self,
            TxCommand.self, TransferCommand.self, FaucetCommand.self, LockCommand.self, UnlockCommand.self,
            AccountCommand.self, HistoryCommand.self, AuditCommand.self, ReputationCommand.self,
            MasternodeCommand.self, GovernanceCommand.self,
            ContractCommand.self, ServiceCommand.self, JobCommand.self,
            WasmCommand.self, PaperCommand.self, LoadCommand.self,
        ])

    public init() {}

    /// Runs the command that the arguments name, and ends the process if that fails.
    public static func run(_ arguments: some Collection<String>) async {
        do {
            var command = try Commands.parse(Self.self, Array(arguments), mayBeEmpty: ["--data", "--data-hex", "--post"])
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            Failure(error).exit(asJSON: arguments.contains("--json"))
        }
    }
}
