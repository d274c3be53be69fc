import APIModel
import ArgumentParser
import ChainClient
import Cryptography
import Primitives

struct GovernanceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "governance", abstract: "Propose changes, vote on them, and see what holds.",
        discussion: """
            The masternodes of the active set decide, by their owners' keys or their own. Anybody can look.

            Example: chain-cli governance list
            """,
        subcommands: [List.self, Show.self, ShowParameters.self, Propose.self, Vote.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the proposals, newest first.", discussion: "Example: chain-cli governance list --open")

        @Flag(help: "Only those that are open, or accepted and waiting for their epoch.") var open = false
        @OptionGroup var global: GlobalOptions

        func run() async throws {
            var found = try await global.client().proposals()
            if open { found.proposals.removeAll { $0.outcome != .open && $0.outcome != .accepted } }
            global.show(found, GovernanceText.list(found))
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show a proposal and who voted on it.", discussion: "Example: chain-cli governance show 3")

        @Argument(help: "Number of the proposal.") var number: UInt64
        @OptionGroup var global: GlobalOptions

        func run() async throws {
            let client = try global.client()
            guard let found = try await client.proposal(number) else { throw GovernanceText.unknown(number) }
            let set = try await client.masternodes()
            global.show(found, GovernanceText.details(found, set))
        }
    }

    struct ShowParameters: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "parameters", abstract: "Show the chain's parameters as they are now.",
            discussion: "Example: chain-cli governance parameters")

        @OptionGroup var global: GlobalOptions

        func run() async throws {
            let found = try await global.client().parameters()
            var table = Table([.left("parameter"), .right("value"), .right("genesis"), .left("")])
            for entry in found.parameters {
                table.add(
                    entry.name, Format.number(entry.value), Format.number(entry.genesisValue),
                    entry.isChangeable ? entry.value == entry.genesisValue ? "" : "changed" : "fixed")
            }
            global.show(
                found, "epoch \(found.epoch), protocol version \(found.protocolVersion)\n\n" + table.text(none: "none"))
        }
    }

    struct Propose: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Propose a change, as a masternode of the active set.",
            discussion: """
                It holds from the start of --from-epoch on if a quorum of the masternodes approves before.

                Examples: chain-cli governance propose --set heartbeatMs=20000 --from owner --wait
                          chain-cli governance propose --remove fog-7 --from-epoch 12 --from owner
                          chain-cli governance propose --upgrade 2 --from-epoch 40 --from owner
                """)

        @OptionGroup var change: ChangeOptions
        @Option(
            help: ArgumentHelp(
                "Epoch from whose start on it holds. Default: in \(ChangeOptions.standardEpochsAhead) epochs.",
                valueName: "epoch"))
        var fromEpoch: UInt64?
        @OptionGroup var member: MemberSigningOptions
        @OptionGroup var sending: SendingOptions
        @Flag(help: "Wait until it is in a finalised block, and show what became of it.") var wait = false
        @OptionGroup var global: GlobalOptions

        func validate() throws { try sending.refuseTimeout(without: wait) }

        func run() async throws {
            let wanted = try change.parsed()
            let sender = try await member.sender(sending.from, global)
            let set = try await sender.client.masternodes()
            try MemberSigningOptions.requireMember(sender.account, set)
            let change = try wanted.resolved(set, parameters: try await sender.client.parameters())
            let epoch = fromEpoch ?? Epoch(set.epoch).advanced(by: ChangeOptions.standardEpochsAhead).value
            let earliest = Epoch(set.epoch).advanced(by: ChangeOptions.standardEpochsAhead)
            guard epoch >= earliest.value else {
                throw UsageError(
                    "--from-epoch \(epoch) is too early: the chain is in epoch \(set.epoch), and a change holds from epoch "
                        + "\(earliest) at the earliest")
            }
            var request = TransactionRequest.propose(change, from: Epoch(epoch))
            request.gasLimit = sending.gas
            try await Sending.perform(request, from: sender, sending, wait: wait, global)
        }
    }

    struct Vote: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Vote on a proposal, as a masternode of the active set.",
            discussion: "Example: chain-cli governance vote 3 --approve --from owner --wait")

        @Argument(help: "Number of the proposal.") var number: UInt64
        @Flag(help: "Vote for it.") var approve = false
        @Flag(help: "Vote against it.") var reject = false
        @OptionGroup var member: MemberSigningOptions
        @OptionGroup var sending: SendingOptions
        @Flag(help: "Wait until it is in a finalised block, and show what became of it.") var wait = false
        @OptionGroup var global: GlobalOptions

        func validate() throws {
            guard approve != reject else { throw ValidationError("give one of --approve and --reject") }
            try sending.refuseTimeout(without: wait)
        }

        func run() async throws {
            let sender = try await member.sender(sending.from, global)
            guard let proposal = try await sender.client.proposal(number) else { throw GovernanceText.unknown(number) }
            guard proposal.outcome == .open else {
                throw Refused("not_open", "proposal \(number) is not open any more: it is \(proposal.outcome.rawValue)")
            }
            try MemberSigningOptions.requireMember(sender.account, try await sender.client.masternodes())
            var request = TransactionRequest.vote(on: number, approves: approve)
            request.gasLimit = sending.gas
            try await Sending.perform(request, from: sender, sending, wait: wait, global)
        }
    }
}

