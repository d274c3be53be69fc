import APIModel
import ArgumentParser
import ChainClient
import Cryptography
import Encoding
import Primitives

struct ContractCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "contract", abstract: "Write, test, upload, call and query contracts.",
        discussion: "Example: chain-cli contract upload counter.wasm --from alice",
        subcommands: [
            NewContractCommand.self, BuildContractCommand.self, TestContractCommand.self, Upload.self,
            RemoveContractCommand.self, Call.self, Query.self,
        ])

    struct Upload: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a WebAssembly module on the chain.",
            discussion: "Example: chain-cli contract upload counter.wasm --from alice")

        @Argument(help: "The module, at most 65,000 bytes.") var file: String
        @OptionGroup var sending: SendingOptions
        @OptionGroup var global: GlobalOptions

        func validate() throws { try sending.refuseSequence() }

        struct Document: Encodable {
            @HexText var codeHash: Digest
            let bytes: Int
            /// Absent when the chain had it already.
            let transaction: TransactionStateDocument?
        }

        func run() async throws {
            let code = try Contracts.read(file)
            let sender = try await global.sender(sending.from)
            let terms = sending.terms
            let (hash, transaction) = try await Progress.during("uploading \(file)") {
                try await sender.upload(code: code, gasLimit: terms.gas, timeout: terms.timeout)
            }
            global.show(
                Document(codeHash: hash, bytes: code.count, transaction: transaction),
                facts([
                    ("code hash", hash.hex), ("size", Format.number(code.count) + " bytes"),
                    (
                        "upload",
                        transaction.map { "transaction \($0.transaction.id)" } ?? "not needed: the chain had it"
                    ),
                ]))
        }
    }

    struct Call: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send an action to a service's contract and wait for what it does.",
            discussion: "Example: chain-cli contract call counter --action 256 --data-hex 01000000 --from alice")

        @Argument(help: "Name of the service.") var service: String
        @Argument(help: "Number of the action; from 256 on they are the contract's own. Or --action.") var number:
            UInt16?
        @Option(help: "The same, as 'tx submit' takes it.") var action: UInt16?
        @Option(help: "Item within the service.") var post = ""
        @OptionGroup var data: DataOptions
        @Option(help: "Money that goes with it, in smallest units.") var value = "0"
        @OptionGroup var sending: SendingOptions
        @OptionGroup var global: GlobalOptions

        func validate() throws {
            guard (number == nil) != (action == nil) else { throw ValidationError("give the action's number, once") }
        }

        func run() async throws {
            guard let chosen = number ?? action else { throw UsageError("give the action's number, once") }
            let request = TransactionRequest(
                service: try Arguments.service(service), post: try Arguments.post(post), action: ActionId(chosen),
                data: try data.bytes(), value: try Arguments.amount(value, "--value"), gasLimit: sending.gas)
            let sender = try await global.sender(sending.from)
            try await Sending.perform(request, from: sender, sending, wait: true, global)
        }
    }

    struct Query: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask a service's contract, without a transaction.",
            discussion: "Example: chain-cli contract query counter --data-hex 00")

        @Argument(help: "Name of the service.") var service: String
        @OptionGroup var data: DataOptions
        @OptionGroup var global: GlobalOptions

        func run() async throws {
            let result = try await global.client().query(try Arguments.service(service), input: try data.bytes())
            global.show(
                result,
                facts([
                    ("answer", Format.data(result.data)), ("hex", Hexadecimal.encode(result.data)),
                    ("gas", Format.number(result.gasUsed)), ("as of block", Format.number(result.height)),
                ]))
        }
    }
}

enum Contracts {
    /// What fits a transaction beside its other fields.
    static let longest = 65_000

    static func read(_ path: String) throws -> [UInt8] {
        let code = try Arguments.file(path, limit: longest)
        guard code.starts(with: [0x00, 0x61, 0x73, 0x6d]) else {
            throw UsageError("\(path) is not a WebAssembly module: it does not start with '\\0asm'")
        }
        return code
    }
}

