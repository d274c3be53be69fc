import JobProtocol
import Primitives
import Testing
import Training
import WorkerRuntime

/// What a job's terms let others do again. Beyond that nobody is asked, and nobody is found wrong.
@Suite(.timeLimit(.minutes(20))) struct AuditTermsTests {
    private static func mayBeDoneAgain(
        _ role: Role, _ kind: JobSpec.TrainingProtocol, _ inputs: JobSpec.InputAudit, plan: TrainingPlan = testPlan(),
        spec change: (inout JobSpec) -> Void = { _ in }
    ) throws -> Bool {
        let spec = try testSpec {
            $0.trainingProtocol = kind
            $0.inputAudit = inputs
            $0.plan = plan.borsh
            change(&$0)
        }
        return AuditTerms.mayBeDoneAgain(role, spec, plan)
    }

    @Test func inputsAreShownWhereTheTermsSaySo() throws {
        for inputs in [JobSpec.InputAudit.none, .owner, .committee] {
            let isShown = inputs == .committee
            #expect(try Self.mayBeDoneAgain(.cloud, .split, inputs))
            #expect(try Self.mayBeDoneAgain(.edge, .split, inputs) == isShown, "\(inputs)")
            #expect(try Self.mayBeDoneAgain(.cloud, .fog, inputs))
            #expect(try Self.mayBeDoneAgain(.fog, .fog, inputs) == isShown, "\(inputs)")
            // A device's blurred samples come from its own secret.
            for role in [Role.device, .validator] {
                #expect(try !Self.mayBeDoneAgain(role, .fog, inputs) && !Self.mayBeDoneAgain(role, .split, inputs))
            }
        }
    }

    @Test func whatCannotBeDoneAgainIsNobodysFault() throws {
        let noise = testPlan {
            $0.privacy = PrivacyPlan(clipNorm: 1_000_000, noiseMultiplier: 1_000_000, deltaPico: 1, epsilonBudget: 1)
        }
        #expect(try !Self.mayBeDoneAgain(.fog, .fog, .committee, plan: noise))
        #expect(try !Self.mayBeDoneAgain(.fog, .fog, .committee, plan: testPlan { $0.sharedFraction = 100_000 }))
        let sum = testPlan { $0.aggregation = .secureSum(threshold: 2) }
        for role in [Role.fog, .cloud] { #expect(try !Self.mayBeDoneAgain(role, .fog, .committee, plan: sum)) }
        // Nothing is signed in an asynchronous round for what the cloud makes of it.
        #expect(try !Self.mayBeDoneAgain(.cloud, .fog, .committee) { $0.mode = .asynchronous })
        #expect(try Self.mayBeDoneAgain(.fog, .fog, .committee) { $0.mode = .asynchronous })
        // A round with more messages than anybody keeps.
        for role in [Role.cloud, .edge] {
            #expect(try !Self.mayBeDoneAgain(role, .split, .committee) { $0.stepsPerRound = 1_000_000 })
        }
    }
}
