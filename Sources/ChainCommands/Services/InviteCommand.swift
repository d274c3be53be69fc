import ArgumentParser
import ChainClient
import Encoding
import Primitives

/// Places for those whom an owner knows, beside those that strangers may take.
struct InviteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "invite", abstract: "Have your service pay for accounts that have not joined it yet.",
        discussion: """
            A service pays for a few strangers in each window ('--sponsor-newcomers' of its registration), and strangers \
            can take all of these places. Whom you invite needs none of them. With --withdraw invitations are taken back, \
            and the deposits of those that nobody uses return to the service.

            Example: chain-cli service invite digits edge1qq... edge1qz... --from alice
            """)

    @Argument(help: "Name of the service.") var service: String
    @Argument(help: "Accounts, at most \(InviteMembers.most).") var accounts: [String]
    @Flag(help: "Takes invitations back.") var withdraw = false
    @OptionGroup var sending: SendingOptions
    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard !accounts.isEmpty else { throw ValidationError("name at least one account") }
        guard accounts.count <= InviteMembers.most else {
            throw ValidationError("\(accounts.count) accounts; one transaction takes \(InviteMembers.most)")
        }
    }

    func run() async throws {
        let data = InviteMembers(
            service: try Arguments.service(service), accounts: try accounts.map { try global.account($0) },
            invites: !withdraw)
        var request = TransactionRequest(service: .chain, action: .inviteMembers, data: data.borsh)
        request.gasLimit = sending.gas
        let sender = try await global.sender(sending.from)
        try await Sending.perform(request, from: sender, sending, wait: true, global)
    }
}
