import APIModel
import ArgumentParser
import ChainClient
import Primitives

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show a node and the chain it is on.",
        discussion: """
            Ends with 1 while the chain stands still, or the node can't read all of its store.

            Example: chain-cli status --node http://127.0.0.1:26600
            """)

    @OptionGroup var global: GlobalOptions

    func run() async throws {
        let status = try await global.client().status()
        global.show(
            status,
            facts([
                ("chain", status.chain),
                ("genesis", status.genesisHash.hex),
                (
                    "node",
                    "\(status.node), \(status.role), version \(status.version), up \(Format.duration(status.uptimeMs))"
                ),
                ("state", Self.stateText(status)),
                ("height", Format.number(status.head.height) + (status.catchingUp ? ", catching up" : "")),
                ("block", status.head.digest.hex),
                ("does not vote", status.notVoting),
                ("store", status.storeProblem.map { "DAMAGED: \($0)" }),
                ("clock", Self.clockText(status)),
                ("time", Format.time(status.head.time)),
                ("state root", "\(status.state.root) after block \(status.state.height)"),
                ("epoch, view", "\(status.epoch), \(status.view)"),
                ("protocol", Self.protocolText(status)),
                ("peers", "\(status.peers) connected"),
                (
                    "waiting",
                    "\(Format.number(status.mempool.transactions)) transactions, \(Format.number(status.mempool.bytes)) bytes"
                ),
                (
                    "finality",
                    status.finalityMs.map { "\($0.p50) ms (p50), \($0.p95) ms (p95)" } ?? "nothing submitted here yet"
                ),
            ]))
        if let problem = status.liveness?.problem { throw Stalled(description: "the chain stands still: \(problem)") }
        if let problem = status.storeProblem { throw Damaged(description: problem) }
    }

    private static func stateText(_ status: StatusDocument) -> String? {
        status.liveness.map { liveness in
            if let problem = liveness.problem { return "STALLED: \(problem)" }
            return (status.catchingUp ? "catching up" : "running")
                + "; newest block \(Format.duration(liveness.sinceBlockMs)) ago; \(liveness.reachable) of "
                + "\(liveness.masternodes) masternodes reachable, quorum \(liveness.quorum)"
        }
    }

    private static func clockText(_ status: StatusDocument) -> String? {
        status.clockOffsetMs.map { offset in
            status.clockProblem.map { "OFF: \($0)" } ?? "within \(offset.magnitude) ms of the other masternodes'"
        }
    }

    private static func protocolText(_ status: StatusDocument) -> String? {
        status.protocolVersion.map { version in
            "version \(version)"
                + (status.upgrade.map { "; version \($0.protocolVersion) from epoch \($0.epoch) on" } ?? "")
        }
    }
}

/// Was shown already; what is left is the exit code.
struct Stalled: Error, CustomStringConvertible {
    let description: String
}

/// So was this.
struct Damaged: Error, CustomStringConvertible {
    let description: String
}
