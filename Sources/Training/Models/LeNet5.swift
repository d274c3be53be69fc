public import Cryptography
public import Tensor

/// LeNet-5 (LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998), cut
/// after S2, with today's usual departures from the paper: rectifiers for the scaled tanh, plain averages in S2 and S4
/// (no trained coefficients), C3 connected to all six maps, and softmax cross-entropy on a dense output for the RBFs.
///
/// ```
/// input 1 x 32 x 32 -> C1 6 x 28 x 28 (5 x 5) -> ReLU -> S2 6 x 14 x 14      the front
///  -> C3 16 x 10 x 10 (5 x 5) -> ReLU -> S4 16 x 5 x 5 -> C5 120 -> ReLU -> F6 84 -> ReLU -> 10      the back
/// ```
public enum LeNet5 {
    /// The architecture, as in `Models/lenet5.yaml`.
    public static let spec = ModelSpec(
        input: [1, 32, 32],
        layers: [
            .convolution(ConvolutionLayer(name: "c1", filters: 6, kernel: Extent(5))), .activation(.relu),
            .averagePooling(PoolingLayer(size: Extent(2))),
            .convolution(ConvolutionLayer(name: "c3", filters: 16, kernel: Extent(5))), .activation(.relu),
            .averagePooling(PoolingLayer(size: Extent(2))), .flatten,
            .dense(DenseLayer(name: "c5", units: 120)), .activation(.relu),
            .dense(DenseLayer(name: "f6", units: 84)), .activation(.relu),
            .dense(DenseLayer(name: "output", units: 10)),
        ],
        classes: 10, cut: 3)
    public static let classes = spec.classes
    /// One sample as the front takes it: the 28 x 28 image with a border of 2.
    public static let inputShape = spec.input
    /// One sample at the cut: 1,176 values.
    public static let boundaryShape = [6, 14, 14]
    /// The momentum of every job; the learning rate is the job's own.
    public static let momentum: Float = 0.9
    /// A learning rate, in millionths, that suits 64 samples a step in all. Two edges with batches of 32 and 20 steps a
    /// round, on four seeds, then get 0.929 to 0.958 of MNIST's test images right after 10,240 samples, 0.962 to 0.968
    /// after 20,480, and 0.969 to 0.977 after 30,720.
    public static let suggestedLearningRateMicro: UInt32 = 20_000

    /// The optimiser for a job that gives its learning rate in millionths.
    public static func optimiser(learningRateMicro: UInt32) throws(TensorError) -> MomentumSGD {
        try MomentumSGD(learningRate: Float(learningRateMicro) / 1_000_000, momentum: momentum)
    }
}

/// The 32 bytes in a job's specification that all its random numbers come from.
public struct JobSeed: Bytes32 {
    public let words: Words256
    public init(words: Words256) { self.words = words }

    /// The key of the streams for one purpose: the first 8 bytes, little-endian, of SHA-256(purpose || seed).
    func key(for purpose: String) -> UInt64 {
        Digest(domain: purpose, parts: bytes).bytes.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
