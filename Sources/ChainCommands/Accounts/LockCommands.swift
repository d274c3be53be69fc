import ArgumentParser
import ChainClient
import Primitives

/// Money that backs the verdicts of one's jobs (`Docs/jobs.md`, reputation).
struct LockCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lock", abstract: "Lock money that backs the verdicts of your jobs.",
        discussion: """
            The weight of what your jobs find about their workers is in proportion to what you have locked, over all of \
            them. It is yours again by 'unlock', at the end of the running period.

            Example: chain-cli lock 10,000,000 --from owner
            """)

    @Argument(help: "Smallest units of money.") var amount: String
    @OptionGroup var sending: SendingOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let amount = try Arguments.amount(amount, "the amount")
        guard amount > 0 else { throw UsageError("the amount is 0: there is nothing to lock") }
        var request = TransactionRequest(service: .chain, action: .lockMoney, value: amount)
        request.gasLimit = sending.gas
        let sender = try await global.sender(sending.from)
        try await Sending.perform(request, from: sender, sending, wait: true, global)
    }
}

struct UnlockCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unlock", abstract: "Ask locked money back; it is free at the end of the running period.",
        discussion: """
            Send it once more after that, with 0, to have what is free on your balance.

            Example: chain-cli unlock 10,000,000 --from owner
            """)

    @Argument(help: "Smallest units of money; 0 just takes what is free already.") var amount: String
    @OptionGroup var sending: SendingOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let data = UnlockMoney(amount: try Arguments.amount(amount, "the amount"))
        var request = TransactionRequest(service: .chain, action: .unlockMoney, data: data.borsh)
        request.gasLimit = sending.gas
        let sender = try await global.sender(sending.from)
        try await Sending.perform(request, from: sender, sending, wait: true, global)
    }
}
