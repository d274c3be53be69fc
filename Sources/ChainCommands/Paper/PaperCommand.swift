import ArgumentParser
import CommandSupport
import Experiments
import Foundation
import ModelFiles
import ProgramSupport
import Training

struct PaperCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "paper",
        abstract: "Run a paper's experiments here, and write a report with the paper's figures beside.",
        discussion: """
            'paper a' is split learning (LeNet-5 on MNIST), 'paper b' fog learning (an MLP and a CNN on SVHN or MNIST). \
            Results of finished runs are kept in DIR/runs: the same command goes on after an interruption.

            Example: chain-cli paper a --out /tmp/paper-a --data ~/mnist
            """,
        subcommands: [PaperACommand.self, PaperBCommand.self])
}

/// What both papers take.
struct PaperOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Folder for the report; made if it is not there.", valueName: "dir"))
    var out: String

    @Option(help: ArgumentHelp("Folder with the data. Default: MNIST_DIR or SVHN_DIR.", valueName: "dir"))
    var data: String?

    @Option(help: "Training samples of all participants together.")
    var samples: Int?

    @Option(help: "Passes over the training samples.")
    var epochs: Int?

    @Option(help: "How often the experiment is repeated with other random numbers.")
    var seeds: Int?

    @Option(help: "Threads of the computation. Default: the processors of this machine.")
    var threads: Int?

    @Flag(help: "The paper's own sizes. Says first how long that takes.")
    var full = false

    @Flag(help: "Leave out the job on a chain: no masternodes, no workers.")
    var noChain = false

    @Option(
        help: ArgumentHelp(
            "The job contract, as Contracts/build makes it. Default: \(Jobs.builtContract).", valueName: "file"))
    var contract: String?

    @Option(help: ArgumentHelp("Also write TensorBoard's event files there.", valueName: "dir"))
    var tensorboard: String?

    @Flag(help: "Print the report as one JSON document.")
    var json = false

    func check() throws {
        for (name, value) in [("samples", samples), ("epochs", epochs), ("seeds", seeds), ("threads", threads)] {
            if let value, value < 1 || value > 10_000_000 { throw UsageError("--\(name) \(value): give a number from 1 on") }
        }
        if let seeds, seeds > 1_000 { throw UsageError("--seeds \(seeds): at most 1000 are possible") }
        if let threads, threads > 1_024 { throw UsageError("--threads \(threads): at most 1024 are possible") }
        if noChain, contract != nil { throw UsageError("--contract is for the job on a chain: --no-chain leaves that out") }
        if !noChain, !FileManager.default.fileExists(atPath: contractPath) {
            throw UsageError(
                "there is no job contract at \(contract ?? Jobs.builtContract): build it with Contracts/build, name it with --contract, or leave the chain out with --no-chain")
        }
    }

    var contractPath: String { FilePath.expanded(contract ?? Jobs.builtContract) }
    var folder: URL { URL(filePath: FilePath.expanded(out), directoryHint: .isDirectory) }

    func laboratory() throws -> Laboratory {
        let start = ContinuousClock.now
        return Laboratory(
            store: try FolderStore(folder.appending(path: "runs", directoryHint: .isDirectory)),
            threads: threads ?? ProcessInfo.processInfo.activeProcessorCount,
            processorSeconds: PaperClock.processorSeconds,
            progress: { text, share in
                let seconds = (ContinuousClock.now - start).components.seconds
                let percent = share < 0 ? "     " : String(format: "%3.0f %%", share * 100)
                Console.error("\(String(format: "%5d", seconds)) s  \(percent)  \(text)")
            })
    }

    /// A model of the user's own.
    static func ownModel(_ path: String) throws -> ModelSpec {
        guard let text = try? String(contentsOfFile: FilePath.expanded(path), encoding: .utf8) else {
            throw UsageError("--model '\(path)' is no file that can be read")
        }
        do { return try ModelFile.read(text) } catch { throw UsageError("--model '\(path)': \(error)") }
    }

    static let withoutChain = "Left out (--no-chain): all figures below come from one process."

    /// - Parameter jobs: on the chain, whose time is mostly that of the rounds' phases.
    func announce(_ forecast: Double, jobs: Int) {
        let minutes = forecast / 60
        let text = minutes > 120 ? String(format: "%.1f hours", minutes / 60) : String(format: "%.0f minutes", max(minutes, 1))
        let chain = noChain ? "" : jobs == 1 ? ", and the job on the chain before it" : ", and \(jobs) jobs on the chain before it"
        Console.error(
            "forecast: about \(text) on this machine if nothing else runs\(chain); results that are kept in \(folder.appending(path: "runs").path) are not counted; interrupted, the same command goes on")
    }

    func write(_ files: ReportFiles) throws {
        for (name, text) in files.files {
            try Arguments.write(Array(text.utf8), to: folder.appending(path: name).path)
        }
        Console.error("wrote \(files.files.map(\.name).joined(separator: ", ")) to \(folder.path)")
    }

    func events(_ runs: [(name: String, points: [TrainingPoint])]) throws {
        guard let tensorboard else { return }
        for (name, points) in runs {
            var log = try EventLog(folder: tensorboard, run: name)
            for point in points {
                try log.add(
                    [
                        ("accuracy/test", point.accuracy), ("loss/test", point.loss),
                        ("loss/training", point.trainingLoss),
                    ], step: point.epoch)
            }
        }
        Console.error("wrote event files: tensorboard --logdir \(tensorboard)")
    }
}

