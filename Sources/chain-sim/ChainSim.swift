import ArgumentParser
import CommandSupport
import Foundation
import ProgramSupport
import Simulation

@main
enum Program {
    static func main() async { await Commands.main(ChainSim.self) }
}

struct ChainSim: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chain-sim",
        abstract: "Runs clusters of real nodes on virtual time, network and disk, and checks that no rule breaks.",
        discussion: """
            One seed decides every fault of a run. A failing seed is printed with the command that repeats it; with \
            --verbose that command writes every event. Exit code 1 means that a rule broke.

            Example: chain-sim --seeds 0..999 --nodes 7 --byzantine 2 --epochs 3
            More:    chain-sim --seeds 0..999 --nodes 4 --epochs 4 --trials all
            Soak:    chain-sim --seeds 0.. --forever --nodes 4 --byzantine 1 --epochs 4
            """,
        version: Product.version)

    @Option(help: "Seeds to run: A..B, both included, or A.. with --forever. Default: 0..999, or 0.. with --forever.")
    var seeds: String?

    @Option(help: "Masternodes of each cluster: 1 to 64.")
    var nodes: Int = 4

    @Option(help: "Byzantine masternodes among them: at most (nodes - 1) / 3.")
    var byzantine: Int = 0

    @Option(help: "Epochs that each run has to reach: with more than one, sets of masternodes change while it works.")
    var epochs: Int = 1

    private static let builtContract = "Contracts/.build/counter.wasm"
    /// What a run without contracts is repeated with.
    private static let noContract = "none"

    @Option(
        help:
            "The counter contract, or '\(ChainSim.noContract)' for runs without contracts: it is part of what a seed means. Default: \(ChainSim.builtContract), if it is there."
    )
    var contract: String?

    @Option(
        help: ArgumentHelp(
            "Kinds of faults that a run has beside those of every seed, joined by commas, or 'all': processor (work takes time, and nodes are overloaded), copies (a home is copied and runs twice under one key, or is put back as it was), upgrade (of the protocol, which some programs don't know; needs --epochs 4 or more), joiners (nodes join by a snapshot of the state among peers that offer what is false, keep silent or come again under new names, and die meanwhile), disks (there are joiners, and their disks fail as they store what they fetched, and those of who gives it out). 'all' has upgrades with --epochs 4 or more.",
            valueName: "kinds"))
    var trials: String?

    @Option(help: "Clusters that run at the same time. Default: the number of cores.")
    var jobs: Int?

    @Flag(help: "Goes on with ever higher seeds until a rule breaks.")
    var forever = false

    @Flag(help: "Prints every event of each seed.")
    var verbose = false

    @Flag(help: "Prints one JSON document on standard output and nothing else.")
    var json = false

    func validate() throws {
        _ = try range()
        let chosen = try kinds()
        if trials != "all", chosen.contains(.upgrade), epochs < Self.epochsOfUpgrade {
            throw ValidationError(
                "--trials upgrade needs --epochs \(Self.epochsOfUpgrade) or more: a version holds from the second epoch after its proposal"
            )
        }
        guard (1...64).contains(nodes) else { throw ValidationError("--nodes \(nodes) is not in 1...64") }
        guard (0...(nodes - 1) / 3).contains(byzantine) else {
            throw ValidationError("--byzantine \(byzantine): \(nodes) nodes tolerate at most \((nodes - 1) / 3)")
        }
        guard (1...100).contains(epochs) else { throw ValidationError("--epochs \(epochs) is not in 1...100") }
        if json, verbose { throw ValidationError("--verbose prints what --json leaves out: give one of them") }
        if let jobs, !(1...1_024).contains(jobs) { throw ValidationError("--jobs \(jobs) is not in 1...1024") }
    }

    private func range() throws -> ClosedRange<UInt64> {
        let seeds = seeds ?? (forever ? "0.." : "0..999")
        let parts = seeds.components(separatedBy: "..")
        guard parts.count == 2, let first = UInt64(parts[0]) else {
            throw ValidationError("--seeds '\(seeds)' is not of the form A..B")
        }
        if forever {
            guard parts[1].isEmpty else {
                throw ValidationError("--seeds '\(seeds)' has an end, and --forever has none: write --seeds \(first)..")
            }
            return first...UInt64.max
        }
        guard let last = UInt64(parts[1]), last >= first else {
            throw ValidationError(
                "--seeds '\(seeds)' is not of the form A..B with A <= B; for an open end add --forever")
        }
        return first...last
    }

    private static let epochsOfUpgrade = 4

    /// Kinds that 'all' does not have in these runs.
    private var leftOut: [Trial] { trials == "all" && epochs < Self.epochsOfUpgrade ? [.upgrade] : [] }

    private func kinds() throws -> Set<Trial> {
        guard let trials else { return [] }
        if trials == "all" { return Set(Trial.allCases).subtracting(leftOut) }
        return Set(
            try trials.split(separator: ",", omittingEmptySubsequences: false).map { name in
                guard let kind = Trial(rawValue: String(name)) else {
                    let known = Trial.allCases.map(\.rawValue).joined(separator: ", ")
                    throw ValidationError("--trials: there is no kind '\(name)'; there are \(known), and all")
                }
                return kind
            })
    }

    private func code() throws -> [UInt8]? {
        guard let contract else { return FileManager.default.contents(atPath: Self.builtContract).map { Array($0) } }
        return contract == Self.noContract ? nil : try InputFile.read(contract, "contract", limit: 1 << 20)
    }

    func run() async throws {
        let module = try code()
        if module == nil, !json {
            Terminal.tell("no contracts in these runs" + (contract == nil ? ": there is no \(Self.builtContract)" : ""))
        }
        if !leftOut.isEmpty {
            Terminal.tell(
                "no upgrades in these runs: --trials all has them with --epochs \(Self.epochsOfUpgrade) or more")
        }
        let chosen = try kinds()
        let run = SeedRun(
            configuration: SimulationConfiguration(
                masternodes: nodes, byzantine: byzantine, epochs: epochs, contract: module, trials: chosen,
                isVerbose: verbose),
            seeds: try range(), workers: jobs ?? ProcessInfo.processInfo.activeProcessorCount)
        let console = Console(seeds: run.seeds, isVerbose: verbose, isQuiet: json) { seed in
            var command = "chain-sim --seeds \(seed)..\(seed) --nodes \(nodes)"
            if byzantine > 0 { command += " --byzantine \(byzantine)" }
            if epochs > 1 { command += " --epochs \(epochs)" }
            if let trials { command += " --trials \(trials)" }
            if module == nil || contract != nil { command += " --contract \(contract ?? Self.noContract)" }
            return command + " --verbose"
        }
        let totals = try await run.run { console.tell($0, $1) }
        if json {
            try console.printDocument(totals, trials: chosen, leftOut: leftOut)
        } else {
            console.summarise(totals)
        }
        if !totals.failures.isEmpty { throw ExitCode(1) }
    }
}
