import APIModel
import ArgumentParser
import ChainClient
import CommandSupport
import Encoding
import Primitives

/// Options of everything that sends a transaction.
struct SendingOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Key that signs; not needed where there is only one.", valueName: "key"))
    var from: String?

    @Option(
        help: ArgumentHelp(
            "Most gas that it may use. Default: what the action can need, \(TransactionSender.defaultGas) for a contract's; half of what is not used is paid all the same.",
            valueName: "gas"))
    var gas: UInt64?

    @Option(
        help: ArgumentHelp(
            "Longest time to wait for the finalised block, in seconds. Default: \(SendingOptions.standardTimeout).",
            valueName: "seconds"))
    var timeout: UInt32?

    @Option(
        help: ArgumentHelp(
            "Sequence of the transaction. The same command again with the same sequence is the same transaction: it acts "
                + "once, and is shown if it is in the chain. Default: the account's next.", valueName: "number"))
    var sequence: UInt64?

    static let standardTimeout: UInt32 = 60

    var wholeTimeout: UInt32 { timeout ?? Self.standardTimeout }

    /// For commands that wait where they are told to, or where a sequence is named.
    func refuseTimeout(without wait: Bool) throws {
        guard timeout != nil, !wait, sequence == nil else { return }
        throw ValidationError("--timeout goes with --wait: without it nothing is waited for")
    }

    /// For what is done once by its nature, in one transaction or in two.
    func refuseSequence() throws {
        guard sequence != nil else { return }
        throw ValidationError(
            "--sequence is not for this: a name and a code are taken once, so give the same command again")
    }

    var terms: (gas: UInt64?, timeout: Duration) { (gas, .seconds(Int64(wholeTimeout))) }
}

/// Sends, and shows what became of it. An outcome of `failed` ends the program with 1.
enum Sending {
    static func perform(
        _ request: TransactionRequest, from sender: TransactionSender, _ options: SendingOptions, wait: Bool,
        _ global: GlobalOptions
    ) async throws {
        // With a sequence it waits in any case: only the final block tells whose the sequence is.
        guard wait || options.sequence != nil else {
            let id = try await hinting(request, sender) { try await sender.send(request) }
            return global.show(
                SubmittedDocument(id: id), "submitted \(id)\nfollow it with: chain-cli tx show \(id)")
        }
        let result = try await result(request, from: sender, options)
        global.show(result, TransactionText.text(result))
        try requireEffect(result)
    }

    /// Sends and waits for the final block; what became of it there is for the caller to judge.
    static func result(
        _ request: TransactionRequest, from sender: TransactionSender, _ options: SendingOptions
    ) async throws -> TransactionStateDocument {
        let timeout = options.terms.timeout
        if let sequence = options.sequence {
            return try await hinting(request, sender) {
                try await Progress.during("waiting for the finalised block") {
                    try await sender.sendOnce(request, sequence: sequence, timeout: timeout)
                }
            }
        }
        let signed = try await hinting(request, sender) { try await sender.submitted(request) }
        do {
            return try await Progress.during("waiting for the finalised block") {
                try await sender.wait(for: signed, timeout: timeout)
            }
        } catch let error as ClientError {
            switch error {
            // It was handed over, and nobody could be asked what became of it.
            case .notIncluded, .unreachable:
                throw UnknownOutcome(id: signed.id(genesis: sender.genesis), sequence: signed.transaction.sequence)
            default: throw error
            }
        }
    }

    /// For a service that there is not: the one that may be meant.
    private static func hinting<Result: Sendable>(
        _ request: TransactionRequest, _ sender: TransactionSender, _ send: () async throws -> Result
    ) async throws -> Result {
        do { return try await send() } catch let error as ClientError where error.code == "unknown_service" {
            guard let near = await sender.client.nearestService(to: request.service) else { throw error }
            throw Refused("unknown_service", "\(error) (did you mean '\(near)'?)")
        }
    }

