/// What one layer of a valid model does to one sample: the sizes from which the network, the forecast and the messages
/// all derive theirs.
struct LayerGeometry: Sendable, Hashable {
    let layer: ModelLayer
    let input: [Int]
    let output: [Int]
    /// Weights, then bias; empty for layers without parameters.
    let tensors: [ParameterTensor]
    /// Of the forward pass of one sample.
    let multiplyAdds: Int

    var parameterCount: Int { tensors.reduce(0) { $0 + $1.count } }
    var inputCount: Int { input.reduce(1, *) }
    var outputCount: Int { output.reduce(1, *) }
}

extension ModelSpec {
    /// The geometry of each layer, or the first thing that is wrong. Sizes are checked before they are multiplied, so
    /// that no product can overflow.
    func examine() throws(ModelProblem) -> [LayerGeometry] {
        func fail(_ what: String) -> ModelProblem { ModelProblem(layer: nil, description: what) }
        guard input.count == 1 || input.count == 3 else {
            throw fail("the input has \(input.count) dimensions; give [features] or [channels, height, width]")
        }
        guard input.allSatisfy({ (1...Self.maximumSize).contains($0) }), Self.isWithinLimit(input) else {
            throw fail("an input of \(Self.text(input)); allowed are up to \(Self.maximumValues) values")
        }
        guard (2...Self.maximumClasses).contains(classes) else {
            throw fail("\(classes) classes; allowed are 2 to \(Self.maximumClasses)")
        }
        guard (1...Self.maximumLayers).contains(layers.count) else {
            throw fail("\(layers.count) layers; allowed are 1 to \(Self.maximumLayers)")
        }
        var geometries: [LayerGeometry] = []
        var shape = input
        var names: Set<String> = []
        var parameters = 0
        for (index, layer) in layers.enumerated() {
            let geometry = try Self.examine(layer, at: index, input: shape)
            if let name = layer.name, !names.insert(name).inserted {
                throw ModelProblem(layer: index, description: "layer \(index + 1): the name \(name) is taken")
            }
            parameters += geometry.parameterCount
            guard parameters <= Self.maximumParameters else {
                throw fail("more than \(Self.maximumParameters) parameters")
            }
            geometries.append(geometry)
            shape = geometry.output
        }
        guard shape == [classes] else {
            throw fail(
                "the last layer gives \(Self.text(shape)) values, \(classes) classes need \(classes): "
                    + "end with a dense layer of \(classes) units")
        }
        guard parameters > 0 else { throw fail("no layer has parameters: there is nothing to train") }
        if let cut {
            guard (1..<layers.count).contains(cut) else {
                throw fail("a cut after layer \(cut) of \(layers.count): both parts need a layer")
            }
            guard geometries[..<cut].contains(where: { !$0.tensors.isEmpty }),
                geometries[cut...].contains(where: { !$0.tensors.isEmpty })
            else { throw fail("a cut after layer \(cut): both parts need a layer with parameters") }
        }
        return geometries
    }

    /// Whether the values at the cut are never negative: the front ends in a rectifier or a sigmoid, with nothing but
    /// pooling and flattening behind it.
    var hasPositiveBoundary: Bool {
        for layer in layers.prefix(cut ?? 0).reversed() {
            switch layer {
            case .averagePooling, .maximumPooling, .flatten: continue
            case .activation(.relu), .activation(.sigmoid): return true
            case .activation, .convolution, .dense: return false
            }
        }
        return false
    }

    private static func isWithinLimit(_ shape: [Int]) -> Bool {
        // Three factors of at most 65,535 can't overflow.
        shape.reduce(1, *) <= maximumValues
    }

