import Foundation
import Training

extension PaperB.Fault.Kind {
    fileprivate var explained: String {
        switch self {
        case .withhold: "A fog node that withholds trains and hands over nothing."
        case .poison: "A fog node that poisons hands over its difference backwards and five times as large."
        case .lie:
            "A fog node that lies gets one number of its difference wrong by 0.001, too little for a validation to see; an audit that computes every second difference again finds it, and it is out for good."
        case .copy: "A fog node that copies hands over what another has handed over."
        }
    }
}

extension PaperB.Report {
    private func fog(_ model: PaperB.Model, _ nodes: Int) -> [PaperB.FogRun] {
        fog.filter { $0.model == model && $0.fogNodes == nodes }
    }

    private func central(_ model: PaperB.Model) -> [PaperB.CentralRun] { central.filter { $0.model == model } }

    /// - Parameter chain: what a devnet gave, or why there is none; stands first.
    public func files(chain: String) throws -> ReportFiles {
        var files = ReportFiles()
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        files.add("report.json", String(decoding: try encoder.encode(self), as: UTF8.self) + "\n")
        for model in settings.models {
            func curves(_ fogValue: (PaperB.FogPoint) -> Double, _ centralValue: (TrainingPoint) -> Double) -> [Chart.Series] {
                var all = settings.fogNodes.map { nodes in
                    Chart.Series("\(nodes) fog nodes", Self.mean(fog(model, nodes).map { $0.points.map(fogValue) }))
                }
                all.append(Chart.Series("central", Self.mean(central(model).map { $0.points.map(centralValue) })))
                return all
            }
            files.add(
                "\(model.rawValue)-accuracy.svg",
                Chart.lines(
                    "\(model.rawValue.uppercased()): accuracy on test samples, mean of \(settings.seeds) seeds", x: "epoch",
                    y: "accuracy", curves({ $0.point.accuracy }, { $0.accuracy })))
            files.add(
                "\(model.rawValue)-loss.svg",
                Chart.lines(
                    "\(model.rawValue.uppercased()): loss on test samples, mean of \(settings.seeds) seeds", x: "epoch",
                    y: "loss", curves({ $0.point.loss }, { $0.loss })))
            for nodes in settings.fogNodes {
                guard let run = fog(model, nodes).first else { continue }
                files.add(
                    Self.ownPicture(model, nodes),
                    Chart.lines(
                        "\(model.rawValue.uppercased()): each of \(nodes) fog nodes on its own samples, seed 0", x: "epoch",
                        y: "accuracy",
                        (0..<nodes).map { node in
                            Chart.Series(
                                "node \(node + 1)",
                                run.points.compactMap { point in
                                    (node < point.own.count ? point.own[node] : nil).map { (Double(point.point.epoch), $0) }
                                })
                        }))
            }
        }
        files.add("report.md", markdown(chain: chain))
        return files
    }

    private static func ownPicture(_ model: PaperB.Model, _ nodes: Int) -> String { "\(model.rawValue)-own-\(nodes).svg" }

    private static func mean(_ runs: [[Double]]) -> [(x: Double, y: Double)] {
        let length = runs.map(\.count).max() ?? 0
        return (0..<length).map { index in
            (Double(index + 1), Summary(runs.compactMap { index < $0.count ? $0[index] : nil }).mean)
        }
    }

