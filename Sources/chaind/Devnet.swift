import ArgumentParser
import CommandSupport
import Foundation
import KeyFiles
import LocalNetwork
import NodeHome
import ProgramSupport

struct Devnet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a network of real masternodes on loopback until stopped.",
        discussion: """
            Makes keys and a genesis in --home if there are none, else goes on with what is there. Node i serves its API \
            at the first API port + i.

            Example: chaind devnet --masternodes 4 --home ~/devnet
            Then, in another terminal, the export lines that it prints, and: chain-cli status
            """)

    @Option(help: "How many masternodes; 4 tolerate one faulty.") var masternodes: Int = 4
    @Option(help: "The network's folder.") var home: String
    @Option(help: "API port of node 0.") var apiPort: Int = NodeConfiguration.defaultAPIPort
    @Option(help: "Peer port of node 0.") var peerPort: Int = NodeConfiguration.defaultPeerPort
    @Option(help: "Name of a key that a new genesis funds; may be repeated. Default: alice, bob.")
    var account: [String] = []
    @Flag(help: "Fund a key 'faucet' in a new genesis, for 'chain-cli faucet ACCOUNT'.") var faucet = false
    @Flag(help: "Make the network's folder and stop.") var initOnly = false

    func validate() throws {
        guard (1...64).contains(masternodes) else { throw ValidationError("--masternodes takes 1 to 64") }
        for port in [apiPort, peerPort] where !(1...65_535 - 64).contains(port) {
            throw ValidationError("\(port) is not a usable first port: those from 1 to \(65_535 - 64) are")
        }
        guard abs(apiPort - peerPort) >= masternodes else {
            throw ValidationError(
                "the ports from \(apiPort) on and those from \(peerPort) on overlap: \(masternodes) masternodes need as many of each"
            )
        }
        for (index, name) in account.enumerated() where account[..<index].contains(name) {
            throw ValidationError("--account \(name) is given twice")
        }
    }

    func run() async throws {
        let plan = DevnetPlan(
            folder: URL(filePath: FilePath.expanded(home), directoryHint: .isDirectory), masternodes: masternodes,
            firstAPIPort: apiPort, firstPeerPort: peerPort)
        let lock = try plan.lock()
        defer { withExtendedLifetime(lock) {} }
        let isNew = !FileManager.default.fileExists(atPath: plan.genesisFile.path)
        let genesis = try plan.prepare(accounts: account.isEmpty ? DevnetPlan.defaultAccounts : account, faucet: faucet)
        {
            tell("making the \($0)")
        }
        if !isNew { try check(plan) }
        tell("chain \(genesis.chainName), genesis \(genesis.hash)")
        if initOnly { return }
        try await ProgramSupport.untilStopped { try await serve(plan) }
    }

    /// A genesis that is there funds nobody any more.
    private func check(_ plan: DevnetPlan) throws {
        let wanted = account + (faucet ? ["faucet"] : [])
        let keys = KeyDirectory(path: plan.keysFolder.path)
        let missing = try wanted.filter { try !keys.contains($0) }
        guard missing.isEmpty else {
            throw UsageError(
                "\(plan.folder.path) holds a network already, whose genesis does not fund \(missing.joined(separator: ", ")): leave "
                    + "that away and send money from \(try keys.names().joined(separator: ", ")), or name another --home"
            )
        }
    }

    private func serve(_ plan: DevnetPlan) async throws {
        let nodes = ProcessGroup()
        do {
            for index in 0..<plan.masternodes {
                await nodes.add(try plan.start(index))
                tell(
                    "node\(index)  API \(plan.apiURL(index))  log \(plan.home(index).folder.appending(path: "log").path)"
                )
            }
            tell("")
            for line in plan.exports { tell(line) }
            tell("")
            var isReady = false
            while true {
                if !isReady, await plan.isAnswering() {
                    isReady = true
                    tell("ready: every node answers; the explorer is at \(plan.apiURL(0))/")
                }
                try await Task.sleep(for: .milliseconds(200))
                for node in await nodes.processes where !node.isRunning {
                    throw DevnetFailure(name: node.name, status: node.exitStatus ?? -1, log: node.logTail())
                }
            }
        } catch {
            await nodes.stopAll()
            throw error
        }
    }

    private func tell(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
}

struct DevnetFailure: Error, CustomStringConvertible {
    let name: String
    let status: Int32
    let log: String
    var description: String { "\(name) ended with status \(status); the end of its log:\n\(log)" }
}