    static func requireEffect(_ result: TransactionStateDocument) throws {
        guard let outcome = result.inclusion?.receipt.outcome, outcome.kind == .failed else { return }
        throw FailedOutcome(message: outcome.message ?? "", id: result.transaction.id)
    }
}

/// The document was shown already; what is left is the exit code.
struct FailedOutcome: Error, CustomStringConvertible {
    let message: String
    let id: TransactionId

    var description: String { "transaction \(id) is in the chain but failed: \(message)" }
}

enum TransactionText {
    static func text(_ found: TransactionStateDocument) -> String {
        let transaction = found.transaction
        var pairs: [(String, String?)] = [("id", transaction.id.hex)]
        if let inclusion = found.inclusion {
            pairs.append(
                (
                    "state",
                    "final in block \(inclusion.height), place \(inclusion.index), \(Format.time(inclusion.time))"
                ))
            pairs.append(("outcome", Format.outcome(inclusion.receipt.outcome)))
        } else {
            pairs.append(("state", "waiting"))
        }
        pairs += [
            ("sender", transaction.sender.description), ("sequence", "\(transaction.sequence)"),
            ("service", Format.label(transaction.serviceId)),
            ("post", transaction.postId.bytes.isEmpty ? "(none)" : Format.label(transaction.postId)),
            ("action", "\(transaction.actionId) \(transaction.action)"),
            (
                "data",
                transaction.data.map {
                    shortened(Format.data($0.wrappedValue)) + " (\(Format.number(transaction.dataBytes)) bytes)"
                }
            ),
            ("value", Format.money(transaction.value)),
            (
                "gas",
                found.inclusion.map { "\(Format.number($0.receipt.gasUsed)) of \(Format.number(transaction.gasLimit))" }
                    ?? "at most \(Format.number(transaction.gasLimit))"
            ),
            ("valid until", Format.time(transaction.validUntil)),
        ]
        for event in found.inclusion?.receipt.events ?? [] {
            pairs.append(
                ("event", "\(event.topicText) of \(event.contract.short): \(shortened(Format.data(event.data)))"))
        }
        return facts(pairs)
    }

    private static func shortened(_ text: String) -> String {
        text.count > 1_024 ? text.prefix(1_024) + "... (all of it with --json)" : text
    }
}

struct TxCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tx", abstract: "Send transactions and look them up.",
        discussion: "Example: chain-cli tx submit --service s --post p --action 5 --data hello --wait",
        subcommands: [Submit.self, Show.self, Cancel.self])

    struct Submit: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sign and send a transaction.",
            discussion: """
                Actions 1 to 9 are EdgenceChain's and are recorded even for a service that nobody registered; from 256 \
                on they belong to the service's contract.

                Example: chain-cli tx submit --service s --post p --action 5 --data hello --from alice --wait
                """)

        @Option(help: "Service: a job, a dApp; 'chain' for the chain's own actions.") var service: String
        @Option(help: "Item within the service: a round, a task.") var post = ""
        @Option(help: "Number of the action.") var action: UInt16
        @OptionGroup var data: DataOptions
        @Option(help: "Money that goes with it, in smallest units.") var value = "0"
        @OptionGroup var sending: SendingOptions
        @Flag(help: "Wait until it is in a finalised block, and show what became of it.") var wait = false
        @OptionGroup var global: GlobalOptions

        func validate() throws { try sending.refuseTimeout(without: wait) }

        func request() throws -> TransactionRequest {
            TransactionRequest(
                service: try Arguments.service(service), post: try Arguments.post(post), action: ActionId(action),
                data: try data.bytes(), value: try Arguments.amount(value, "--value"), gasLimit: sending.gas)
        }

        func run() async throws {
            let request = try request()
            let sender = try await global.sender(sending.from)
            try await Sending.perform(request, from: sender, sending, wait: wait, global)
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a transaction with all its fields and what became of it.",
            discussion: "Example: chain-cli tx show 7f3c... --json")

        @Argument(help: "The transaction's id: 64 hexadecimal digits.") var id: String
        @OptionGroup var global: GlobalOptions

        func run() async throws {
            guard let id = TransactionId(hex: id) else {
                throw UsageError("'\(self.id)' is not a transaction id: it takes 64 hexadecimal digits")
            }
            guard let found = try await global.client().transaction(id) else {
                throw Refused(
                    "unknown_transaction",
                    "the node knows no transaction \(id); it may have expired, or not have arrived yet")
            }
            global.show(found, TransactionText.text(found))
        }
    }
}

