import CommandSupport
import Experiments
import Foundation

/// What a report says about the jobs on the chain.
extension PaperChain {
    func splitReport(_ settings: PaperA.Settings, devicesEach: Int) async throws -> String {
        let outcome = try await splitJob(
            rounds: settings.rounds.count, steps: settings.rounds.steps, batch: settings.batch,
            learningRate: settings.learningRate, momentum: settings.momentum, devicesEach: devicesEach)
        let devices = devicesEach == 0 ? "" : ", and \(devicesEach) devices of each edge, which hand it the front's work"
        return String(
            format: """
                A devnet of %d masternodes, one cloud and %d edges%@, each a process of its own; the job ran as a contract on it: \
                %d of %d rounds accepted, %d passes over %@ samples, %llu blocks, %.0f s. **The checkpoint that the chain names \
                (`%@...`) gets %.2f %% of %@ test images.** The validator scored each round on 1,000 of them, and took no model \
                that was 2 points worse; nothing was trained on them.
                """,
            Self.masternodes, edges, devices, outcome.accepted, outcome.rounds, settings.epochs, Markdown.count(samples),
            outcome.height, outcome.seconds, outcome.title, outcome.accuracy * 100, Markdown.count(outcome.testSamples))
    }

    /// With a fault three jobs, one after the other: without it, with it, and with it while nobody validates.
    func fogReport(_ settings: PaperB.Settings, dataset: String, rounds: Int, batch: Int) async throws -> String {
        func job(_ folder: String, fault: PaperB.Fault? = nil, validates: Bool = true) async throws -> Outcome {
            var chain = self
            chain.folder = folder
            return try await chain.fogJob(
                dataset: dataset, devicesEach: settings.clients, rounds: rounds, batch: batch,
                learningRate: settings.learningRate, epsilon: settings.epsilonMicro, fault: fault?.text,
                validates: validates)
        }
        let honest = try await job("chain")
        var text = String(
            format: """
                A devnet of %d masternodes, one cloud, %d fog nodes and %d devices, each a process of its own; the job ran as a \
                contract on it, with the model %@ and %@ training samples: %d of %d rounds (epochs) accepted, %llu blocks, %.0f s. \
                **The checkpoint that the chain names (`%@...`) gets %.2f %% of %@ test images.** The cloud tried each \
                difference on 500 of them; nothing was trained on them.
                """,
            Self.masternodes, edges, edges * settings.clients, modelName, Markdown.count(samples), honest.accepted,
            honest.rounds, honest.height, honest.seconds, honest.title, honest.accuracy * 100,
            Markdown.count(honest.testSamples))
        guard let fault = settings.fault else { return text }
        Console.error("the same with \(fault.text)")
        let validated = try await job("chain-fault", fault: fault)
        Console.error("the same with \(fault.text), and nobody validates")
        let open = try await job("chain-fault-unvalidated", fault: fault, validates: false)
        text += "\n\nThe same with `\(fault.text)` in each of the \(edges) fog nodes (`chain-worker run --fault`); without validation the cloud takes every difference (`--no-try-updates`), and the job's epsilon is 1:\n\n"
        text += "| job on the chain | accuracy | against no fault, points | rounds accepted | differences refused |\n|---|---|---|---|---|\n"
        for (title, outcome) in [
            ("no fault", honest), ("with validation", validated), ("without validation", open),
        ] {
            text += String(
                format: "| %@ | %.2f %% | %+.2f | %d of %d | %d |\n", title, outcome.accuracy * 100,
                (outcome.accuracy - honest.accuracy) * 100, outcome.accepted, outcome.rounds, outcome.refused)
        }
        return text + "\n" + Self.remark(fault.kind)
    }

    /// What the fault is on a chain, where that is not what it is in one process.
    private static func remark(_ kind: PaperB.Fault.Kind) -> String {
        switch kind {
        case .withhold:
            "On the chain a fog node that withholds commits and never reveals: the round goes on, its work is not matched, and it earns nothing for it."
        case .poison:
            "Each fog node draws its rounds for itself, so how many differences were poisoned is not the same as in one process."
        case .lie:
            "No validation sees so small a lie, and this job is not audited (`inputAudit: none`): audits, and the disputes that follow, need a party outside the owner's control. So this table shows what a lie costs that nobody finds; the runs in one process show what audits do with it."
        case .copy:
            "On the chain a fog node that copies commits to what another has committed to, and has nothing to reveal then: it earns nothing in that round."
        }
    }
}
