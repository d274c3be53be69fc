/// # Experiments
///
/// The two papers' experiments, and reports of them.
///
/// What `chain-cli paper` computes in its own process: many seeds, sweeps and baselines over the machines of `Training`,
/// and the making of reports (Markdown, JSON), pictures (SVG) and TensorBoard's event files. Files, processes and the
/// chain are the caller's: data come in as image sets, results are kept through a `RunStore`.
///
/// The module promises
///
/// - **Every figure says where it comes from**: how many samples, epochs and seeds, and whether a chain was involved.
/// - **A run is a function of its name**: seeds, samples and settings stand in it, so that an interrupted series goes on
///   where it stopped and never mixes results of different settings.
/// - **The bytes are those of the messages** that would travel: encoded, counted and decoded again.

public import Training

/// The data of an experiment.
public struct ExperimentData: Sendable {
    public let kind: DataPlan.Kind
    /// As reports name it: "MNIST", or "SVHN subset, 11,083 samples".
    public let name: String
    public let training: ImageSet
    public let test: ImageSet

    public init(kind: DataPlan.Kind, name: String, training: ImageSet, test: ImageSet) {
        self.kind = kind
        self.name = name
        self.training = training
        self.test = test
    }

    /// With `samples` for training as far as the test images reach: the first of these come behind the training images,
    /// the last `test` of them stay for the test. So the paper on fog computing can take its 80,000 of SVHN, whose
    /// training part has 73,257. Runs of the file move, never single samples: digits of one photo stand together.
    public func mixed(training samples: Int, test: Int) throws -> ExperimentData {
        let moved = min(samples - training.count, self.test.count - test)
        guard moved > 0 else { return self }
        return ExperimentData(
            kind: kind, name: name, training: try training.appending(self.test.prefix(moved)),
            test: try self.test.select(self.test.count - test..<self.test.count))
    }

    var plan: DataPlan { kind == .mnist ? .mnist : DataPlan(kind: kind, normalisation: .measured) }
}

/// Where results of single runs are kept, so that an interrupted series goes on.
public protocol RunStore: Sendable {
    func load(_ name: String) throws -> [UInt8]?
    func save(_ name: String, _ bytes: [UInt8]) throws
}

/// What an experiment asks of its surroundings.
public struct Laboratory: Sendable {
    public let store: any RunStore
    public let threads: Int
    /// Processor time of this process so far, in seconds.
    public let processorSeconds: @Sendable () -> Double
    /// What just happened, and which share of the whole is done.
    public let progress: @Sendable (String, Double) -> Void

    public init(
        store: any RunStore, threads: Int, processorSeconds: @escaping @Sendable () -> Double,
        progress: @escaping @Sendable (String, Double) -> Void
    ) {
        self.store = store
        self.threads = threads
        self.processorSeconds = processorSeconds
        self.progress = progress
    }
}
