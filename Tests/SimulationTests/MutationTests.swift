import NodeCore
import Simulation
import StateSync
import Testing

/// Proof that the simulator sees: with any one check switched off, a few seeds find a broken rule.
@Suite(.timeLimit(.minutes(20))) struct MutationTests {
    struct Mutation: Sendable, CustomTestStringConvertible {
        let name: String
        /// More than one where only a change of the set shows it.
        let epochs: Int
        /// Where only a store that lags behind its journal shows it.
        let slowestCommitMs: UInt64?
        let apply: @Sendable (inout NodeRules) -> Void
        var testDescription: String { name }

        init(
            _ name: String, epochs: Int = 1, slowestCommitMs: UInt64? = nil,
            _ apply: @escaping @Sendable (inout NodeRules) -> Void
        ) {
            self.name = name
            self.epochs = epochs
            self.slowestCommitMs = slowestCommitMs
            self.apply = apply
        }
    }

    static let mutations: [Mutation] = [
        // The rules of consensus
        Mutation("quorum minus one") { $0.consensus.fullQuorum = false },
        Mutation("views fall") { $0.consensus.viewsOnlyRise = false },
        Mutation("proposals always on the last final block") { $0.consensus.proposeOnHighestNotarized = false },
        Mutation("a vote for every proposal of the leader") { $0.consensus.notarizeOnce = false },
        Mutation("notarize after nullify") { $0.consensus.neverNotarizeAfterNullify = false },
        Mutation("any parent will do") { $0.consensus.justifyParent = false },
        Mutation("a vote without a verdict on the body") { $0.consensus.requireVerdict = false },
        Mutation("missing certificates are not fetched") { $0.consensus.fetchMissing = false },
        Mutation("finalize after nullify") { $0.consensus.neverFinalizeAfterNullify = false },
        Mutation("nullify after finalize") { $0.consensus.neverNullifyAfterFinalize = false },
        Mutation("evidence is ignored") { $0.consensus.keepEvidence = false },
        Mutation("signatures of votes are not checked") { $0.consensus.checkSignatures = false },
        Mutation("a vote leaves before its fsync") { $0.consensus.durableBeforePublic = false },
        Mutation("votes in the journal are not replayed") { $0.consensus.replayJournal = false },
        // The node around it
        Mutation("the body of a vote is not journalled") { $0.journalBodies = false },
        Mutation("bodies in the journal are not replayed") { $0.replayBodies = false },
        Mutation("every body is valid, whatever its state root") { $0.checkBodies = false },
        Mutation("a body is not compared with its header's roots") { $0.bindBodies = false },
        Mutation("blocks of a peer are not proven") { $0.checkSyncProof = false },
        Mutation("blocks are told of before they are stored") { $0.publishWhenDurable = false },
        // Epochs
        Mutation("epoch border off by one", epochs: 3) { $0.ledger.borderDelay = 1 },
        Mutation("blocks above the epoch's border", epochs: 3) { $0.stopAtBorder = false },
        Mutation("evidence is not reported", epochs: 3) { $0.reportEvidence = false },
        Mutation("what is burned stays in the supply", epochs: 3) { $0.ledger.burnsWhatIsSlashed = false },
        Mutation("the slashed stay", epochs: 3) { $0.ledger.removesTheSlashed = false },
        // Nodes die while the border block is on its way to the disk and the next epoch's votes are there already.
        Mutation("records of the next epoch are forgotten", epochs: 4, slowestCommitMs: 4_000) { $0.keepLaterRecords = false },
    ]

    /// What a node that lost votes must not do.
    static let lossMutations: [Mutation] = [
        Mutation("a missing journal is not noticed") { $0.checkMemory = false },
        Mutation("who knows of no votes votes at once") { $0.consensus.askBeforeVoting = false },
    ]

    @Test(arguments: lossMutations) func lossIsCaught(_ mutation: Mutation) throws {
        var rules = NodeRules()
        mutation.apply(&rules)
        for seed in 0..<300 as Range<UInt64> {
            var configuration = SimulationConfiguration(masternodes: 4, contract: counterContract)
            configuration.losesVotes = true
            configuration.rules = rules
            let report = try SimulatedCluster(seed: seed, configuration: configuration).run()
            guard let violation = report.violation else { continue }
            print("caught at seed \(seed): \(mutation.name): \(violation.prefix(120))")
            return
        }
        Issue.record("300 seeds did not notice: \(mutation.name)")
    }

    struct JoinMutation: Sendable, CustomTestStringConvertible {
        let name: String
        /// What the violation says.
        let finding: String
        let apply: @Sendable (inout SnapshotJoin.Checks) -> Void
        var testDescription: String { name }

        init(_ name: String, _ finding: String, _ apply: @escaping @Sendable (inout SnapshotJoin.Checks) -> Void) {
            (self.name, self.finding, self.apply) = (name, finding, apply)
        }
    }

    static let joinMutations = [
        JoinMutation("chunks of a state are not verified", "the header certifies") { $0.chunks = false },
        JoinMutation("a snapshot's head is believed", "joined at height") { $0.head = false },
        JoinMutation("the highest claim counts, whoever makes it again", "has not joined") { $0.ranking = false },
        JoinMutation("who keeps silent is waited for", "has not joined") { $0.silence = false },
    ]

    /// A node that joins by a snapshot and leaves out one of its checks: what it stores is wrong, or it never gets there.
    @Test(arguments: joinMutations) func aCarelessJoinIsCaught(_ mutation: JoinMutation) throws {
        var checks = SnapshotJoin.Checks()
        mutation.apply(&checks)
        #expect(checks != SnapshotJoin.Checks())
        for seed in 0..<120 as Range<UInt64> {
            var configuration = SimulationConfiguration(masternodes: 4, contract: counterContract, trials: [.joiners])
            configuration.joinChecks = checks
            let report = try SimulatedCluster(seed: seed, configuration: configuration).run()
            guard let violation = report.violation else { continue }
            print("caught at seed \(seed): \(mutation.name): \(violation.prefix(160))")
            #expect(violation.contains(mutation.finding))
            return
        }
        Issue.record("120 seeds did not notice: \(mutation.name)")
    }

    /// A program that does not stop at an epoch whose version of the protocol it does not know.
    @Test func anOldProgramThatGoesOnIsCaught() throws {
        for seed in 0..<40 as Range<UInt64> {
            var configuration = SimulationConfiguration(
                masternodes: 4, epochs: 4, contract: counterContract, trials: [.upgrade])
            configuration.rules.newestProtocol = .max
            let report = try SimulatedCluster(seed: seed, configuration: configuration).run()
            if report.violation?.contains("does not know") == true { return }
        }
        Issue.record("40 seeds did not notice an old program that goes on")
    }

    @Test(arguments: mutations) func isCaught(_ mutation: Mutation) throws {
        var rules = NodeRules()
        mutation.apply(&rules)
        #expect(rules != NodeRules())
        for seed in 0..<300 as Range<UInt64> {
            let masternodes = seed % 4 == 3 ? 7 : 4
            var configuration = SimulationConfiguration(
                masternodes: masternodes, byzantine: (masternodes - 1) / 3, epochs: mutation.epochs,
                contract: counterContract)
            configuration.rules = rules
            configuration.slowestCommitMs = mutation.slowestCommitMs
            let report = try SimulatedCluster(seed: seed, configuration: configuration).run()
            // Liars are at work in each of these seeds, so that nobody is accused in many is a finding too.
            if report.violation != nil {
                print("caught at seed \(seed): \(mutation.name): \(report.violation!.prefix(120))")
                return
            }
            if !rules.consensus.keepEvidence, seed >= 5, report.accused.isEmpty { return }
        }
        Issue.record("300 seeds did not notice: \(mutation.name)")
    }
}
