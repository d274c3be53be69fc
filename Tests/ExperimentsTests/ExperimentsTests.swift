import Foundation
import Synchronization
import Tensor
import Testing
import Training

import Experiments

private final class MemoryStore: RunStore {
    private let files = Mutex<[String: [UInt8]]>([:])
    let saves = Mutex(0)

    func load(_ name: String) throws -> [UInt8]? { files.withLock { $0[name] } }
    func save(_ name: String, _ bytes: [UInt8]) throws {
        files.withLock { $0[name] = bytes }
        saves.withLock { $0 += 1 }
    }
}

private func digits(_ count: Int, key: UInt64) throws -> ImageSet {
    var stream = RandomStream(key: key)
    var pixels: [UInt8] = []
    var labels: [UInt8] = []
    for _ in 0..<count {
        let label = stream.nextIndex(below: 10)
        let (top, left) = (2 + (label / 5) * 13, (label % 5) * 5)
        for row in 0..<28 {
            for column in 0..<28 {
                let isInside = (top..<top + 9).contains(row) && (left..<left + 6).contains(column)
                pixels.append(UInt8((isInside ? 150 : 0) + stream.nextIndex(below: 100)))
            }
        }
        labels.append(UInt8(label))
    }
    return try ImageSet(channels: 1, height: 28, width: 28, pixels: pixels, labels: labels)
}

private func data() throws -> ExperimentData {
    try ExperimentData(kind: .mnist, name: "synthetic digits", training: digits(400, key: 1), test: digits(100, key: 2))
}

private func laboratory(_ store: MemoryStore) -> Laboratory {
    Laboratory(store: store, threads: 1, processorSeconds: { 0 }, progress: { _, _ in })
}