struct PaperACommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "a", abstract: "Split learning: LeNet-5 on MNIST, cut at S2.",
        discussion: """
            Example: chain-cli paper a --out /tmp/paper-a --data ~/mnist --epochs 3
            """)

    @OptionGroup var options: PaperOptions

    @Option(help: "Edges that share the training samples.")
    var edges: Int = 2

    @Option(help: "Devices of each edge in the job on the chain, which hand it their samples; with 0 the edges have them. Default: 0.")
    var clients: Int?

    @Option(help: ArgumentHelp("A model of your own with a cut, as in Models/lenet5.yaml. Default: LeNet-5.", valueName: "file"))
    var model: String?

    func run() async throws {
        try options.check()
        guard (1...16).contains(edges) else { throw UsageError("--edges \(edges): 1 to 16 are possible") }
        if options.noChain, clients != nil {
            throw UsageError("--clients are devices of the job on a chain: --no-chain leaves that out")
        }
        let clients = clients ?? 0
        guard (0...16).contains(clients) else { throw UsageError("--clients \(clients): 0 to 16 are possible") }
        guard 1 + edges * (1 + clients) <= 64 else {
            throw UsageError("--clients \(clients): a cloud, \(edges) edges and their devices are more than the 64 places of a job")
        }
        let (data, folder) = try PaperData.mnist(options.data)
        var settings = options.full ? PaperA.Settings.full : PaperA.Settings()
        settings.samples = min(options.samples ?? settings.samples, data.training.count)
        settings.epochs = options.epochs ?? settings.epochs
        settings.seeds = options.seeds ?? settings.seeds
        settings.edges = edges
        settings.testSamples = data.test.count
        let own = try model.map { try PaperOptions.ownModel($0) }
        if let model { settings.model = URL(filePath: model).deletingPathExtension().lastPathComponent }
        let paper = PaperA(
            settings: settings, data: data, laboratory: try options.laboratory(), model: own ?? PaperModels.leNet5())
        if let problem = paper.problem { throw UsageError("this can't be trained: \(problem)") }
        options.announce(try paper.forecast(), jobs: 1)
        var chain = PaperOptions.withoutChain
        if !options.noChain {
            chain = try await PaperChain(
                out: options.folder, data: folder, contract: options.contractPath, model: paper.model,
                modelName: settings.model, edges: edges, samples: settings.samples,
                store: paper.laboratory.store
            ).splitReport(settings, devicesEach: clients)
        }
        let report = try paper.run()
        try options.write(try report.files(chain: chain))
        try options.events(report.runs.map { ("a/\($0.road.rawValue)-seed\($0.seed)", $0.points) })
        if options.json { Console.json(report) } else {
            for road in PaperA.Road.allCases {
                let all = report.runs.filter { $0.road == road }.map(\.accuracy)
                Console.out("\(road.title): \(Markdown.percent(Summary(all)))")
            }
            Console.out("report: \(options.folder.appending(path: "report.md").path)")
        }
    }
}