/// Who signs for a masternode: its owner, or the node's hot key.
struct MemberSigningOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("Sign with the consensus key in this home of a node, instead of --from.", valueName: "dir"))
    var home: String?

    func sender(_ from: String?, _ global: GlobalOptions) async throws -> TransactionSender {
        guard let home else { return try await global.sender(from) }
        guard from == nil else { throw UsageError("give one of --from and --home: one key signs") }
        return try await TransactionSender(client: try global.client(), key: try NodeHomeFiles(home).consensusKey())
    }

    static func requireMember(_ account: Account, _ set: MasternodesDocument) throws {
        guard set.activeSet.contains(where: { $0.owner == account || Account($0.consensusKey) == account }) else {
            throw Refused(
                "not_a_masternode",
                "\(account) is neither the owner nor the key of a masternode in the set of epoch \(set.epoch): name its key "
                    + "with --from, or the node's home with --home")
        }
    }
}

enum GovernanceText {
    static func unknown(_ number: UInt64) -> Refused {
        Refused("unknown_proposal", "there is no proposal \(number); 'governance list' shows them")
    }

    static func list(_ found: ProposalsDocument) -> String {
        var table = Table([
            .right("#"), .left("change"), .right("from epoch"), .left("state"), .right("for"), .right("against"),
            .left("proposer"),
        ])
        for proposal in found.proposals {
            table.add(
                "\(proposal.number)", brief(proposal.change), "\(proposal.from)", proposal.outcome.rawValue,
                "\(proposal.approvals.count)", "\(proposal.rejections.count)", proposal.proposer.description)
        }
        return "epoch \(found.epoch); \(found.quorum) approvals accept a proposal\n\n"
            + table.text(none: "no proposals")
    }

    /// Fits a table: whole keys are in `governance show`.
    private static func brief(_ change: ChangeDocument) -> String {
        change.consensusKey.map { "remove masternode \(Format.short($0.wrappedValue))" } ?? change.description
    }

    static func details(_ proposal: ProposalDocument, _ set: MasternodesDocument) -> String {
        let names = Dictionary(set.masternodes.map { ($0.consensusKey, $0.title) }) { first, _ in first }
        func voters(_ keys: [HexText<PublicKey>]) -> String {
            keys.isEmpty
                ? "nobody"
                : keys.map { names[$0.wrappedValue] ?? Format.short($0.wrappedValue) }.joined(separator: ", ")
        }
        // Sets change while a proposal is open: votes of those who left count no more.
        let members = Set(set.activeSet.map(\.consensusKey))
        func counted(_ keys: [HexText<PublicKey>]) -> String {
            "\(keys.count { members.contains($0.wrappedValue) }) of this epoch's set"
        }
        return facts([
            ("proposal", "\(proposal.number)"), ("change", proposal.change.description),
            ("from epoch", "\(proposal.from); now is epoch \(set.epoch)"), ("state", proposal.outcome.rawValue),
            ("proposed", "in epoch \(proposal.proposedIn) by \(proposal.proposer)"),
            ("for", "\(voters(proposal.approvals)) (\(counted(proposal.approvals)), \(set.quorum) accept it)"),
            ("against", "\(voters(proposal.rejections)) (\(counted(proposal.rejections)))"),
        ])
    }
}
