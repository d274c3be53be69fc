import APIModel
import ArgumentParser
import ChainClient
import Cryptography
import Foundation
import Primitives

extension MasternodeCommand {
    struct Register: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lock collateral and join, from the epoch after the next one on.",
            discussion: """
                The owner's account pays the collateral and gets it back after the masternode left. --home opens the keys of a \
                node's home; where the owner's key is on another machine, --member takes the file that 'chaind init --owner \
                OWNER --genesis genesis.json' printed there.

                Examples: chain-cli masternode register --home ~/node --from owner --wait
                          chain-cli masternode register --member fog-7.json --from owner --wait
                """)

        @Option(help: ArgumentHelp("Home of the node, on this machine.", valueName: "dir")) var home: String?
        @Option(help: ArgumentHelp("What 'chaind init' printed on the node's machine.", valueName: "file")) var member:
            String?
        @Option(help: "Name of the masternode, for people. Default: what the home or the file says.") var name: String?
        @OptionGroup var sending: SendingOptions
        @Flag(help: "Wait until it is in a finalised block, and show what became of it.") var wait = false
        @OptionGroup var global: GlobalOptions

        func validate() throws {
            guard (home == nil) != (member == nil) else { throw ValidationError("give one of --home and --member") }
            try sending.refuseTimeout(without: wait)
        }

        func run() async throws {
            let sender = try await global.sender(sending.from)
            let registration = try registration(owner: sender.account, genesis: sender.genesis)
            let set = try await sender.client.masternodes()
            try registration.requireNew(owner: sender.account, in: set)
            let collateral = UInt128(set.membership.collateral)
            let balance = try await sender.client.account(sender.account)?.balance ?? 0
            guard balance >= collateral else {
                throw Refused(
                    "insufficient_balance",
                    "a masternode locks \(Format.money(collateral)), and the owner \(sender.account) has "
                        + "\(Format.money(balance)): send it what is missing, or name another owner with --from")
            }
            var request = TransactionRequest.register(registration, collateral: collateral)
            request.gasLimit = sending.gas
            try await Sending.perform(request, from: sender, sending, wait: wait, global)
            if !global.json {
                Console.out(
                    "once that is final it takes part from the second epoch after on: run its node with --masternode, and follow "
                        + "it with: chain-cli masternode show \(Format.short(registration.consensusKey))")
            }
        }

        private func registration(owner: Account, genesis: Digest) throws -> RegisterMasternode {
            if let home { return try NodeHomeFiles(home).registration(name: name, owner: owner, genesis: genesis) }
            guard let member else { throw UsageError("give one of --home and --member") }
            do {
                let document = try MemberDocument.decode(Data(try Arguments.file(member, limit: 100_000)))
                return try document.registration(owner: owner, name: name, genesis: genesis)
            } catch let error as MemberDocumentError {
                throw UsageError("\(member): \(error)")
            } catch let error as AccountError {
                throw UsageError("\(member): \(error)")
            }
        }
    }
}

extension RegisterMasternode {
    /// Refuses what the chain would refuse, before the owner pays for finding out.
    package func requireNew(owner: Account, in set: MasternodesDocument) throws {
        guard Account(consensusKey) != owner else {
            throw UsageError(
                "the owner is the node's own consensus key: name another account with --from, since that key is in use all day"
            )
        }
        guard let known = set.masternodes.first(where: { $0.consensusKey == consensusKey }) else { return }
        switch known.status.kind {
        case .active, .waiting, .suspended:
            throw Refused("already_registered", "\(known.title) is registered: \(MasternodeText.status(known.status))")
        case .slashed:
            throw Refused(
                "slashed",
                "\(known.title) was slashed in epoch \(known.status.epoch): its key never comes back. Make a new home with 'chaind init'"
            )
        case .leaving, .removed:
            throw Refused(
                "still_leaving",
                "\(known.title) can come back when its collateral is unlocked: \(MasternodeText.status(known.status))")
        }
    }
}

extension MemberDocument {
    /// The registration that this owner sends; what it says of the owner must be the same.
    package func registration(owner: Account, name: String?, genesis: Digest) throws -> RegisterMasternode {
        let known = try masternode()
        guard known.owner == owner else {
            throw UsageError(
                "the description is for the owner \(known.owner), and --from names the key of \(owner): sign with the "
                    + "owner's key, or make the description again with 'chaind init --owner \(owner) --genesis genesis.json'"
            )
        }
        let signed = try registration(genesis: genesis)
        guard let name else { return signed }
        return RegisterMasternode(
            name: name, consensusKey: signed.consensusKey, beaconTip: signed.beaconTip, consent: signed.consent)
    }
}