struct PaperBCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "b", abstract: "Fog learning: an MLP and a CNN on SVHN or MNIST.",
        discussion: """
            Example: chain-cli paper b --out /tmp/paper-b --dataset mnist --data ~/mnist --fog 3 --model mlp --fault poison:0.2
            """)

    enum DatasetName: String, ExpressibleByArgument, CaseIterable { case svhn, mnist }

    @OptionGroup var options: PaperOptions

    @Option(help: "The data: svhn, or mnist by the same protocol.")
    var dataset: DatasetName = .svhn

    @Option(help: ArgumentHelp("Numbers of fog nodes, with commas between them.", valueName: "n,..."))
    var fog = "3,5,7"

    @Option(help: "Devices of each fog node.")
    var clients = 6

    @Option(
        help: ArgumentHelp(
            "mlp or cnn, or a model of your own, as in Models/fog-mlp.yaml. Default: mlp and cnn.", valueName: "mlp|cnn|file"))
    var model: String?

    @Option(help: "Samples of a step of a fog node; the paper gives none.")
    var batch: Int?

    @Option(help: ArgumentHelp("What some fog nodes do wrong: withhold, poison, lie or copy, and the share.", valueName: "kind:share"))
    var fault: String?

    @Flag(help: "Leave out the comparison of aggregations and protections.")
    var noVariants = false

    private func chosen(for data: ExperimentData) throws -> PaperB.Settings {
        var settings = options.full ? PaperB.Settings.full : PaperB.Settings()
        settings.fogNodes = try fog.split(separator: ",", omittingEmptySubsequences: false).map { text in
            guard let number = Int(text), (1...64).contains(number) else {
                throw UsageError("--fog '\(fog)': give numbers from 1 to 64 with commas between them, such as 3,5,7")
            }
            return number
        }
        guard (1...256).contains(clients) else { throw UsageError("--clients \(clients): 1 to 256 are possible") }
        settings.clients = clients
        if let model {
            settings.models = [PaperB.Model.papers.first { $0.rawValue == model } ?? .own]
            let own = PaperB.Model.own.rawValue, mlp = PaperB.Model.mlp.rawValue
            settings.epochs[own] = settings.epochs[mlp]
            settings.samples[own] = settings.samples[mlp]
            settings.validation[own] = settings.validation[mlp]
            settings.batch[own] = settings.batch[mlp]
        }
        if let batch {
            guard (1...RoundPlan.maximumBatch).contains(batch) else {
                throw UsageError("--batch \(batch): 1 to \(RoundPlan.maximumBatch) are possible")
            }
            for model in settings.models { settings.batch[model.rawValue] = batch }
        }
        for model in settings.models {
            if let samples = options.samples { settings.samples[model.rawValue] = samples }
            if let epochs = options.epochs { settings.epochs[model.rawValue] = epochs }
        }
        settings.seeds = options.seeds ?? settings.seeds
        settings.variants = !noVariants
        settings.testSamples = min(settings.testSamples, data.test.count)
        if let fault {
            do { settings.fault = try PaperB.Fault(fault) } catch { throw UsageError("--fault: \(error)") }
        }
        let devices = (settings.fogNodes.max() ?? 1) * clients
        for model in settings.models where (settings.samples[model.rawValue] ?? 0) < devices {
            throw UsageError("--samples \(settings.samples[model.rawValue] ?? 0) are fewer than the \(devices) devices")
        }
        return settings
    }

    func run() async throws {
        try options.check()
        let (data, folder) = try dataset == .svhn ? PaperData.svhn(options.data) : PaperData.mnist(options.data)
        let settings = try chosen(for: data)
        let own = settings.models == [.own] ? try model.map { try PaperOptions.ownModel($0) } : nil
        let wanted = settings.models.map { (settings.samples[$0.rawValue] ?? 0) + (settings.validation[$0.rawValue] ?? 0) }.max()
        let paper = PaperB(
            settings: settings, data: try data.mixed(training: wanted ?? 0, test: settings.testSamples),
            laboratory: try options.laboratory(), ownModel: own)
        if let problem = paper.problem { throw UsageError("this can't be trained: \(problem)") }
        options.announce(try paper.forecast(), jobs: settings.fault == nil ? 1 : 3)
        var chain = PaperOptions.withoutChain
        if !options.noChain, let first = settings.models.first {
            // More fog nodes with all of their devices are more processes than two processors can feed.
            chain = try await PaperChain(
                out: options.folder, data: folder, contract: options.contractPath, model: paper.spec(first),
                modelName: first == .own ? model ?? "" : first.rawValue.uppercased(), edges: settings.fogNodes.min() ?? 3,
                samples: min(settings.samples[first.rawValue] ?? data.training.count, data.training.count),
                store: paper.laboratory.store
            ).fogReport(
                settings, dataset: dataset.rawValue, rounds: min(settings.epochs[first.rawValue] ?? 1, 8), batch: paper.batch(first))
        }
        let report = try paper.run()
        try options.write(try report.files(chain: chain))
        try options.events(
            report.fog.map { ("b/\($0.model.rawValue)-fog\($0.fogNodes)-seed\($0.seed)", $0.points.map(\.point)) }
                + report.central.map { ("b/\($0.model.rawValue)-central-seed\($0.seed)", $0.points) })
        if options.json { Console.json(report) } else {
            for model in settings.models {
                for nodes in settings.fogNodes {
                    let own = report.fog.filter { $0.model == model && $0.fogNodes == nodes }.map(\.accuracy)
                    let base = report.central.filter { $0.model == model }.map(\.accuracy)
                    Console.out(
                        "\(model.rawValue), \(nodes) fog nodes: \(Markdown.percent(Summary(own))), central \(Markdown.percent(Summary(base)))")
                }
            }
            for run in report.faults { Console.out("fault \(run.variant): \(Markdown.percent(run.accuracy))") }
            Console.out("report: \(options.folder.appending(path: "report.md").path)")
        }
    }
}

enum PaperClock {
    /// Of this process, all threads together.
    @Sendable static func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// Results as files. A run's name is its file's, so that a whole file is there or none.
struct FolderStore: RunStore {
    private let folder: URL

    init(_ folder: URL) throws {
        self.folder = folder
        do { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) } catch {
            throw UsageError("cannot make the folder \(folder.path): \(Reason.text(error))")
        }
    }

    func load(_ name: String) throws -> [UInt8]? {
        (try? Data(contentsOf: folder.appending(path: name + ".json"))).map { Array($0) }
    }

    func save(_ name: String, _ bytes: [UInt8]) throws {
        try Arguments.write(bytes, to: folder.appending(path: name + ".json").path)
    }
}
