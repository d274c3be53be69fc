import Consensus
import Testing

/// Proof that the simulator sees: with any one check of the rules switched off, a few seeds find a broken rule.
@Suite(.timeLimit(.minutes(20))) struct MutationTests {
    struct Mutation: Sendable, CustomTestStringConvertible {
        let name: String
        let apply: @Sendable (inout Rules) -> Void
        var testDescription: String { name }

        init(_ name: String, _ apply: @escaping @Sendable (inout Rules) -> Void) {
            self.name = name
            self.apply = apply
        }
    }

    static let mutations: [Mutation] = [
        Mutation("quorum minus one") { $0.fullQuorum = false },
        Mutation("views fall") { $0.viewsOnlyRise = false },
        Mutation("proposals always on the last final block") { $0.proposeOnHighestNotarized = false },
        Mutation("a vote for every proposal of the leader") { $0.notarizeOnce = false },
        Mutation("notarize after nullify") { $0.neverNotarizeAfterNullify = false },
        Mutation("any parent will do") { $0.justifyParent = false },
        Mutation("bodies are not verified") { $0.requireVerdict = false },
        Mutation("missing certificates are not fetched") { $0.fetchMissing = false },
        Mutation("finalize after nullify") { $0.neverFinalizeAfterNullify = false },
        Mutation("nullify after finalize") { $0.neverNullifyAfterFinalize = false },
        Mutation("nullify is said once") { $0.repeatNullify = false },
        Mutation("evidence is ignored") { $0.keepEvidence = false },
        Mutation("signatures are not checked") { $0.checkSignatures = false },
        Mutation("messages do not wait for the journal") { $0.durableBeforePublic = false },
        Mutation("the journal is not replayed") { $0.replayJournal = false },
    ]

    @Test(arguments: mutations) func isCaught(_ mutation: Mutation) {
        var rules = Rules()
        mutation.apply(&rules)
        #expect(rules != Rules())
        for seed in 0..<60 as Range<UInt64> {
            var scenario = Scenario.mixed(seed: seed, rules: rules)
            scenario.masternodes = seed % 3 == 0 ? 7 : 4
            scenario.byzantine = (scenario.masternodes - 1) / 3
            (scenario.crashes, scenario.partitions) = (true, true)
            var cluster = Cluster(scenario)
            let report = cluster.run()
            // Liars are at work in each of these seeds, so that nobody is accused is a finding too.
            if report.violation != nil || report.accused.isEmpty { return }
        }
        Issue.record("60 seeds did not notice: \(mutation.name)")
    }

    /// Rules that cost time and break nothing where they fail are seen by measuring.
    static let slownesses: [Mutation] = [
        Mutation("silent leaders are waited for") { $0.skipSilentLeaders = false },
        Mutation("silent while fewer than q are heard") { $0.silenceNeedsQuorum = false },
        Mutation("once silent, always silent") { $0.hearReturningLeaders = false },
        Mutation("timers never grow") { $0.growDelay = false },
    ]

    @Test(arguments: slownesses) func isMeasured(_ mutation: Mutation) throws {
        var rules = Rules()
        mutation.apply(&rules)
        #expect(rules != Rules())
        if try !SilenceScenario.cutOff(rules: rules).isEmpty { return }
        for seed in 0..<3 as Range<UInt64> {
            if !SilenceScenario.absence(seed: seed, masternodes: 4, rules: rules).isEmpty { return }
            if !SilenceScenario.slowdown(seed: seed, masternodes: 4, rules: rules).isEmpty { return }
        }
        Issue.record("nothing measured shows: \(mutation.name)")
    }
}
