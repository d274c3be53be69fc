import Tensor

/// What a part of a model computes, compiled from its layers once: which operators run, where their parameters lie, and
/// how activations and gradients must be laid out for the operator that reads them.
struct NetworkProgram: Sendable {
    enum Operation: Sendable {
        /// `offset` is that of the weights in the flat parameters; the bias follows them. A rectifier right behind the
        /// layer is part of it.
        case convolution(ConvolutionOperator, offset: Int, rectifies: Bool)
        case dense(DenseOperator, offset: Int, rectifies: Bool)
        case pooling(PoolingOperator)
        case activation(ActivationOperator)
        case flatten
    }

    let operations: [Operation]
    let tensors: [ParameterTensor]
    /// Whether a layer with these weights is followed by a rectifier, and its inputs for each output: what the initial
    /// weights depend on. One for each layer with parameters, with its place in the whole model.
    let initials: [(layer: Int, weights: Int, biases: Int, fanIn: Int, isRectified: Bool)]
    let inputShape: [Int]
    let outputShape: [Int]
    let parameterCount: Int

    /// The layout of what goes into each operation; one more for what comes out of the last.
    let valueLayouts: [BlockLayout]
    /// The layout of the gradient of each operation's output.
    let gradientLayouts: [BlockLayout]

    init(_ geometries: [LayerGeometry], range: Range<Int>) throws(TensorError) {
        var operations: [Operation] = []
        var initials: [(layer: Int, weights: Int, biases: Int, fanIn: Int, isRectified: Bool)] = []
        var offset = 0
        var index = range.lowerBound
        while index < range.upperBound {
            let geometry = geometries[index]
            let isRectified = index + 1 < geometries.count && geometries[index + 1].layer == .activation(.relu)
            let rectifies = isRectified && index + 1 < range.upperBound
            switch geometry.layer {
            case .convolution(let layer):
                let convolution = try ConvolutionOperator(
                    channels: geometry.input[0], height: geometry.input[1], width: geometry.input[2],
                    filters: layer.filters, kernel: (layer.kernel.height, layer.kernel.width),
                    stride: (layer.stride.height, layer.stride.width), pads: layer.padding == .same)
                operations.append(.convolution(convolution, offset: offset, rectifies: rectifies))
                initials.append((index, convolution.weightCount, layer.filters, convolution.depth, isRectified))
            case .dense(let layer):
                let dense = try DenseOperator(inputs: geometry.inputCount, outputs: layer.units)
                operations.append(.dense(dense, offset: offset, rectifies: rectifies))
                initials.append((index, dense.weightCount, layer.units, dense.inputs, isRectified))
            case .averagePooling(let layer), .maximumPooling(let layer):
                let isMaximum = if case .maximumPooling = geometry.layer { true } else { false }
                operations.append(
                    .pooling(
                        try PoolingOperator(
                            isMaximum ? .maximum : .average, channels: geometry.input[0], height: geometry.input[1],
                            width: geometry.input[2], size: (layer.size.height, layer.size.width),
                            stride: (layer.stride.height, layer.stride.width))))
            case .activation(let function):
                operations.append(.activation(ActivationOperator(function)))
            case .flatten: operations.append(.flatten)
            }
            offset += geometry.parameterCount
            index += rectifies && !geometry.tensors.isEmpty ? 2 : 1
        }
        self.operations = operations
        self.initials = initials
        tensors = geometries[range].flatMap(\.tensors)
        parameterCount = offset
        inputShape = geometries[range.lowerBound].input
        outputShape = geometries[range.upperBound - 1].output

        // What each operation wants to read, from the last to the first.
        var wanted = BlockLayout(outputShape)
        var values = [wanted]
        for operation in operations.reversed() {
            switch operation {
            case .convolution(let convolution, _, _): wanted = convolution.inputLayout
            case .dense(let dense, _, _): wanted = dense.inputLayout
            case .pooling(let pooling): wanted = pooling.inputLayout
            case .activation: break
            case .flatten: break
            }
            values.append(wanted)
        }
        values.reverse()
        // In place, a flat sample and the image before it are the same memory.
        var shape = BlockLayout(inputShape)
        var gradient = shape
        var gradients: [BlockLayout] = []
        for (index, operation) in operations.enumerated() {
            switch operation {
            case .convolution(let convolution, _, _):
                shape = convolution.outputLayout
                gradient = convolution.gradientLayout
            case .dense(let dense, _, _):
                shape = dense.outputLayout
                gradient = shape
            case .pooling(let pooling):
                shape = pooling.outputLayout
                gradient = shape
            case .activation: break
            case .flatten:
                values[index] = shape
                shape = shape.flattened
                gradient = shape
            }
            gradients.append(gradient)
        }
        // An activation or a flatten before another operation hands on what that wants, in the sizes of its own.
        for index in operations.indices.reversed() {
            if case .activation = operations[index] { values[index] = values[index + 1] }
        }
        valueLayouts = values
        gradientLayouts = gradients
    }
}

extension ActivationOperator {
    init(_ function: Activation) {
        self =
            switch function {
            case .relu: .rectifier
            case .tanh: .tanh
            case .sigmoid: .sigmoid
            case .scaledTanh: .scaledTanh
            }
    }
}