@Suite(.timeLimit(.minutes(20))) struct ExperimentsTests {
    @Test func paperAFromEndToEndAndResumed() throws {
        let store = MemoryStore()
        let settings = PaperA.Settings(samples: 256, epochs: 2, edges: 2, seeds: 1, batch: 16, testSamples: 50)
        let paper = PaperA(settings: settings, data: try data(), laboratory: laboratory(store))
        let report = try paper.run()
        #expect(report.runs.count == PaperA.Road.allCases.count)
        #expect(report.scaling.map(\.boundaryValues) == [1_176, 2_352, 4_704, 9_408])
        #expect(report.scaling.map(\.parameters).first == 61_706)
        #expect(report.runs.allSatisfy { $0.points.count == 2 })
        let up = Dictionary(uniqueKeysWithValues: report.runs.map { ($0.road, $0.upBytesEachSample) })
        #expect((up[.splitConcatenated8] ?? 0) < (up[.splitConcatenated16] ?? 0))
        #expect((up[.splitConcatenated16] ?? 0) < (up[.splitConcatenated] ?? 0))
        #expect((up[.splitConcatenated] ?? 0) < (up[.replicasSynchronous] ?? 0))
        #expect(up[.central] == 785)
        #expect(report.savings.contains { $0.input == [3, 224, 224] && $0.values < $0.imageBytes })
        let saves = store.saves.withLock { $0 }
        #expect(try paper.forecast() == 0)
        let again = try paper.run()
        #expect(store.saves.withLock { $0 } == saves)
        #expect(again.runs.map(\.accuracy) == report.runs.map(\.accuracy))
        let files = try report.files(chain: "No chain in this test.")
        #expect(Set(files.files.map(\.name)).isSuperset(of: ["report.md", "report.json", "figure5.svg"]))
        let text = try #require(files.files.first { $0.name == "report.md" }?.text)
        // From which input size and cut on a split saves bytes, in words. At S2 the values in 32 bits never do.
        for needle in [
            "1,176", "2,352", "4,704", "14,146", "56,584", "226,326", "No chain in this test.",
            "- S2: 32 bits at none of these sizes, 16 bits from 3 x 32 x 32 on, 8 bits from 3 x 32 x 32 on",
            "- S4: 32 bits at 3 x 32 x 32 and 3 x 64 x 64 alone, 16 bits from 3 x 32 x 32 on, 8 bits at all of these sizes",
            "- F6: 32 bits at all of these sizes",
            "hands its samples to its edge server, once", "4,097",
        ] {
            #expect(text.contains(needle), "\(needle)")
        }
        for (name, content) in files.files where name.hasSuffix(".svg") {
            #expect(!content.contains("nan") && !content.contains("inf"), "\(name)")
            #expect(try XMLCheck.isWellFormed(content), "\(name)")
        }
    }

    private func tiny(_ change: (inout PaperB.Settings) -> Void = { _ in }) -> PaperB.Settings {
        var settings = PaperB.Settings(fogNodes: [3], clients: 2, models: [.mlp], seeds: 2)
        settings.epochs = ["mlp": 2]
        settings.samples = ["mlp": 180]
        settings.validation = ["mlp": 40]
        settings.testSamples = 50
        settings.variants = false
        change(&settings)
        return settings
    }

    @Test func paperBFromEndToEnd() throws {
        let paper = PaperB(settings: tiny(), data: try data(), laboratory: laboratory(MemoryStore()))
        #expect(try paper.forecast() > 0)
        let report = try paper.run()
        #expect(report.fog.count == 2 && report.central.count == 2)
        #expect(report.fog.allSatisfy { $0.points.count == 2 && $0.samplesEachNode == 60 && $0.samplesEachDevice == 30 })
        #expect(report.fog.allSatisfy { $0.points.allSatisfy { $0.own.count == 3 && $0.accepted > 0 } })
        let files = try report.files(chain: "none").files
        let text = try #require(files.first { $0.name == "report.md" }?.text)
        #expect(text.contains("23,300") && text.contains("Table 2") && text.contains("synthetic digits"))
        // Every fog node on its own samples: a curve and a figure for each.
        #expect(text.contains("![mlp, each of 3 fog nodes](mlp-own-3.svg)"))
        let own = try #require(files.first { $0.name == "mlp-own-3.svg" }?.text)
        for node in 1...3 { #expect(own.contains("node \(node)")) }
        let table = try #require(text.components(separatedBy: "node by node, seed 0").last)
        let row = try #require(table.split(separator: "\n").first { $0.hasPrefix("| mlp | 3 |") })
        #expect(row.components(separatedBy: " / ").count == 3, "\(row)")
    }

    /// The paper on fog computing takes more samples than SVHN's training part has.
    @Test func whatTrainingLacksComesFromTheFrontOfTheTestImages() throws {
        let data = try data()
        func check(_ samples: Int, _ test: Int, _ expected: (training: Int, test: Int)) throws {
            let mixed = try data.mixed(training: samples, test: test)
            #expect(mixed.training.count == expected.training && mixed.test.count == expected.test, "\(samples), \(test)")
            #expect(Array(mixed.training.labels.prefix(400)) == data.training.labels)
            #expect(Array(mixed.training.labels.dropFirst(400)) == Array(data.test.labels.prefix(expected.training - 400)))
            #expect(mixed.test.labels == Array(data.test.labels.suffix(expected.test)))
            #expect(mixed.test.pixels == Array(data.test.pixels.suffix(expected.test * data.test.stride)))
        }
        try check(430, 60, (430, 60))
        // No more than the test can do without.
        try check(480, 60, (440, 60))
        // Nothing is moved where there is enough, or the test needs all of its own.
        try check(400, 60, (400, 100))
        try check(480, 100, (400, 100))
        try check(480, 200, (400, 100))
    }

    /// Interrupted, the same command says what is left.
    @Test func theForecastIsOfWhatIsLeft() throws {
        let store = MemoryStore()
        let paper = PaperB(
            settings: tiny { $0.fault = PaperB.Fault(kind: .withhold, share: 0.5) }, data: try data(),
            laboratory: laboratory(store))
        #expect(try paper.forecast() > 0)
        _ = try paper.run()
        #expect(try paper.forecast() == 0)
        let more = PaperB(settings: tiny { $0.seeds = 3 }, data: try data(), laboratory: laboratory(store))
        #expect(try more.forecast() > 0)
    }

    @Test(arguments: PaperB.Fault.Kind.allCases)
    func faultsShowInTheRounds(kind: PaperB.Fault.Kind) throws {
        let paper = PaperB(
            settings: tiny {
                $0.fault = PaperB.Fault(kind: kind, share: 0.7)
                $0.seeds = 1
                $0.epochs = ["mlp": 4]
            }, data: try data(), laboratory: laboratory(MemoryStore()))
        let report = try paper.run()
        #expect(report.faults.map(\.variant) == ["no fault", "with validation", "without validation"])
        let refused = report.faults[1].points.flatMap(\.refused)
        let reasons = switch kind {
        case .withhold: ["nothing came"]
        case .poison: ["on reserved samples"]
        case .lie: ["another digest"]
        case .copy: ["the difference that place"]
        }
        func holds(_ refused: [String]) -> Bool { refused.contains { text in reasons.contains { text.contains($0) } } }
        #expect(holds(refused), "\(refused)")
        let honest = report.faults[0].points.flatMap(\.refused)
        if kind != .poison { #expect(!holds(honest), "\(honest)") }
    }

    /// What the papers' table is to show, over two seeds: with validation a fifth of poison costs little, without it the
    /// model learns nothing that stays.
    @Test func validationIsWhatPoisonNeeds() throws {
        let paper = PaperB(
            settings: tiny {
                $0.fault = PaperB.Fault(kind: .poison, share: 0.2)
                $0.fogNodes = [5]
                $0.epochs = ["mlp": 12]
                $0.batch = ["mlp": 8]
                $0.samples = ["mlp": 300]
            }, data: try data(), laboratory: laboratory(MemoryStore()))
        let report = try paper.run()
        func accuracy(_ variant: String) -> Double { Summary(report.faults.filter { $0.variant == variant }.map(\.accuracy)).mean }
        let (none, on, off) = (accuracy("no fault"), accuracy("with validation"), accuracy("without validation"))
        #expect(none > 0.9 && on > none - 0.05 && off < on - 0.2, "\(none) \(on) \(off)")
        let text = try #require(try report.files(chain: "none").files.first { $0.name == "report.md" }?.text)
        #expect(text.contains("without validation") && text.contains("poison:0.2"))
    }

    @Test func aModelOfOnesOwnIsTrained() throws {
        let own = ModelSpec(
            input: [1, 28, 28],
            layers: [
                .convolution(ConvolutionLayer(name: "c1", filters: 4, kernel: Extent(5))), .activation(.relu),
                .maximumPooling(PoolingLayer(size: Extent(4))), .flatten, .dense(DenseLayer(name: "output", units: 10)),
            ], classes: 10, cut: 3)
        var settings = PaperA.Settings(samples: 200, epochs: 2, edges: 2, seeds: 1, batch: 10, testSamples: 50)
        settings.model = "mine"
        let a = PaperA(settings: settings, data: try data(), laboratory: laboratory(MemoryStore()), model: own)
        #expect(a.problem == nil)
        let split = try a.run()
        let accuracies = split.runs.map(\.accuracy)
        #expect(accuracies.allSatisfy { $0 > 0.3 }, "\(accuracies)")
        let files = try split.files(chain: "none").files
        #expect(files.contains { $0.text.contains("mine on synthetic digits") })
        let b = PaperB(
            settings: tiny {
                $0.models = [.own]
                $0.epochs = ["own": 4]
                $0.samples = ["own": 180]
                $0.validation = ["own": 40]
                $0.batch = ["own": 8]
            }, data: try data(), laboratory: laboratory(MemoryStore()), ownModel: own)
        #expect(b.problem == nil)
        let fog = try b.run()
        #expect(fog.fog.allSatisfy { $0.model == .own && $0.accuracy > 0.3 }, "\(fog.fog.map(\.accuracy))")
        // What does not fit is said before anything runs.
        let wrong = ModelSpec(input: [7], layers: [.dense(DenseLayer(name: "output", units: 10))], classes: 10)
        let images = try data()
        #expect(PaperA(settings: settings, data: images, laboratory: laboratory(MemoryStore()), model: wrong).problem != nil)
        let none = PaperB(
            settings: tiny { $0.models = [.own] }, data: images, laboratory: laboratory(MemoryStore()), ownModel: wrong)
        #expect(none.problem != nil)
    }

    @Test func everyVariantRuns() throws {
        let paper = PaperB(
            settings: tiny {
                $0.variants = true
                $0.seeds = 1
                $0.fogNodes = [3]
                $0.epochs = ["mlp": 1]
            }, data: try data(), laboratory: laboratory(MemoryStore()))
        let report = try paper.run()
        #expect(report.variants.count == PaperB.Variant.all.count)
        for run in report.variants { #expect(run.points.count == 1 && run.accuracy > 0, "\(run.variant): \(run.ended ?? "")") }
        let up = Dictionary(uniqueKeysWithValues: report.variants.map { ($0.variant, $0.upBytes) })
        #expect((up["the largest 1 % of each difference"] ?? .max) * 20 < up["median"] ?? 0)
        #expect(report.variants.contains { $0.epsilon != nil })
    }

    @Test func faultsAreReadFromText() throws {
        #expect(try PaperB.Fault("poison:0.2") == PaperB.Fault(kind: .poison, share: 0.2))
        for bad in ["poison", "poison:", "poison:0", "poison:1.5", "poison:nan", "arson:0.1", "poison:0.2:1"] {
            #expect(throws: ExperimentError.self) { try PaperB.Fault(bad) }
        }
    }

    @Test func statisticsOfKnownNumbers() {
        let summary = Summary([2, 4, 4, 4, 5, 5, 7, 9])
        #expect(summary.mean == 5 && abs(summary.deviation - 2.138089935) < 1e-8)
        // By hand: 0.32 / (sqrt(0.172) / sqrt(5)); p by numerical integration of the density.
        let test = PairedComparison([1.1, 2.3, 3.2, 4.8, 5.1], [0.9, 2.0, 3.5, 4.1, 4.4])
        #expect(abs((test.t ?? 0) - 1.725324) < 1e-5, "\(test)")
        #expect(abs((test.p ?? 0) - 0.159553) < 1e-5, "\(test)")
        // t = 2.570582 leaves 5 % outside with 5 degrees of freedom.
        #expect(abs(StudentT.twoSided(t: 2.570582, degrees: 5) - 0.05) < 1e-6)
        #expect(abs(StudentT.twoSided(t: 1.984, degrees: 99.5) - 0.05) < 2e-3)
        #expect(PairedComparison([1, 2, 3, 4], [0, 1, 2, 3]).permutationP == 0.125)
        #expect(PairedComparison([1], [1]).p == nil)
    }

    @Test func eventFilesHaveTheFramingOfTFRecord() {
        // RFC 3720, appendix B.4.
        #expect(EventFile.crc32c(Array(repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(EventFile.crc32c(Array(0..<32)) == 0x46DD_794E)
        var file = EventFile(time: 1)
        file.scalar("accuracy", step: 3, value: 0.5, time: 2)
        let bytes = file.bytes
        var offset = 0
        var records: [[UInt8]] = []
        while offset < bytes.count {
            let length = Int(bytes[offset])
            #expect(Array(bytes[offset + 8..<offset + 12]) == EventFile.littleEndian(UInt64(EventFile.masked(Array(bytes[offset..<offset + 8]))), 4))
            let record = Array(bytes[offset + 12..<offset + 12 + length])
            #expect(Array(bytes[offset + 12 + length..<offset + 16 + length]) == EventFile.littleEndian(UInt64(EventFile.masked(record)), 4))
            records.append(record)
            offset += 16 + length
        }
        #expect(records.count == 2)
        #expect(records[0].suffix(13) == Array("brain.Event:2".utf8)[...])
        // time 2, step 3, summary { value { tag "accuracy", simple_value 0.5 } }
        #expect(records[1] == [9, 0, 0, 0, 0, 0, 0, 0, 64, 16, 3, 42, 17, 10, 15, 10, 8] + Array("accuracy".utf8) + [21, 0, 0, 0, 63])
    }

    @Test func aCurveOfOnePointIsSeen() throws {
        let one = Chart.lines("t", x: "epoch", y: "y", [Chart.Series("a", [(1, 0.5)]), Chart.Series("b", [(1, 0.2), (2, .nan)])])
        #expect(one.components(separatedBy: "<circle").count == 3)
        #expect(try XMLCheck.isWellFormed(one) && !one.contains("nan"))
        let two = Chart.lines("t", x: "epoch", y: "y", [Chart.Series("a", [(1, 0.5), (2, 0.6)])])
        #expect(!two.contains("<circle"))
        // Marks at round numbers.
        for mark in [">1.2<", ">0.52<", ">0.6<"] { #expect(two.contains(mark), "\(mark)") }
        let bars = Chart.bars("t", y: "y", groups: ["g"], [("a", [2_500])], logarithmic: true)
        for mark in [">1<", ">10<", ">100<", ">1000<"] { #expect(bars.contains(mark), "\(mark)") }
    }

    @Test func picturesArePNG() {
        // The checksum of every PNG's last chunk.
        #expect(GreyPNG.crc32(Array("IEND".utf8)) == 0xAE42_6082)
        let file = GreyPNG.file([0, 0.5, 1, 2, -1, .nan], width: 3)
        #expect(Array(file[16..<24]) == [0, 0, 0, 3, 0, 0, 0, 2])
        #expect(file.suffix(12) == [0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82])
        // Stored rows, each behind its filter byte.
        #expect(file[48..<56] == [0, 0, 128, 255, 0, 255, 0, 0])
    }

    @Test func modelsAreThePapers() throws {
        #expect(PaperModels.leNet5() == LeNet5.spec)
        #expect(try PaperModels.fogMLP(input: [3, 32, 32]).parameterCount == 3_072 * 1_024 + 1_024 + 1_024 * 256 + 256 + 256 * 128 + 128 + 1_290)
        #expect(try PaperModels.fogCNN(input: [3, 32, 32]).parameterCount == 7_168 + 295_040 + 73_792 + 10_250)
    }
}

private enum XMLCheck {
    /// Tags open and close in order: what a browser needs to show an SVG.
    static func isWellFormed(_ text: String) throws -> Bool {
        var open: [Substring] = []
        var rest = text[...]
        while let start = rest.firstIndex(of: "<"), let end = rest[start...].firstIndex(of: ">") {
            let tag = rest[rest.index(after: start)..<end]
            if tag.hasPrefix("/") {
                guard open.popLast() == tag.dropFirst() else { return false }
            } else if !tag.hasSuffix("/") {
                open.append(tag.prefix { $0 != " " && $0 != "\n" })
            }
            rest = rest[rest.index(after: end)...]
        }
        return open.isEmpty
    }
}
