public import Tensor

/// Where the samples of a split job's step come from.
public protocol SampleSource: Sendable {
    var count: Int { get }
    /// The samples at these places, as the model takes them, and their labels.
    func samples(at indices: [Int]) throws(TrainingError) -> (inputs: FloatTensor, labels: [UInt8])
}

extension Dataset: SampleSource {
    public func samples(at indices: [Int]) throws(TrainingError) -> (inputs: FloatTensor, labels: [UInt8]) {
        let (images, labels) = try batch(indices)
        return (images, labels)
    }
}

extension FeatureSet: SampleSource {
    public func samples(at indices: [Int]) throws(TrainingError) -> (inputs: FloatTensor, labels: [UInt8]) {
        try batch(indices)
    }
}

/// Images that become numbers when they are asked for: a byte a pixel is kept, not four.
public struct ImageSamples: SampleSource {
    private let images: ImageSet
    private let input: [Int]
    private let normalisation: DataPlan.Normalisation

    public var count: Int { images.count }

    public init(_ images: ImageSet, input: [Int], normalisation: DataPlan.Normalisation) {
        self.images = images
        self.input = input
        self.normalisation = normalisation
    }

    public func samples(at indices: [Int]) throws(TrainingError) -> (inputs: FloatTensor, labels: [UInt8]) {
        let features = try images.features(of: indices, input: input, normalisation: normalisation)
        return try features.batch(0..<features.count)
    }
}

/// The part of each sample that one edge of several sees (``SplitLearning/view(_:edge:of:blank:)``): the weighted sum
/// joins what edges make of parts of the same samples.
public struct PartialSamples: SampleSource {
    private let source: any SampleSource
    private let index: Int
    private let edges: Int
    private let blank: Float

    public var count: Int { source.count }

    public init(_ source: any SampleSource, edge index: Int, of edges: Int, blank: Float) {
        self.source = source
        self.index = index
        self.edges = edges
        self.blank = blank
    }

    public func samples(at indices: [Int]) throws(TrainingError) -> (inputs: FloatTensor, labels: [UInt8]) {
        let (inputs, labels) = try source.samples(at: indices)
        return (try SplitLearning.view(inputs, edge: index, of: edges, blank: blank), labels)
    }
}

extension TrainingPlan {
    /// An edge's own images as the source of its steps.
    /// - Parameters:
    ///   - index: the edge's place.
    ///   - edges: places for edges in the job.
    public func source(_ images: ImageSet, edge index: Int, of edges: Int) throws(TrainingError) -> any SampleSource {
        let source: any SampleSource
        switch data.normalisation {
        case .measured: source = try evaluationSamples(images)
        case .unit, .fixed:
            if device.projection > 0 { source = try evaluationSamples(images) } else {
                source = ImageSamples(images, input: model.input, normalisation: data.normalisation)
            }
        }
        guard join == .weightedSum else { return source }
        return PartialSamples(source, edge: index, of: edges, blank: blank)
    }

    /// What a pixel of 0 becomes.
    private var blank: Float {
        guard case .fixed(let mean, let deviation) = data.normalisation else { return 0 }
        return -Float(mean) / Float(deviation)
    }
}
