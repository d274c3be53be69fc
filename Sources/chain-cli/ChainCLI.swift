import APIModel
import ArgumentParser
import ChainClient
import KeyFiles

/// `chain-cli`: asks a chain, signs for it, and checks what it says. Commands parse arguments and call `ChainClient`
/// and `Audit`; exit codes are 0 done, 1 the chain or a check said no, 2 bad usage.
package struct ChainCLI: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "chain-cli",
        abstract: "Ask an Edgeproof chain, send it transactions, and check its records.",
        discussion: """
            A node is asked at --node, else at EDGEPROOF_NODE, else at http://127.0.0.1:26600. Keys lie encrypted in \
            --keys; their passphrase comes from EDGEPROOF_PASSPHRASE_FILE, EDGEPROOF_PASSPHRASE or the terminal.

            Examples:
              chain-cli status
              chain-cli keys new alice
              chain-cli tx submit --service s --post p --action 5 --data hello --from alice --wait

            Exit codes: 0 done; 1 the chain or a check said no; 2 bad usage.
            """,
        version: "1.0.0",
        subcommands: [
            StatusCommand.self, BlockCommand.self, KeysCommand.self, TxCommand.self, TransferCommand.self,
            AccountCommand.self, HistoryCommand.self, AuditCommand.self, ReputationCommand.self,
            MasternodeCommand.self, GovernanceCommand.self, ContractCommand.self, ServiceCommand.self, JobCommand.self,
        ])

    package init() {}
}

@main
enum Program {
    static func main() async {
        do {
            var command = try ChainCLI.parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            Failure(error).exit(asJSON: CommandLine.arguments.contains("--json"))
        }
    }
}
