import APIModel
import ArgumentParser
import ChainClient
import Cryptography
import Primitives

extension ServiceDocument.Notice {
    /// What is to happen, and when.
    var text: String {
        let times = "between \(Format.time(from)) and \(Format.time(until))"
        return switch kind {
        case .upgrade: "new code \(codeHash?.wrappedValue.hex ?? "?"), \(times)"
        case .retire: "its end, \(times)"
        }
    }
}

/// What the three orders about a service share.
private enum ServiceOrders {
    static func document(_ name: ServiceId, _ global: GlobalOptions) async throws -> ServiceDocument {
        let client = try global.client()
        guard let found = try await client.service(name) else { throw await client.noSuchService(name) }
        return found
    }

    static func send<Step>(
        _ action: ActionId, _ order: ServiceOrder<Step>, _ sending: SendingOptions, _ global: GlobalOptions
    ) async throws {
        var request = TransactionRequest(service: .chain, action: action, data: order.borsh)
        request.gasLimit = sending.gas
        let sender = try await global.sender(sending.from)
        try await Sending.perform(request, from: sender, sending, wait: true, global)
    }
}

struct UpgradeServiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "upgrade", abstract: "Give a service of yours new code, after a notice that its members see.",
        discussion: """
            --code announces the new code; the chain's parameter serviceNoticeMs says how long before it can happen \
            ('governance parameters'), and it can for as long again. --apply then does it: what the contract has stored \
            stays, and the new code's "upgrade", if it exports one, runs with the data. If that fails, nothing changes.

            Examples:
              chain-cli service upgrade counter --code counter2.wasm --from alice
              chain-cli service upgrade counter --apply --from alice
            """)

    @Argument(help: "Name of the service.") var service: String
    @Option(help: ArgumentHelp("Announce this WebAssembly module.", valueName: "file")) var code: String?
    @Flag(help: "Exchange the code, now that its notice is over; --data goes to its \"upgrade\".") var apply = false
    @Flag(help: "Take the announcement back.") var withdraw = false
    @OptionGroup var data: DataOptions
    @OptionGroup var sending: SendingOptions
    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard [code != nil, apply, withdraw].count(where: { $0 }) == 1 else {
            throw ValidationError("say one of --code FILE, --apply and --withdraw")
        }
    }

    func run() async throws {
        let name = try Arguments.service(service)
        let input = try data.bytes()
        guard apply || input.isEmpty else {
            throw UsageError("data goes to the new code's \"upgrade\": give it with --apply")
        }
        let step: UpgradeStep
        if let code {
            let module = try Contracts.read(code)
            let sender = try await global.sender(sending.from)
            let (hash, _) = try await Progress.during("uploading \(code)") { try await sender.upload(code: module) }
            step = .announce(codeHash: hash)
        } else if apply {
            guard let hash = try await ServiceOrders.document(name, global).notice?.codeHash else {
                throw Refused("service", "no upgrade of '\(service)' is announced: first say --code FILE")
            }
            step = .apply(codeHash: hash.wrappedValue, data: input)
        } else {
            step = .withdraw
        }
        try await ServiceOrders.send(.upgradeService, UpgradeService(service: name, step: step), sending, global)
    }
}

struct TransferServiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "transfer", abstract: "Hand a service over to somebody who accepts it.",
        discussion: """
            Its owner offers it with --to. Who gets it looks at it ('service show') and accepts it as it is with --accept \
            and the record's hash that stands there: if anything of it has changed by then, nothing happens. The new owner \
            locks the service's deposit, the old one has its own back. What is announced stays announced.

            Examples:
              chain-cli service transfer counter --to edge1... --from alice
              chain-cli service transfer counter --accept 5b1c... --from bob
            """)

    @Argument(help: "Name of the service.") var service: String
    @Option(help: ArgumentHelp("Offer it to this account.", valueName: "account")) var to: String?
    @Option(help: ArgumentHelp("Accept it, the record's hash being this one.", valueName: "hash")) var accept: String?
    @Flag(help: "Take the offer back.") var withdraw = false
    @OptionGroup var sending: SendingOptions
    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard [to != nil, accept != nil, withdraw].count(where: { $0 }) == 1 else {
            throw ValidationError("say one of --to ACCOUNT, --accept HASH and --withdraw")
        }
    }

    func run() async throws {
        let name = try Arguments.service(service)
        let step: TransferStep
        if let to {
            step = .offer(to: try global.account(to))
        } else if let accept {
            guard let hash = Digest(hex: accept) else {
                throw UsageError(
                    "'\(accept)' is no hash: 64 hexadecimal digits, as 'service show \(service)' prints them")
            }
            step = .accept(record: hash)
        } else {
            step = .withdraw
        }
        try await ServiceOrders.send(.transferService, TransferService(service: name, step: step), sending, global)
    }
}

struct RetireServiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retire", abstract: "End a service of yours, after a notice that its members see.",
        discussion: """
            Without options it announces the end. --apply then does it: the contract's "retire" runs, pays whom it owes, and \
            may refuse; what is left on its account is yours. A contract without one can't end while it holds money. \
            Afterwards its members can leave and have their deposits back, waiting calls don't run, questions are not \
            answered any more, the code can be removed, and nobody else gets the name. Once more --apply brings you what came to its account since.

            Examples:
              chain-cli service retire counter --from alice
              chain-cli service retire counter --apply --yes --from alice
            """)

    @Argument(help: "Name of the service.") var service: String
    @Flag(help: "End it, now that the notice is over.") var apply = false
    @Flag(help: "Take the announcement back.") var withdraw = false
    @OptionGroup var confirmation: ConfirmationOptions
    @OptionGroup var sending: SendingOptions
    @OptionGroup var global: GlobalOptions

    func validate() throws {
        guard !apply || !withdraw else { throw ValidationError("say --apply or --withdraw, not both") }
        guard apply || !confirmation.yes else {
            throw ValidationError("--yes goes with --apply: an announcement is not asked about, and can be taken back")
        }
    }

    func run() async throws {
        let name = try Arguments.service(service)
        if apply { try confirmation.require("the end of '\(service)'") }
        let step: RetireStep = apply ? .apply : withdraw ? .withdraw : .announce
        try await ServiceOrders.send(.retireService, RetireService(service: name, step: step), sending, global)
    }
}
