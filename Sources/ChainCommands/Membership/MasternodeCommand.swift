import APIModel
import ArgumentParser
import ChainClient
import Primitives

struct MasternodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "masternode", abstract: "Show who agrees on the blocks; join, leave and come back.",
        discussion: """
            A masternode is named by its consensus key, by the first digits of it, or by its name, where only one has it.

            Example: chain-cli masternode list
            """,
        subcommands: [List.self, Show.self, Status.self, Register.self, Unregister.self, Resume.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List everybody who is a masternode, and who was slashed.",
            discussion: "Example: chain-cli masternode list --json")

        @OptionGroup var global: GlobalOptions

        func run() async throws {
            let set = try await global.client().masternodes()
            global.show(set, MasternodeText.list(set))
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one masternode.", discussion: "Example: chain-cli masternode show fog-7")

        @Argument(help: "Consensus key, its first digits, or the name.") var masternode: String
        @OptionGroup var global: GlobalOptions

        func run() async throws {
            let set = try await global.client().masternodes()
            let found = try set.masternode(named: masternode)
            global.show(found, MasternodeText.details(found, set))
        }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show whether the node that is asked takes part, and what to do.",
            discussion: "Example: chain-cli masternode status --node http://127.0.0.1:26600")

        @OptionGroup var global: GlobalOptions

        func run() async throws {
            let client = try global.client()
            let status = try await client.status()
            let document = Participation(status, try await client.masternodes())
            global.show(document, document.text)
            if let problem = status.liveness?.problem {
                throw Stalled(description: "the chain stands still: \(problem)")
            }
            if let problem = status.storeProblem { throw Damaged(description: problem) }
        }
    }

    struct Unregister: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Leave: the masternode stays in the sets that are fixed already, then its collateral unlocks.",
            discussion: "Example: chain-cli masternode unregister fog-7 --from owner --wait --yes")

        @Argument(help: "Consensus key, its first digits, or the name.") var masternode: String
        @OptionGroup var confirmation: ConfirmationOptions
        @OptionGroup var sending: SendingOptions
        @Flag(help: "Wait until it is in a finalised block, and show what became of it.") var wait = false
        @OptionGroup var global: GlobalOptions

        func validate() throws { try sending.refuseTimeout(without: wait) }

        func run() async throws {
            let sender = try await global.sender(sending.from)
            let found = try await sender.client.masternodes().masternode(named: masternode)
            try found.requireOwner(sender.account)
            switch found.status.kind {
            case .active, .waiting, .suspended: break
            case .leaving, .removed, .slashed:
                throw Refused("not_registered", "\(found.title) can't leave: \(MasternodeText.status(found.status))")
            }
            try confirmation.require("leaving with \(found.title)")
            var request = TransactionRequest.unregisterMasternode(found.consensusKey)
            request.gasLimit = sending.gas
            try await Sending.perform(request, from: sender, sending, wait: wait, global)
        }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bring a suspended masternode back, from the epoch after the next one on.",
            discussion: """
                Its node must run with --masternode and have caught up, else it is suspended again.

                Example: chain-cli masternode resume fog-7 --from owner --wait
                """)

        @Argument(help: "Consensus key, its first digits, or the name.") var masternode: String
        @OptionGroup var sending: SendingOptions
        @Flag(help: "Wait until it is in a finalised block, and show what became of it.") var wait = false
        @OptionGroup var global: GlobalOptions

        func validate() throws { try sending.refuseTimeout(without: wait) }

        func run() async throws {
            let sender = try await global.sender(sending.from)
            let set = try await sender.client.masternodes()
            let found = try set.masternode(named: masternode)
            try found.requireOwner(sender.account)
            // One that takes part may need it too: its node only observes since it lost votes, which no state shows.
            guard found.canResume(in: set.epoch) || found.status.kind == .active else {
                throw Refused(
                    "not_suspended", "\(found.title) can't be resumed: \(MasternodeText.status(found.status))")
            }
            var request = TransactionRequest.resumeMasternode(found.consensusKey)
            request.gasLimit = sending.gas
            try await Sending.perform(request, from: sender, sending, wait: wait, global)
        }
    }
}

extension MasternodesDocument {
    /// The one with this consensus key, or that alone has this name or a key that starts like this.
    package func masternode(named text: String) throws -> MasternodeDocument {
        guard !text.isEmpty else {
            throw UsageError("say which masternode: its consensus key, the first digits of it, or its name")
        }
        let digits = text.lowercased()
        if let exact = masternodes.first(where: { $0.consensusKey.hex == digits }) { return exact }
        let found = masternodes.filter { $0.name == text || $0.consensusKey.hex.hasPrefix(digits) }
        guard let first = found.first else {
            throw Refused(
                "unknown_masternode",
                "no masternode has the name '\(text)' or a consensus key that starts so; 'masternode list' shows them")
        }
        guard found.count == 1 else {
            throw UsageError(
                "'\(text)' could be \(found.map(\.title).joined(separator: ", ")): give more digits of the consensus key"
            )
        }
        return first
    }
}

extension MasternodeDocument {
    /// Suspended; or silent for so long, while too few would have been left without it, that its node waits for this
    /// word before it votes again.
    package func canResume(in epoch: UInt64) -> Bool {
        switch status.kind {
        case .suspended: true
        case .active: Epoch(lastSeen).next < Epoch(epoch)
        case .waiting, .leaving, .removed, .slashed: false
        }
    }

    var title: String { "\(name) (\(Format.short(consensusKey)))" }

    package func requireOwner(_ account: Account) throws {
        guard owner == account else {
            throw UsageError("only the owner of \(title) can do that: \(owner). --from names the key of \(account)")
        }
    }
}
