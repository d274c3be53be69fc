public import Training

/// The models of the two papers. The files in `Models/` describe the same ones.
public enum PaperModels {
    /// LeNet-5 cut at S2, with all numbers of channels and units times `scale`: 1,176 boundary values at scale 1.
    public static func leNet5(scale: Int = 1, side: Int = 32, channels: Int = 1) -> ModelSpec {
        ModelSpec(
            input: [channels, side, side],
            layers: [
                .convolution(ConvolutionLayer(name: "c1", filters: 6 * scale, kernel: Extent(5))), .activation(.relu),
                .averagePooling(PoolingLayer(size: Extent(2))),
                .convolution(ConvolutionLayer(name: "c3", filters: 16 * scale, kernel: Extent(5))), .activation(.relu),
                .averagePooling(PoolingLayer(size: Extent(2))), .flatten,
                .dense(DenseLayer(name: "c5", units: 120 * scale)), .activation(.relu),
                .dense(DenseLayer(name: "f6", units: 84 * scale)), .activation(.relu),
                .dense(DenseLayer(name: "output", units: 10)),
            ], classes: 10, cut: 3)
    }

    // The paper's learning rate of 0.1 needs narrow initial weights, which it leaves open: with those of He the first
    // steps of the convolutional network overshoot, and its rectifiers never come back.

    /// The multilayer perceptron of the paper on fog computing: 1,024, 256 and 128 units, and 10 classes.
    public static func fogMLP(input: [Int]) -> ModelSpec {
        ModelSpec(
            input: input,
            layers: [
                .flatten, .dense(DenseLayer(name: "fc1", units: 1_024)), .activation(.relu),
                .dense(DenseLayer(name: "fc2", units: 256)), .activation(.relu),
                .dense(DenseLayer(name: "fc3", units: 128)), .activation(.relu),
                .dense(DenseLayer(name: "output", units: 10)),
            ], classes: 10, initial: .narrow)
    }

    /// Its convolutional network: 256, 128 and 64 filters. The paper leaves kernels and pooling open: 3 x 3 with
    /// padding, and 2 x 2.
    public static func fogCNN(input: [Int]) -> ModelSpec {
        let blocks = [256, 128, 64].enumerated().flatMap { index, filters -> [ModelLayer] in
            [
                .convolution(
                    ConvolutionLayer(name: "conv\(index + 1)", filters: filters, kernel: Extent(3), padding: .same)),
                .activation(.relu), .maximumPooling(PoolingLayer(size: Extent(2))),
            ]
        }
        return ModelSpec(
            input: input, layers: blocks + [.flatten, .dense(DenseLayer(name: "output", units: 10))], classes: 10,
            initial: .narrow)
    }

    /// A model's input for data of this kind: MNIST gets the border that makes it 32 x 32.
    public static func input(for kind: DataPlan.Kind, images: ImageSet) -> [Int] {
        switch kind {
        case .mnist: [1, 32, 32]
        case .svhn: [3, 32, 32]
        case .idx: [images.channels, images.height, images.width]
        }
    }
}