extension TxCommand {
    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take the place of a waiting transaction with one that does nothing.",
            discussion: """
                Needs the key that sent it. Whichever of the two a block takes first is the one that counts: this waits \
                and tells which.

                Example: chain-cli tx cancel 7f3c... --from alice
                """)

        @Argument(help: "The waiting transaction's id: 64 hexadecimal digits.") var id: String
        @OptionGroup var sending: SendingOptions
        @OptionGroup var global: GlobalOptions

        func validate() throws {
            guard sending.sequence == nil, sending.gas == nil else {
                throw ValidationError(
                    "--sequence and --gas are not for this: a cancellation has the sequence of what it cancels, and the gas that one takes"
                )
            }
        }

        func run() async throws {
            guard let id = TransactionId(hex: id) else {
                throw UsageError("'\(self.id)' is not a transaction id: it takes 64 hexadecimal digits")
            }
            let sender = try await global.sender(sending.from)
            guard let found = try await sender.client.transaction(id) else {
                throw Refused("unknown_transaction", "the node knows no transaction \(id): there is nothing to cancel")
            }
            if let inclusion = found.inclusion {
                throw Refused(
                    "already_final", "transaction \(id) is final in block \(inclusion.height): it can't be cancelled")
            }
            guard found.transaction.sender == sender.account else {
                throw Refused(
                    "not_yours",
                    "transaction \(id) is of \(found.transaction.sender): only its own key can cancel it; name that with --from"
                )
            }
            let cancellation = try await sender.cancel(id, sequence: found.transaction.sequence)
            let result = try await Progress.during("waiting for the finalised block") {
                try await outcome(of: id, or: cancellation, sender.client)
            }
            guard result.transaction.id == cancellation else {
                throw Refused("already_final", "transaction \(id) came into a block before it could be cancelled")
            }
            global.show(result, TransactionText.text(result))
        }

        private func outcome(
            of first: TransactionId, or second: TransactionId, _ client: ChainClient
        ) async throws -> TransactionStateDocument {
            let deadline = ContinuousClock.now.advanced(by: .seconds(Int64(sending.wholeTimeout)))
            while ContinuousClock.now < deadline {
                for id in [second, first] {
                    if let found = try await client.transaction(id), found.inclusion != nil { return found }
                }
                try await Task.sleep(for: .milliseconds(200))
            }
            throw Refused(
                "no_outcome",
                "neither transaction is final after \(sending.wholeTimeout) s: look with 'chain-cli tx show \(second)'")
        }
    }
}

struct TransferCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "transfer", abstract: "Send money and wait until that is final.",
        discussion: "Example: chain-cli transfer bob 1,000,000 --from alice")

    @Argument(help: "Who gets it: edge1... or the name of a local key.") var to: String
    @Argument(help: "Smallest units of money.") var amount: String
    @OptionGroup var sending: SendingOptions
    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let (amount, recipient) = (try Arguments.amount(amount, "the amount"), try global.account(to))
        guard amount > 0 else { throw UsageError("the amount is 0: there is nothing to send") }
        var request = TransactionRequest.transfer(amount, to: recipient)
        request.gasLimit = sending.gas
        let sender = try await global.sender(sending.from)
        guard sender.account != recipient else {
            throw UsageError("\(recipient) is the sender itself: nothing would move")
        }
        try await Sending.perform(request, from: sender, sending, wait: true, global)
    }
}
