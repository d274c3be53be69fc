import ArgumentParser
import CommandSupport
import Foundation
import Primitives

struct MakeGenesis: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "genesis",
        abstract: "Make the genesis of a network out of its masternodes' descriptions.",
        discussion: """
            Each description is what 'chaind init' printed. Every node gets the same genesis.json.

            Example: chaind genesis --name fognet --member a.json --member b.json --member c.json --member d.json \
            --allocate edge1...=1000000000000 > genesis.json
            """)

    @Option(help: "The chain's name.") var name: String
    @Option(help: "A masternode's description; once for each.") var member: [String]
    @Option(help: "ACCOUNT=UNITS that the account starts with; may be repeated.") var allocate: [String] = []

    func run() async throws {
        let members = try member.map { try Inputs.member($0) }
        let allocations = try allocate.map { text in
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                throw ValidationError("--allocate \(text): write ACCOUNT=UNITS with a whole number of units")
            }
            return Genesis.Allocation(
                account: try Inputs.account(parts[0], "--allocate"),
                balance: try Money.units(parts[1], "--allocate \(text):"))
        }
        var parameters = Parameters()
        // Together all accounts can ask for what the blocks can hold.
        let collateral = UInt128(parameters.collateral) * UInt128(members.count)
        parameters.scaleCredits(
            toSupply: allocations.reduce(collateral) { sum, allocation in
                let (total, overflow) = sum.addingReportingOverflow(allocation.balance)
                return overflow ? .max : total
            })
        let genesis = try Genesis(
            chainName: name, time: Time(UInt64(Date().timeIntervalSince1970 * 1_000)), parameters: parameters,
            masternodes: MasternodeSet(members), allocations: allocations)
        print(String(decoding: try GenesisDocument(genesis).encoded(), as: UTF8.self))
        let funded = Set(allocations.filter { $0.balance > 0 }.map(\.account))
        for member in members where !funded.contains(member.owner) {
            Note.say(
                "note: the owner of '\(member.name)', \(member.owner), starts without money, so that it can't propose, vote or "
                    + "resume before somebody sends it some: see --allocate")
        }
    }
}
