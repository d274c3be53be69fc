import Encoding
import Tensor
import Testing
import Training

@Suite(.timeLimit(.minutes(20))) struct ModelSpecTests {
    private static let mlp = ModelSpec(
        input: [3, 8, 8],
        layers: [.flatten, .dense(DenseLayer(units: 20)), .activation(.tanh), .dense(DenseLayer(units: 4))], classes: 4)
    private static let cnn = ModelSpec(
        input: [2, 9, 7],
        layers: [
            .convolution(ConvolutionLayer(name: "one", filters: 5, kernel: Extent(3), padding: .same)),
            .activation(.relu), .maximumPooling(PoolingLayer(size: Extent(2))),
            .convolution(
                ConvolutionLayer(filters: 4, kernel: Extent(height: 2, width: 1), stride: Extent(height: 2, width: 1))),
            .activation(.sigmoid), .flatten, .dense(DenseLayer(units: 3)),
        ], classes: 3, cut: 3)

    @Test func geometryIsThatOfTheLayers() throws {
        #expect(LeNet5.spec.problem == nil)
        #expect(try LeNet5.spec.boundary == LeNet5.boundaryShape)
        #expect(try LeNet5.spec.parameterCount == 61_706)
        // C1 117,600, C3 240,000, C5 48,000, F6 10,080, output 840.
        #expect(try LeNet5.spec.multiplyAdds == 416_520)
        #expect(try Self.cnn.shapes == [[5, 9, 7], [5, 9, 7], [5, 4, 3], [4, 2, 3], [4, 2, 3], [24], [3]])
        #expect(
            try Self.cnn.tensors.map(\.name)
                == ["one.weight", "one.bias", "3.weight", "3.bias", "6.weight", "6.bias"])
        #expect(try Self.cnn.tensors.map(\.shape) == [[5, 2, 3, 3], [5], [4, 5, 2, 1], [4], [3, 24], [3]])
        #expect(try Self.mlp.boundary == nil)
    }

    @Test(arguments: [LeNet5.spec, mlp, cnn])
    func specificationsRoundTripByteForByte(spec: ModelSpec) throws {
        let bytes = spec.borsh
        #expect(try ModelSpec(borsh: bytes) == spec)
        for count in 0..<bytes.count {
            #expect(throws: BorshError.self) { try ModelSpec(borsh: Array(bytes.prefix(count))) }
        }
        #expect(throws: BorshError.self) { try ModelSpec(borsh: bytes + [0]) }
        #expect(throws: BorshError.self) { try ModelSpec(borsh: [9] + bytes.dropFirst()) }
    }

    /// Whatever bytes decode, examining them ends and says what is wrong or nothing.
    @Test(arguments: 0..<4 as Range<UInt64>) func damagedSpecificationsNeverTrap(seed: UInt64) throws {
        var stream = RandomStream(key: seed)
        let bytes = Self.cnn.borsh
        var decoded = 0
        for _ in 0..<3_000 {
            var damaged = bytes
            for _ in 0...stream.nextIndex(below: 3) {
                damaged[stream.nextIndex(below: damaged.count)] = UInt8(stream.nextIndex(below: 256))
            }
            guard let spec = try? ModelSpec(borsh: damaged) else { continue }
            decoded += 1
            #expect(spec.borsh == damaged)
            if spec.problem != nil {
                #expect(throws: TrainingError.self) { try Network(spec, seed: testSeed) }
            }
        }
        #expect(decoded > 100)
    }

    private static func variant(
        input: [Int] = [1, 8, 8], _ layers: [ModelLayer], classes: Int = 2, cut: Int? = nil
    ) -> ModelSpec {
        ModelSpec(input: input, layers: layers + [.flatten, .dense(DenseLayer(units: 2))], classes: classes, cut: cut)
    }

    @Test(arguments: [
        (variant(input: [8, 8], []), "dimensions"),
        (variant(input: [0, 8, 8], []), "an input of"),
        (variant(input: [65_535, 65_535, 65_535], []), "an input of"),
        (variant(input: [65_536, 1, 1], []), "an input of"),
        (variant([], classes: 1), "classes"),
        (variant([], classes: 3), "the last layer gives 2"),
        (variant([.flatten, .activation(.relu)]), "ok"),
        (ModelSpec(input: [4], layers: [], classes: 4), "0 layers"),
        (ModelSpec(input: [4], layers: [.activation(.relu)], classes: 4), "nothing to train"),
        (ModelSpec(input: [4], layers: Array(repeating: .flatten, count: 65), classes: 4), "65 layers"),
        (variant([.convolution(ConvolutionLayer(filters: 1, kernel: Extent(9)))]), "larger than its input"),
        (variant([.convolution(ConvolutionLayer(filters: 0, kernel: Extent(3)))]), "0 filters"),
        (variant([.convolution(ConvolutionLayer(filters: 1, kernel: Extent(0)))]), "a kernel of 0"),
        (variant([.convolution(ConvolutionLayer(filters: 1, kernel: Extent(3), stride: Extent(0)))]), "a stride of 0"),
        (
            variant([.convolution(ConvolutionLayer(filters: 1, kernel: Extent(3), stride: Extent(2), padding: .same))]),
            "stride of 1 only"
        ),
        (variant([.convolution(ConvolutionLayer(filters: 65_535, kernel: Extent(1), padding: .same))]), "ok"),
        (variant(input: [1, 64, 64], [.convolution(ConvolutionLayer(filters: 65_535, kernel: Extent(1)))]), "allowed"),
        (variant([.averagePooling(PoolingLayer(size: Extent(9)))]), "larger than its input"),
        (variant([.maximumPooling(PoolingLayer(size: Extent(2), stride: Extent(0)))]), "a stride of 0"),
        (variant([.dense(DenseLayer(units: 5))]), "put a flatten before it"),
        (variant([.flatten, .dense(DenseLayer(units: 0))]), "0 units"),
        (variant([.flatten, .dense(DenseLayer(units: 65_535)), .dense(DenseLayer(units: 65_535))]), "parameters"),
        (variant([.flatten, .dense(DenseLayer(name: "a.b", units: 5))]), "a name has"),
        (variant([.flatten, .dense(DenseLayer(name: "7", units: 5))]), "a name has"),
        (variant([.flatten, .dense(DenseLayer(name: "a", units: 5)), .dense(DenseLayer(name: "a", units: 5))]), "taken"),
        (variant([.flatten, .averagePooling(PoolingLayer(size: Extent(2)))]), "needs [channels"),
        (variant([], cut: 0), "a cut after layer 0"),
        (variant([], cut: 2), "a cut after layer 2"),
        (variant([], cut: 1), "both parts need a layer with parameters"),
    ])
    func problemsAreNamed(spec: ModelSpec, expected: String) {
        if expected == "ok" {
            #expect(spec.problem == nil)
        } else {
            #expect(spec.problem?.contains(expected) == true, "\(spec.problem ?? "no problem")")
            #expect(throws: TrainingError.self) { try Network(spec, seed: testSeed) }
        }
    }

    @Test func aModelThatDoesNotFitItsDataIsRefused() {
        #expect(LeNet5.spec.problem(forSamples: [1, 32, 32], classes: 10) == nil)
        #expect(LeNet5.spec.problem(forSamples: [3, 32, 32], classes: 10)?.contains("3 x 32 x 32") == true)
        #expect(LeNet5.spec.problem(forSamples: [1, 32, 32], classes: 11)?.contains("11") == true)
    }
}