    private static func examine(
        _ layer: ModelLayer, at index: Int, input: [Int]
    ) throws(ModelProblem) -> LayerGeometry {
        func fail(_ what: String) -> ModelProblem {
            ModelProblem(layer: index, description: "layer \(index + 1) (\(layer.kind)): \(what)")
        }
        func image() throws(ModelProblem) -> (channels: Int, height: Int, width: Int) {
            guard input.count == 3 else {
                throw fail("needs [channels, height, width], gets \(text(input)) values")
            }
            return (input[0], input[1], input[2])
        }
        func check(_ extent: Extent, _ what: String) throws(ModelProblem) {
            guard (1...maximumSize).contains(extent.height), (1...maximumSize).contains(extent.width) else {
                throw fail("a \(what) of \(extent.height) x \(extent.width)")
            }
        }
        func checkName(_ name: String?) throws(ModelProblem) {
            guard let name else { return }
            let isWord = name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
                default: false
                }
            }
            guard isWord, (1...longestName).contains(name.utf8.count), Int(name) == nil else {
                throw fail(
                    "a name has 1 to \(longestName) letters, digits and underscores, and is no number: '\(name)'")
            }
        }
        func done(
            _ output: [Int], tensors: [ParameterTensor] = [], multiplyAdds: Int = 0
        ) throws(ModelProblem) -> LayerGeometry {
            guard isWithinLimit(output) else {
                throw fail("gives \(text(output)) values; allowed are up to \(maximumValues)")
            }
            return LayerGeometry(
                layer: layer, input: input, output: output, tensors: tensors, multiplyAdds: multiplyAdds)
        }
        let prefix = layer.name ?? String(index)

        switch layer {
        case .convolution(let convolution):
            let (channels, height, width) = try image()
            try checkName(convolution.name)
            try check(convolution.kernel, "kernel")
            try check(convolution.stride, "stride")
            guard (1...maximumSize).contains(convolution.filters) else { throw fail("\(convolution.filters) filters") }
            let (kernel, stride) = (convolution.kernel, convolution.stride)
            guard kernel.height <= height, kernel.width <= width else {
                throw fail(
                    "a kernel of \(kernel.height) x \(kernel.width) is larger than its input of \(height) x \(width)")
            }
            let output: [Int]
            switch convolution.padding {
            case .same:
                guard stride == Extent(1) else {
                    throw fail("padding 'same' goes with a stride of 1 only, this is \(stride.height) x \(stride.width)")
                }
                output = [convolution.filters, height, width]
            case .valid:
                output = [
                    convolution.filters, (height - kernel.height) / stride.height + 1,
                    (width - kernel.width) / stride.width + 1,
                ]
            }
            guard isWithinLimit(output) else { return try done(output) }
            // At most 65,535 filters over 2^22 values: no overflow.
            let weights = ParameterTensor(
                name: "\(prefix).weight", shape: [convolution.filters, channels, kernel.height, kernel.width])
            guard weights.count <= maximumParameters else { throw fail("more than \(maximumParameters) parameters") }
            return try done(
                output,
                tensors: [weights, ParameterTensor(name: "\(prefix).bias", shape: [convolution.filters])],
                multiplyAdds: weights.count * output[1] * output[2])

        case .averagePooling(let pooling), .maximumPooling(let pooling):
            let (channels, height, width) = try image()
            try check(pooling.size, "window")
            try check(pooling.stride, "stride")
            guard pooling.size.height <= height, pooling.size.width <= width else {
                throw fail(
                    "a window of \(pooling.size.height) x \(pooling.size.width) is larger than its input of "
                        + "\(height) x \(width)")
            }
            return try done([
                channels, (height - pooling.size.height) / pooling.stride.height + 1,
                (width - pooling.size.width) / pooling.stride.width + 1,
            ])

        case .dense(let dense):
            guard input.count == 1 else {
                throw fail("needs a flat input, gets \(text(input)): put a flatten before it")
            }
            try checkName(dense.name)
            guard (1...maximumSize).contains(dense.units) else { throw fail("\(dense.units) units") }
            let weights = ParameterTensor(name: "\(prefix).weight", shape: [dense.units, input[0]])
            guard weights.count <= maximumParameters else { throw fail("more than \(maximumParameters) parameters") }
            return try done(
                [dense.units], tensors: [weights, ParameterTensor(name: "\(prefix).bias", shape: [dense.units])],
                multiplyAdds: weights.count)

        case .activation:
            return try done(input)

        case .flatten:
            return try done([input.reduce(1, *)])
        }
    }
}