    private func markdown(chain: String) -> String {
        var page = Markdown()
        page.heading(1, "Paper B: fog learning")
        page.paragraph(
            "\(dataset). \(settings.clients) devices for each fog node; SGD with learning rate \(Micro.text(settings.learningRate)), cross entropy, batches of \(settings.models.map { "\(settings.batch[$0.rawValue] ?? 32) (\($0.rawValue))" }.joined(separator: " and ")) (the paper gives none); devices normalise by mean and standard deviation and add Gaussian noise of 1 % of the standard deviation. \(settings.seeds) \(settings.seeds == 1 ? "seed" : "seeds") (the paper: 50).")
        page.heading(2, "On the chain")
        page.paragraph(chain)
        page.heading(2, "Table 1: shards")
        page.table(
            ["fog nodes", "model", "a fog node", "paper", "a device", "paper", "validation", "paper"],
            settings.models.flatMap { model in
                settings.fogNodes.map { nodes in
                    let run = fog(model, nodes).first
                    let paper: [Int: (String, String)] = [3: ("23,300", "3,900"), 5: ("14,000", "2,330"), 7: ("10,000", "1,700")]
                    return [
                        "\(nodes)", model.rawValue, Markdown.count(run?.samplesEachNode ?? 0), paper[nodes]?.0 ?? "-",
                        Markdown.count(run?.samplesEachDevice ?? 0), paper[nodes]?.1 ?? "-",
                        Markdown.count(settings.validation[model.rawValue] ?? 0), "10,000",
                    ]
                }
            })
        page.paragraph(
            "The paper's 80,000 exceed SVHN's 73,257 training images, so it mixes both of its parts. So does this where that many are asked for (`--full`): what is missing is taken from the front of the test part, and the test is on its end. Here shards are ranges in the order of the files, never drawn at random: neighbouring digits of one house number overlap in pixels, and a random split would leak from training to testing.")
        page.heading(2, "Table 2: accuracy")
        page.paragraph(
            "On \(Markdown.count(settings.testSamples)) test samples after the last epoch, mean and standard deviation over the seeds; runs in one process, through the messages of the protocol but without a chain. p is two-sided, of the paired t-test over seeds, and of the exact sign-flip permutation test, which can't go below 2 / 2^n for n seeds.")
        page.table(
            ["model", "fog nodes", "epochs", "samples", "accuracy", "central", "difference, points", "p (t)", "p (sign flips)"],
            settings.models.flatMap { model in
                settings.fogNodes.map { nodes in
                    let own = fog(model, nodes).map(\.accuracy)
                    let base = central(model).map(\.accuracy)
                    let test = PairedComparison(own, base)
                    return [
                        model.rawValue, "\(nodes)", "\(settings.epochs[model.rawValue] ?? 0)",
                        Markdown.count((fog(model, nodes).first?.samplesEachNode ?? 0) * nodes),
                        Markdown.percent(Summary(own)), Markdown.percent(Summary(base)),
                        String(format: "%+.2f", test.difference * 100), test.p.map { Markdown.decimal($0, 3) } ?? "-",
                        test.pairs < 2 ? "-" : test.permutationP.map { Markdown.decimal($0, 3) } ?? "-",
                    ]
                }
            })
        page.paragraph(
            """
            What to compare: within one epoch each of n fog nodes takes a n-th of the steps that central training takes, and \
            their mean moves the weights about as far as one of them. So at the same number of epochs more fog nodes are \
            further behind, the more so the fewer epochs there are; with the paper's 100 and 20 epochs the curves have \
            flattened and the difference is small. Against that, the mean of several nodes' weights has less of the noise of \
            single steps: where central training at the paper's rate goes up and down, as the CNN's does, a few fog nodes \
            can end above it. Other reasons for other numbers than the paper's: \(dataset) in place \
            of all of SVHN, fewer epochs and seeds, and what the paper leaves open (batch size, kernels, pooling, initial \
            weights). The paper (*Privacy preserving deep learning framework in fog computing*, LOD 2020, hdl:2117/335322) \
            reports accuracies similar to those of its central training, and its best ones for the CNN; the figures of its \
            table 2 were not at hand when this report was written, so that column is left out: what can be compared is these two \
            statements.
            """)
        page.heading(2, "Figures 3 to 6: curves")
        for model in settings.models {
            page.picture("\(model.rawValue) accuracy", "\(model.rawValue)-accuracy.svg")
            page.picture("\(model.rawValue) loss", "\(model.rawValue)-loss.svg")
            for nodes in settings.fogNodes where !fog(model, nodes).isEmpty {
                page.picture("\(model.rawValue), each of \(nodes) fog nodes", Self.ownPicture(model, nodes))
            }
        }
        page.table(
            ["model", "training", "epoch", "accuracy", "loss", "loss while training", "accepted"],
            settings.models.flatMap { model -> [[String]] in
                var rows: [[String]] = []
                if let run = central(model).first {
                    rows += run.points.map {
                        [
                            model.rawValue, "central", "\($0.epoch)", Markdown.percent($0.accuracy), Markdown.decimal($0.loss),
                            Markdown.decimal($0.trainingLoss), "-",
                        ]
                    }
                }
                for nodes in settings.fogNodes {
                    rows += (fog(model, nodes).first?.points ?? []).map {
                        [
                            model.rawValue, "\(nodes) fog nodes", "\($0.point.epoch)", Markdown.percent($0.point.accuracy),
                            Markdown.decimal($0.point.loss), Markdown.decimal($0.point.trainingLoss), "\($0.accepted) of \(nodes)",
                        ]
                    }
                }
                return rows
            })
        page.paragraph("Seed 0; `report.json` has every seed.")
        page.heading(3, "Every fog node on its own samples")
        page.paragraph(
            "After the last epoch, with its own weights before the cloud takes the mean, on the first 200 of the samples that its devices gave (it trains on these, so this is no test). Mean, standard deviation, least and largest over all nodes and seeds; beside it what the cloud's model makes of the test samples.")
        page.table(
            ["model", "fog nodes", "on their own samples", "least", "largest", "the cloud's model on test samples", "node by node, seed 0"],
            settings.models.flatMap { model in
                settings.fogNodes.compactMap { nodes -> [String]? in
                    let runs = fog(model, nodes)
                    let last = runs.compactMap { $0.points.last?.own }
                    let all = last.flatMap { $0.compactMap { $0 } }
                    guard let least = all.min(), let largest = all.max(), let first = last.first else { return nil }
                    return [
                        model.rawValue, "\(nodes)", Markdown.percent(Summary(all)), Markdown.percent(least),
                        Markdown.percent(largest), Markdown.percent(Summary(runs.map(\.accuracy))),
                        first.map { $0.map { String(format: "%.1f", $0 * 100) } ?? "-" }.joined(separator: " / "),
                    ]
                }
            })
        page.heading(2, "Bytes")
        page.table(
            ["model", "fog nodes", "devices to fog nodes", "fog nodes to cloud, a round", "cloud to fog nodes, a round"],
            settings.models.flatMap { model in
                settings.fogNodes.compactMap { nodes -> [String]? in
                    guard let run = fog(model, nodes).first, !run.points.isEmpty else { return nil }
                    return [
                        model.rawValue, "\(nodes)", Markdown.count(run.deviceBytes),
                        Markdown.count(run.upBytes / run.points.count), Markdown.count(run.downBytes / run.points.count),
                    ]
                }
            })
        if !faults.isEmpty, let fault = settings.fault {
            page.heading(2, "Faults: \(fault.text)")
            page.paragraph(
                "\(fault.kind.explained) In one process: \(faults[0].fogNodes) fog nodes, \(faults[0].model.rawValue), mean and standard deviation over \(settings.seeds) \(settings.seeds == 1 ? "seed" : "seeds"). With real workers on a chain: see *On the chain*.")
            let titles = faults.map(\.variant).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
            let without = Summary(faults.filter { $0.variant == titles[0] }.map(\.accuracy)).mean
            page.table(
                ["run", "accuracy", "against no fault, points", "differences accepted", "refused or missing"],
                titles.map { title in
                    let runs = faults.filter { $0.variant == title }
                    let accuracy = Summary(runs.map(\.accuracy))
                    let points = runs.flatMap(\.points)
                    return [
                        title, Markdown.percent(accuracy), String(format: "%+.2f", (accuracy.mean - without) * 100),
                        "\(points.reduce(0) { $0 + $1.accepted })", "\(points.reduce(0) { $0 + $1.refused.count })",
                    ]
                })
            let reasons = faults.filter { $0.variant == "with validation" }.flatMap { $0.points.flatMap(\.refused) }.prefix(8)
            if !reasons.isEmpty { page.paragraph("Refusals, the first of them:\n\n" + reasons.map { "- \($0)" }.joined(separator: "\n")) }
        }
        if !variants.isEmpty {
            page.heading(2, "Beyond the paper")
            page.paragraph(
                "The MLP with \(variants[0].fogNodes) fog nodes, \(Markdown.count(variants[0].samplesEachNode * variants[0].fogNodes)) samples \(variants.map(\.points.count).max() ?? 0) epochs and batches of 16, seed 0: small, to compare with each other alone.")
            page.table(
                ["variant", "accuracy", "rounds", "bytes up, a round", "epsilon"],
                variants.map { run in
                    [
                        run.variant, Markdown.percent(run.accuracy), "\(run.points.count)",
                        run.points.isEmpty ? "-" : Markdown.count(run.upBytes / run.points.count),
                        run.epsilon.map { Markdown.decimal($0, 2) } ?? "-",
                    ]
                })
            page.paragraph(
                """
                "Only the mean value of each weight of every epoch is passed" can be read as the mean over the fog nodes of the \
                weights at the end of an epoch, or as the mean of each weight over the steps of its epoch. The first is \
                chosen: the cloud's rule W <- W + mean of the differences is stated right beside it, and averaging over \
                an epoch throws away about half of its progress while the weights still move. The second row shows it.
                """)
            for run in variants {
                if let ended = run.ended { page.paragraph("*\(run.variant)* ended after \(run.points.count) rounds: \(ended).") }
            }
            page.paragraph(
                "Private gradients use a smaller network (64 hidden units): noise grows with the number of weights, gradients do not. The secure sum is exact to 2^-20 and takes no validation of single differences: whoever wants both has to choose.")
        }
        page.paragraph(String(format: "Made in %.0f s.", seconds))
        return page.text
    }
}
