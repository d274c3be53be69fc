import Foundation
import Training

extension PaperA.Report {
    /// What the paper's figure 5 gives for scaling sizes 1, 2 and 4.
    private static let paperBoundary = [1_176, 2_352, 4_704]
    private static let paperParameters = [14_146, 56_584, 226_326]

    private static let precisions: [(precision: BoundaryPrecision, name: String)] = [
        (.float32, "32 bits"), (.bits16, "16 bits"), (.bits8, "8 bits"),
    ]

    private static func size(_ input: [Int]) -> String { input.map(String.init).joined(separator: " x ") }

    /// At which sizes, ascending, something is so.
    static func places(_ sizes: [(name: String, isSo: Bool)]) -> String {
        guard let first = sizes.firstIndex(where: \.isSo) else { return "at none of these sizes" }
        if sizes[first...].allSatisfy(\.isSo) { return first == 0 ? "at all of these sizes" : "from \(sizes[first].name) on" }
        return "at \(sizes.filter(\.isSo).map(\.name).joined(separator: " and ")) alone"
    }

    /// A sentence for each cut.
    var savingStarts: [String] {
        let cuts = savings.map(\.cut).reduce(into: [Int]()) { if !$0.contains($1) { $0.append($1) } }
        return cuts.map { cut in
            let rows = savings.filter { $0.cut == cut }
            let words = Self.precisions.map { precision, name in
                "\(name) \(Self.places(rows.map { (Self.size($0.input), $0.ratio(precision) < 1) }))"
            }
            return "\(rows.first?.layer ?? ""): \(words.joined(separator: ", "))"
        }
    }

    private func runs(_ road: PaperA.Road) -> [PaperA.Run] { runs.filter { $0.road == road } }
    private func accuracy(_ road: PaperA.Road) -> Summary { Summary(runs(road).map(\.accuracy)) }

    /// - Parameter chain: what a devnet gave, or why there is none; stands first.
    public func files(chain: String) throws -> ReportFiles {
        var files = ReportFiles()
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        files.add("report.json", String(decoding: try encoder.encode(self), as: UTF8.self) + "\n")
        files.add(
            "accuracy.svg",
            Chart.lines(
                "Accuracy on \(settings.testSamples) test samples, seed 0", x: "epoch", y: "accuracy",
                PaperA.Road.allCases.compactMap { road in
                    runs(road).first.map { run in
                        Chart.Series(road.rawValue, run.points.map { (Double($0.epoch), $0.accuracy) })
                    }
                }))
        let scales = scaling.map { "scale \($0.scale)" }
        files.add(
            "figure5.svg",
            Chart.bars(
                "Figure 5: values sent", y: "values", groups: scales,
                [
                    ("boundary values of one sample", scaling.map { Double($0.boundaryValues) }),
                    ("boundary values, paper", Self.paperBoundary.map(Double.init)),
                    ("parameters", scaling.map { Double($0.parameters) }),
                    ("parameters, paper", Self.paperParameters.map(Double.init)),
                ], logarithmic: true))
        files.add(
            "bytes.svg",
            Chart.bars(
                "Bytes that travel for one sample of training", y: "bytes", groups: ["up", "down"],
                PaperA.Road.allCases.compactMap { road in
                    runs(road).first.map { (road.rawValue, [$0.upBytesEachSample, $0.downBytesEachSample]) }
                }, logarithmic: true))
        files.add(
            "reconstruction.svg",
            Chart.pictures(
                "What a decoder makes of the boundary values", side: 28,
                rows: [("the digits", originals)]
                    + attacks.map { ("\($0.layer), noise \(Chart.text(Double($0.noise)))", $0.pictures) }))
        files.add("report.md", markdown(chain: chain))
        return files
    }

