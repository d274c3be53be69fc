import ArgumentParser
import ChainClient
import KeyFiles
import Primitives

/// The faucet of a devnet is a key that its genesis funds and that lies among the network's keys: whoever has those can
/// give money away. No other network has one.
struct FaucetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "faucet", abstract: "Give an account of a devnet money to start with.",
        discussion: """
            Works where 'chaind devnet --faucet' made the network, with its keys: EDGEPROOF_KEYS and \
            EDGEPROOF_PASSPHRASE_FILE as the devnet prints them.

            Example: chain-cli faucet edge1...
            """)

    /// Name of the key.
    static let key = "faucet"

    @Argument(help: "Who gets it: edge1... or the name of a local key.") var account: String
    @Option(help: "Smallest units of money.") var amount = "10,000,000,000"
    @OptionGroup var sending: SendingOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let account = try global.account(account)
        let amount = try Arguments.amount(amount, "--amount")
        let sender: TransactionSender
        do { sender = try await global.sender(sending.from ?? Self.key) } catch is KeyFileError {
            throw Refused(
                "no_faucet",
                "there is no key '\(Self.key)' here: only a network that 'chaind devnet --faucet' made has one, in its folder keys (EDGEPROOF_KEYS)"
            )
        }
        var request = TransactionRequest.transfer(amount, to: account)
        request.gasLimit = sending.gas
        try await Sending.perform(request, from: sender, sending, wait: true, global)
    }
}