struct ServiceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "service",
        abstract: "List, show and register services; exchange their code, hand them over, end them.",
        discussion: "Example: chain-cli service list --kind job",
        subcommands: [
            List.self, Show.self, Register.self, InviteCommand.self, UpgradeServiceCommand.self,
            TransferServiceCommand.self,
            RetireServiceCommand.self,
        ])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the registered services.", discussion: "Example: chain-cli service list --kind contract")

        @Option(help: "Only this kind: job, contract.") var kind: String?
        @OptionGroup var global: GlobalOptions

        func run() async throws {
            let services = try await global.client().services(kind: kind)
            var table = Table([.left("name"), .left("kind"), .left("owner"), .right("balance"), .right("since block")])
            for service in services {
                table.add(
                    Format.label(service.id), service.kind, service.owner.description, Format.money(service.balance),
                    "\(service.registeredAt)")
            }
            global.show(
                ServicesDocument(services: services, next: nil),
                table.text(none: "no services\(kind.map { " of the kind '\($0)'" } ?? "") are registered"))
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a service.", discussion: "Example: chain-cli service show digits")

        @Argument(help: "Name of the service.") var service: String
        @OptionGroup var global: GlobalOptions

        func run() async throws {
            let (name, client) = (try Arguments.service(service), try global.client())
            guard let found = try await client.service(name) else { throw await client.noSuchService(name) }
            global.show(found, Self.text(found))
        }

        static func text(_ service: ServiceDocument) -> String {
            facts([
                ("service", Format.label(service.id)), ("kind", service.kind),
                ("contract", service.contract.description), ("owner", service.owner.description),
                ("validator", service.validator?.wrappedValue.description ?? "(none)"),
                ("code", service.codeHash.hex), ("since block", Format.number(service.registeredAt)),
                ("balance", Format.money(service.balance)), ("pending", service.notice?.text),
                ("offered to", service.offeredTo?.wrappedValue.description),
                ("ended in block", service.retiredAt.map { Format.number($0.wrappedValue) }),
                ("record", service.recordHash.hex),
            ])
        }
    }

    struct Register: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Register a service with a contract.",
            discussion: """
                The module is uploaded if the chain does not have it. The data goes to the contract's init.

                Example: chain-cli service register counter --code counter.wasm --deposit 10,000,000,000 --from alice
                """)

        @Argument(help: "Name of the service.") var service: String
        @Option(help: ArgumentHelp("The WebAssembly module.", valueName: "file")) var code: String
        @Option(help: "What people list it as.") var kind = "contract"
        @Option(help: "Account that evaluates independently of the owner.") var validator: String?
        @OptionGroup var sponsoring: SponsoringOptions
        @OptionGroup var data: DataOptions
        @Option(help: "Money that becomes the service's deposit, in smallest units.") var deposit = "0"
        @OptionGroup var sending: SendingOptions
        @OptionGroup var global: GlobalOptions

        func validate() throws { try sending.refuseSequence() }

        func run() async throws {
            let name = try Arguments.service(service)
            let module = try Contracts.read(code)
            let validator = try validator.map { try global.account($0) }
            let input = try data.bytes()
            let deposit = try Arguments.amount(deposit, "--deposit")
            let kind = kind
            let sponsorship = sponsoring.sponsorship
            let sender = try await global.sender(sending.from)
            try await NameCheck.require(name, deposit: deposit, owner: sender.account, code: module, sender.client)
            let terms = sending.terms
            let registered = try await Progress.during("registering \(service)") {
                try await sender.register(
                    name, code: module, kind: kind, validator: validator, sponsorship: sponsorship, initData: input,
                    deposit: deposit,
                    gasLimit: terms.gas, timeout: terms.timeout)
            }
            let document = RegisteredDocument(registered)
            global.show(document, document.text)
        }
    }
}

/// What a service pays for its members in each credit window.
struct SponsoringOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("Credits that it pays for one member in a window; 0 pays for nobody.", valueName: "credits"))
    var sponsorMember: UInt64 = 0
    @Option(help: ArgumentHelp("Credits that it pays for all of them in a window.", valueName: "credits"))
    var sponsorTotal: UInt64?
    @Option(
        help: ArgumentHelp(
            "Accounts that may apply at its cost in a window before they have joined. Default: 8.", valueName: "count"))
    var sponsorNewcomers: UInt32?

    func validate() throws {
        if sponsorMember == 0, sponsorTotal != nil || sponsorNewcomers != nil {
            throw ValidationError(
                "--sponsor-total and --sponsor-newcomers go with --sponsor-member: without it the service pays for nobody"
            )
        }
        if let sponsorTotal, sponsorTotal < sponsorMember {
            throw ValidationError("--sponsor-total \(sponsorTotal) is less than --sponsor-member \(sponsorMember)")
        }
    }

    var sponsorship: Sponsorship {
        guard sponsorMember > 0 else { return .none }
        let (many, overflow) = sponsorMember.multipliedReportingOverflow(by: 16)
        return Sponsorship(
            creditsPerMember: sponsorMember, creditsPerWindow: sponsorTotal ?? (overflow ? .max : many),
            newcomers: sponsorNewcomers ?? 8)
    }
}

/// What a registration leaves.
struct RegisteredDocument: Encodable {
    @LabelText var service: ServiceId
    @AddressText var contract: Account
    @HexText var codeHash: Digest
    let upload: HexText<TransactionId>?
    @HexText var registration: TransactionId
    @DecimalText var height: UInt64

    init(_ registered: RegisteredService) {
        service = registered.service
        contract = registered.contract
        codeHash = registered.codeHash
        upload = registered.upload.map { HexText($0.transaction.id) }
        registration = registered.registration.transaction.id
        height = registered.registration.inclusion?.height ?? 0
    }

    var text: String {
        facts([
            ("service", Format.label(service)), ("contract", contract.description), ("code", codeHash.hex),
            ("uploaded by", upload.map { $0.wrappedValue.hex } ?? "(the chain had the code)"),
            ("registered by", registration.hex), ("in block", Format.number(height)),
        ])
    }
}