    private func markdown(chain: String) -> String {
        var page = Markdown()
        page.heading(1, "Paper A: edge-enabled split learning")
        page.paragraph(
            "\(settings.model) on \(dataset), padded to 32 x 32\(settings.model == "LeNet-5" ? " and cut at S2" : ", cut as its file says"). \(Markdown.count(settings.samples)) training samples, \(Markdown.count(settings.testSamples)) test samples, \(settings.epochs) epochs, \(settings.edges) edges with batches of \(settings.batch), learning rate \(Micro.text(settings.learningRate)), momentum \(Micro.text(settings.momentum)), \(settings.seeds) \(settings.seeds == 1 ? "seed" : "seeds").")
        page.heading(2, "On the chain")
        page.paragraph(chain)
        page.heading(2, "Accuracy")
        page.paragraph(
            "From runs in one process, through the messages of the protocol but without a chain. All roads see the same number of samples a step. Mean and standard deviation over the seeds.")
        let central = accuracy(.central)
        page.table(
            ["road", "accuracy", "against central, points", "p (paired t)", "p (sign flips)"],
            PaperA.Road.allCases.map { road in
                let own = runs(road).map(\.accuracy)
                let test = PairedComparison(own, runs(.central).map(\.accuracy))
                return [
                    road.title, Markdown.percent(Summary(own)), String(format: "%+.2f", test.difference * 100),
                    test.p.map { Markdown.decimal($0, 3) } ?? "-",
                    road == .central || test.pairs < 2 ? "-" : test.permutationP.map { Markdown.decimal($0, 3) } ?? "-",
                ]
            })
        let gap = (central.mean - accuracy(.splitConcatenated).mean) * 100
        page.paragraph(
            String(
                format: "Split learning by concatenation is %.2f points %@ central training%@.", abs(gap),
                gap > 0 ? "below" : "above",
                settings.seeds < 2 ? " (one seed: no test of the difference is possible; use --seeds)" : ""))
        page.picture("Accuracy by epoch", "accuracy.svg")
        page.heading(2, "Figure 5: what grows with the model")
        page.paragraph(
            "Values that one sample sends across the cut, and that one exchange of connection parameters sends, for LeNet-5 with all channels and units times the scaling size. Ours are counted in messages as they arrive, encoded and decoded again.")
        page.table(
            [
                "scaling size", "boundary values", "paper", "bytes (32-bit)", "parameters", "paper", "bytes (32-bit)",
            ],
            scaling.enumerated().map { index, row in
                func paper(_ values: [Int]) -> String { index < values.count ? Markdown.count(values[index]) : "-" }
                return [
                    "\(row.scale)", Markdown.count(row.boundaryValues), paper(Self.paperBoundary),
                    Markdown.count(row.boundaryBytes), Markdown.count(row.parameters), paper(Self.paperParameters),
                    Markdown.count(row.parameterBytes),
                ]
            })
        page.paragraph(
            """
            Which parameters are counted: ours are all weights and biases of all layers (C1, C3 with all 6 maps connected, \
            C5, F6, output). The paper's 14,146 grow with the square of the scaling size (56,584 is 4 times, 226,336 is 16 \
            times as many); it does not say which connections these are, and no usual count of LeNet-5 gives them. Two of \
            its numbers are slips: 1,776 stands for 1,176 (6 x 14 x 14), and 226,326 for 226,336. Its text also swaps the \
            sizes of MNIST's parts (60,000 are for training, 10,000 for testing). Its point holds: what crosses the cut \
            grows with the scaling size, the parameters with its square.
            """)
        page.picture("Figure 5", "figure5.svg")
        page.heading(2, "Bytes on the wire, for each sample trained on")
        page.table(
            ["road", "up", "down", "up, times the image's 784 bytes"],
            PaperA.Road.allCases.compactMap { road in
                runs(road).first.map { run in
                    [
                        road == .central ? "raw upload (central training)" : road.title,
                        Markdown.count(Int(run.upBytesEachSample.rounded())),
                        Markdown.count(Int(run.downBytesEachSample.rounded())),
                        Markdown.decimal(run.upBytesEachSample / 784, 2),
                    ]
                }
            })
        page.paragraph(
            "Payloads as encoded, without envelopes (about 200 bytes for each message) and transport. A raw image is uploaded once and can be trained on in every epoch; boundary values travel in every epoch. For LeNet-5 on MNIST the boundary values of one digit take more bytes than its image in any precision: **the paper's saving against raw upload does not hold at this size.** It does against exchanging parameters, and against raw upload with colour images in fewer bits, or with later cuts:")
        page.picture("Bytes", "bytes.svg")
        page.table(
            ["input", "cut", "image, bytes", "values", "32 bits / image", "16 bits / image", "8 bits / image", "saves from"],
            savings.map { row in
                let saving = Self.precisions.first { row.ratio($0.precision) < 1 }
                return [
                    Self.size(row.input), row.layer, Markdown.count(row.imageBytes), Markdown.count(row.values),
                ] + Self.precisions.map { Markdown.decimal(row.ratio($0.precision), 2) } + [saving?.name ?? "never"]
            })
        page.paragraph(
            "From which input size and cut on boundary values take fewer bytes than the image:\n\n"
                + savingStarts.map { "- \($0)" }.joined(separator: "\n")
                + "\n\nLarger images alone do not help: behind C1 and S2 a pixel has become 6 / 4 values, whatever the size, which take 6 bytes in 32 bits where a colour pixel takes 3.")
        page.paragraph(
            "Images are counted uncompressed, one byte for each channel and pixel. A training step sends a gradient of the same size back. (C5's and F6's sizes are the model's own; its dense layer grows with the image.)")
        page.heading(2, "Processor time")
        page.table(
            ["road", "edge, s", "cloud, s", "edge's share"],
            PaperA.Road.allCases.compactMap { road in
                guard let run = runs(road).first else { return nil }
                let edge = run.processor["edge"] ?? 0
                let cloud = run.processor["cloud"] ?? 0
                return [
                    road.title, Markdown.decimal(edge, 1), Markdown.decimal(cloud, 1),
                    Markdown.percent(edge / max(edge + cloud, 1e-9)),
                ]
            })
        page.paragraph("All edges and the whole run together. What a device saves by handing its front to its edge server:")
        if let run = runs(.splitConcatenated).first {
            let epochs = Double(max(settings.epochs, 1))
            let each = (run.processor["edge"] ?? 0) / (Double(max(settings.samples, 1)) * epochs) * 1e6
            let handed = handedOver.processorSecondsEachSample * 1e6
            page.table(
                ["a device that", "processor time, µs a sample", "in \(settings.epochs) epochs", "sends, bytes a sample", "in \(settings.epochs) epochs"],
                [
                    [
                        "runs the front itself", Markdown.decimal(each, 1), Markdown.decimal(each * epochs, 1),
                        Markdown.count(Int(run.upBytesEachSample.rounded())),
                        Markdown.count(Int((run.upBytesEachSample * epochs).rounded())),
                    ],
                    [
                        "hands its samples to its edge server, once", Markdown.decimal(handed, 1), Markdown.decimal(handed, 1),
                        Markdown.count(Int(handedOver.bytesEachSample.rounded())),
                        Markdown.count(Int(handedOver.bytesEachSample.rounded())),
                    ],
                ])
            page.paragraph(
                "The second normalises its samples, adds noise of 1 % and encodes them as 32-bit floats (measured on \(Markdown.count(handedOver.samples)) samples; sealing them is not counted). Its edge server, which sees them, does the rest in its place.")
        }
        page.heading(2, "How much the boundary values give away")
        page.paragraph(
            "An attacker who has the front and 2,000 digits of its own trains a decoder (one hidden layer of 128) from the values at the cut back to the pixels, and tries it on 200 digits that it has not seen. *Explained* is the share of the pixels' variance: 100 % is the picture, 0 % the mean of all digits. Noise is normal, in units of the boundary values' own standard deviation; the accuracy is that of the same model when it gets the values with the noise on them.")
        page.table(
            ["cut behind", "values", "noise", "error of a pixel (mean square)", "explained", "accuracy"],
            attacks.map {
                [
                    $0.layer, Markdown.count($0.values), Chart.text(Double($0.noise)), Markdown.decimal($0.error),
                    Markdown.percent($0.explained), Markdown.percent($0.accuracy),
                ]
            })
        page.picture("Reconstructions", "reconstruction.svg")
        page.paragraph(
            "The later the cut, the less of the picture is left; at S2 digits can be read. Who must not show its samples to the cloud needs a later cut, noise, or another protocol: encryption on the way does not help against the receiver.")
        page.paragraph(String(format: "Made in %.0f s.", seconds))
        return page.text
    }
}
