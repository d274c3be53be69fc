import ArgumentParser
import CommandSupport
import Consensus
import Foundation
import KeyFiles
import Logging
import NodeHome
import NodeHost
import ProgramSupport
import StateSync

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a node (the default command).",
        discussion: """
            Example: chaind --home ~/node --masternode

            The passphrase of the keys comes from the home's file 'passphrase', from --passphrase-file, from \
            EDGEPROOF_PASSPHRASE_FILE or EDGEPROOF_PASSPHRASE, or from the terminal.
            """)

    @Option(help: "The node's folder, made by 'chaind init' or 'chaind devnet'.")
    var home: String

    @Flag(help: "Validate and propose with the home's consensus key. Without it the node follows.")
    var masternode = false

    @Option(help: "A file of mode 0600 whose first line opens the keys.")
    var passphraseFile: String?

    @Option(
        help: """
            How a node with an empty store joins: auto (by a snapshot of the state if peers offer one), snapshot, or \
            blocks (executes the whole chain).
            """)
    var sync: SyncMode = .auto

    @Option(help: "HEIGHT:HASH of a block that you know to be final; another one at that height stops the node.")
    var checkpoint: Checkpoint?

    @Flag(
        help: ArgumentHelp(
            "Take part again at once, though votes of the consensus key were lost.",
            discussion: """
                For where the chain stands still without this node; else let the owner send 'chain-cli masternode resume'. \
                The node asks all masternodes where they stand and votes only above. Until the epoch ends the network \
                tolerates one faulty masternode less. Make sure that no other process uses the key: two that vote with it \
                lose the collateral.
                """))
    var rejoin = false

    @Flag(help: "With --rejoin: also where other masternodes have lost votes and come back in this epoch.")
    var insist = false

    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: Logger.Level = .info

    func validate() throws {
        if insist, !rejoin { throw ValidationError("--insist goes with --rejoin") }
        if rejoin, !masternode { throw ValidationError("--rejoin is for a masternode: add --masternode") }
        if passphraseFile != nil, !masternode {
            throw ValidationError(
                "--passphrase-file opens a masternode's keys: add --masternode, or leave it out, since a node that follows opens none"
            )
        }
    }

    func run() async throws {
        let home = NodeHome(home)
        // Before the passphrase is asked for.
        _ = try home.configuration()
        let logger = Logging.make(level: logLevel)
        let runner = NodeRunner(
            home: home, mode: masternode ? .masternode : .follower,
            passphrase: masternode ? try Secrets.passphrase(home: home, file: passphraseFile) : nil, logger: logger,
            sync: sync, checkpoint: checkpoint, rejoin: rejoin ? .rejoins(insists: insist) : nil)
        if rejoin {
            logger.warning(
                "--rejoin: if this key's lost votes are still under way, or another process votes with it, the collateral is at stake"
            )
        }
        try await ProgramSupport.untilStopped { try await runner.run() }
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
extension SyncMode: ExpressibleByArgument {}

extension Checkpoint: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

enum Secrets {
    static func passphrase(home: NodeHome, file: String?, confirm: Bool = false) throws -> Passphrase {
        let own = home.passphraseFile.path
        let chosen = file.map { FilePath.expanded($0) } ?? (FileManager.default.fileExists(atPath: own) ? own : nil)
        return try Passphrase.find(file: chosen, for: home.keysFolder.path, confirm: confirm)
    }
}
