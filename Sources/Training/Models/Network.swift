public import Encoding
public import Tensor

/// A model, or one of the two parts that its cut makes, with its parameters: what trains.
///
/// Parameters are one flat vector in the order of `tensors` (row-major within each), on which differences, means and
/// noise work; `values(of:)` gives a tensor by its name. With momentum, the optimiser's velocities go along in the same
/// order. All results are the same bits for any number of threads and any processor (see `Tensor`).
public struct Network: Sendable {
    public enum Part: UInt8, Sendable, Hashable {
        case whole = 0
        /// The layers before the cut.
        case front = 1
        /// The layers behind the cut.
        case back = 2
    }

    public let spec: ModelSpec
    public let part: Part
    public internal(set) var parameters: [Float]
    /// Nil where the optimiser keeps none (plain SGD).
    public internal(set) var velocities: [Float]?
    private let program: NetworkProgram

    /// The initial network of a job.
    ///
    /// Weights are uniform from the stream of their layer, in row-major order, within the bounds of ``InitialWeights``;
    /// biases and velocities are 0. A part has the values that the whole has.
    public init(
        _ spec: ModelSpec, part: Part = .whole, seed: JobSeed, hasMomentum: Bool = true
    ) throws(TrainingError) {
        let program = try Self.program(spec, part: part)
        var values: [Float] = []
        values.reserveCapacity(program.parameterCount)
        for initial in program.initials {
            var stream = RandomStream(
                key: seed.key(for: "edgeproof/initial-weights/1"), worker: UInt32(initial.layer))
            let spread: Float = spec.initial == .narrow ? 1 : initial.isRectified ? 6 : 3
            let bound = (spread / Float(initial.fanIn)).squareRoot()
            for _ in 0..<initial.weights { values.append((stream.nextUnit() * 2 - 1) * bound) }
            values.append(contentsOf: repeatElement(0, count: initial.biases))
        }
        self.init(
            spec: spec, part: part, program: program, parameters: values,
            velocities: hasMomentum ? [Float](repeating: 0, count: values.count) : nil)
    }

    /// A network with these values, such as weights trained elsewhere.
    public init(
        _ spec: ModelSpec, part: Part = .whole, parameters: [Float], velocities: [Float]?
    ) throws(TrainingError) {
        let program = try Self.program(spec, part: part)
        for values in [parameters, velocities ?? parameters] where values.count != program.parameterCount {
            throw .model("\(values.count) values, the model has \(program.parameterCount) parameters")
        }
        self.init(spec: spec, part: part, program: program, parameters: parameters, velocities: velocities)
    }

    private init(spec: ModelSpec, part: Part, program: NetworkProgram, parameters: [Float], velocities: [Float]?) {
        self.spec = spec
        self.part = part
        self.program = program
        self.parameters = parameters
        self.velocities = velocities
    }

    private static func program(_ spec: ModelSpec, part: Part) throws(TrainingError) -> NetworkProgram {
        let geometries: [LayerGeometry]
        do { geometries = try spec.examine() } catch { throw .model(error.description) }
        let range: Range<Int>
        switch (part, spec.cut) {
        case (.whole, _): range = 0..<geometries.count
        case (.front, let cut?): range = 0..<cut
        case (.back, let cut?): range = cut..<geometries.count
        case (_, nil): throw .model("it has no cut")
        }
        return try computing { () throws(TensorError) in try NetworkProgram(geometries, range: range) }
    }

    // MARK: What it is

    /// The parameter tensors, in the order of the flat vector.
    public var tensors: [ParameterTensor] { program.tensors }
    /// One sample as it goes in, and as it comes out.
    public var inputShape: [Int] { program.inputShape }
    public var outputShape: [Int] { program.outputShape }
    public var hasMomentum: Bool { velocities != nil }

    /// The values of one parameter tensor, row-major; nil if none has that name.
    public func values(of name: String) -> [Float]? {
        var offset = 0
        for tensor in tensors {
            if tensor.name == name { return Array(parameters[offset..<offset + tensor.count]) }
            offset += tensor.count
        }
        return nil
    }

    /// Whether all parameters and velocities are finite.
    public var isFinite: Bool { parameters.allFinite && velocities?.allFinite ?? true }

    /// The same network with other values, each of `parameterCount`.
    public func replacing(parameters: [Float], velocities: [Float]?) throws(TensorError) -> Network {
        for values in [parameters, velocities ?? parameters] where values.count != program.parameterCount {
            throw .elementCount(expected: program.parameterCount, found: values.count)
        }
        return Network(
            spec: spec, part: part, program: program, parameters: parameters, velocities: velocities)
    }

    public var parameterCount: Int { program.parameterCount }

    /// The same parameters, and no optimiser's velocities.
    public var withoutVelocities: Network {
        Network(spec: spec, part: part, program: program, parameters: parameters, velocities: nil)
    }

    // MARK: Parts

    /// The two parts of a whole network that has a cut.
    public func split() throws(TrainingError) -> (front: Network, back: Network) {
        guard part == .whole else { throw .model("only a whole network can be split") }
        let front = try Self.program(spec, part: .front), back = try Self.program(spec, part: .back)
        let border = front.parameterCount
        return (
            Network(
                spec: spec, part: .front, program: front, parameters: Array(parameters[..<border]),
                velocities: velocities.map { Array($0[..<border]) }),
            Network(
                spec: spec, part: .back, program: back, parameters: Array(parameters[border...]),
                velocities: velocities.map { Array($0[border...]) })
        )
    }

    /// The whole that two parts of one model make.
    public init(front: Network, back: Network) throws(TrainingError) {
        guard front.part == .front, back.part == .back, front.spec == back.spec,
            front.hasMomentum == back.hasMomentum
        else { throw .model("these are not the front and the back of one model") }
        var velocities = front.velocities
        velocities?.append(contentsOf: back.velocities ?? [])
        self.init(
            spec: front.spec, part: .whole, program: try Self.program(front.spec, part: .whole),
            parameters: front.parameters + back.parameters, velocities: velocities)
    }

    // MARK: Forward

    /// What backward needs of a forward pass, and the output that it gave.
    public struct Pass: Sendable {
        fileprivate let values: [Blocks]
        public let output: FloatTensor
    }

    /// For samples `[N] + inputShape`; the output is `[N] + outputShape`.
    /// - Parameter trace: takes down what comes out of each operation.
    public func forward(
        _ input: FloatTensor, threads: Int = 1, trace: TraceRecorder? = nil
    ) throws(TensorError) -> Pass {
        try check(input, shape: inputShape, "input")
        var values = [try Blocks(input, layout: program.valueLayouts[0], threads: threads)]
        values.reserveCapacity(program.operations.count + 1)
        for (index, operation) in program.operations.enumerated() {
            values.append(
                try forward(operation, values[index], into: program.valueLayouts[index + 1], threads: threads))
            // At once: an activation works in place.
            trace?.note(values[index + 1], threads: threads)
        }
        return Pass(
            values: values,
            output: try values[values.count - 1].tensor(sample: outputShape, threads: threads))
    }

    private func forward(
        _ operation: NetworkProgram.Operation, _ input: Blocks, into layout: BlockLayout, threads: Int
    ) throws(TensorError) -> Blocks {
        switch operation {
        case .flatten: return input.flattened()
        case .activation(let function):
            // In place: what is behind it needs the result alone.
            function.forward(input, into: input, threads: threads)
            return input
        case .pooling(let pooling):
            let output = try Blocks(layout, samples: input.samples)
            pooling.forward(input, into: output, threads: threads)
            return output
        case .convolution(let convolution, let offset, let rectifies):
            let output = try Blocks(layout, samples: input.samples)
            withParameters(at: offset) {
                convolution.forward(input, parameters: $0, into: output, rectifies: rectifies, threads: threads)
            }
            return output
        case .dense(let dense, let offset, let rectifies):
            let output = try Blocks(layout, samples: input.samples)
            withParameters(at: offset) {
                dense.forward(input, parameters: $0, into: output, rectifies: rectifies, threads: threads)
            }
            return output
        }
    }

    private func withParameters(at offset: Int, _ body: (UnsafePointer<Float>) -> Void) {
        parameters.withUnsafeBufferPointer { if let base = $0.baseAddress { body(base + offset) } }
    }

    // MARK: Backward

    /// The gradient of the parameters, in the order of the flat vector, from that of the output of `pass`; and that of
    /// the input, if it is wanted.
    public func gradient(
        _ pass: Pass, outputGradient: FloatTensor, wantsInputGradient: Bool = false, threads: Int = 1
    ) throws(TensorError) -> (parameters: [Float], input: FloatTensor?) {
        var result = [Float](repeating: 0, count: parameterCount)
        let input = try result.withUnsafeMutableBufferPointer { buffer throws(TensorError) -> Blocks? in
            guard let base = buffer.baseAddress else { return nil }
            return try parameters.withUnsafeBufferPointer { values throws(TensorError) -> Blocks? in
                guard let values = values.baseAddress else { return nil }
                return try program.backward(
                    pass.values, outputGradient: outputGradient, outputShape: outputShape, parameters: values,
                    wantsInputGradient: wantsInputGradient, threads: threads
                ) { operation, input, gradient in
                    switch operation {
                    case .convolution(let convolution, let offset, _):
                        convolution.backwardParameters(input, gradient: gradient, into: base + offset, threads: threads)
                    case .dense(let dense, let offset, _):
                        dense.backwardParameters(input, gradient: gradient, into: base + offset, threads: threads)
                    case .pooling, .activation, .flatten: break
                    }
                }
            }
        }
        return (result, try input?.tensor(sample: inputShape, threads: threads))
    }

    /// One step down the gradient of the output of `pass`. Gives the gradient of the input at the parameters before the
    /// step, if it is wanted. The bits are those of `gradient` and then `apply`.
    @discardableResult
    public mutating func step(
        _ pass: Pass, outputGradient: FloatTensor, optimiser: MomentumSGD, wantsInputGradient: Bool = false,
        threads: Int = 1, trace: TraceRecorder? = nil
    ) throws(TensorError) -> FloatTensor? {
        try check(optimiser)
        trace?.note(outputGradient)
        let (program, shape) = (program, outputShape)
        let input = try withMutableValues { values, velocities throws(TensorError) -> Blocks? in
            try program.backward(
                pass.values, outputGradient: outputGradient, outputShape: shape, parameters: values,
                wantsInputGradient: wantsInputGradient, threads: threads
            ) { operation, input, gradient in
                trace?.note(gradient, threads: threads)
                switch operation {
                case .convolution(let convolution, let offset, _):
                    convolution.step(
                        input, gradient: gradient, parameters: values + offset,
                        velocities: velocities.map { $0 + offset }, optimiser: optimiser, threads: threads)
                case .dense(let dense, let offset, _):
                    dense.step(
                        input, gradient: gradient, parameters: values + offset,
                        velocities: velocities.map { $0 + offset }, optimiser: optimiser, threads: threads)
                case .pooling, .activation, .flatten: break
                }
            }
        }
        trace?.note(parametersOf: self)
        let gradient = try input?.tensor(sample: inputShape, threads: threads)
        if let gradient { trace?.note(gradient) }
        return gradient
    }

    /// One step along a gradient that was worked on, such as a clipped or noised one.
    public mutating func apply(gradient: [Float], optimiser: MomentumSGD) throws(TensorError) {
        try check(optimiser)
        guard gradient.count == parameterCount else {
            throw .elementCount(expected: parameterCount, found: gradient.count)
        }
        try withMutableValues { values, velocities throws(TensorError) in
            gradient.withUnsafeBufferPointer { gradient in
                guard let base = gradient.baseAddress else { return }
                optimiser.step(values, velocities: velocities, gradient: base, count: gradient.count)
            }
        }
    }

    /// Forward, loss and step on one batch, for a whole network; gives the loss before the step.
    public mutating func train(
        _ input: FloatTensor, labels: [UInt8], optimiser: MomentumSGD, threads: Int = 1, trace: TraceRecorder? = nil
    ) throws(TensorError) -> SoftmaxCrossEntropy.Output {
        if let trace {
            trace.begin()
            trace.note(input)
            trace.note(labels: labels)
        }
        let pass = try forward(input, threads: threads, trace: trace)
        let loss = try SoftmaxCrossEntropy.evaluate(logits: pass.output, labels: labels)
        try step(pass, outputGradient: loss.gradient, optimiser: optimiser, threads: threads, trace: trace)
        return loss
    }

    private mutating func withMutableValues<Result>(
        _ body: (UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>?) throws(TensorError) -> Result
    ) throws(TensorError) -> Result {
        // A model without parameters is none (`ModelSpec.problem`), but a part may be written to by nobody else either.
        let hasMomentum = velocities != nil
        var speeds = velocities ?? []
        velocities = nil
        defer { if hasMomentum { velocities = speeds } }
        return try parameters.withUnsafeMutableBufferPointer { values throws(TensorError) -> Result in
            try speeds.withUnsafeMutableBufferPointer { speeds throws(TensorError) -> Result in
                guard let values = values.baseAddress else { throw .invalidShape([0]) }
                return try body(values, hasMomentum ? speeds.baseAddress : nil)
            }
        }
    }

    private func check(_ optimiser: MomentumSGD) throws(TensorError) {
        guard optimiser.momentum == 0 || hasMomentum else {
            throw .hyperparameter("momentum of a network without velocities")
        }
    }

    private func check(_ tensor: FloatTensor, shape: [Int], _ operand: String) throws(TensorError) {
        guard Array(tensor.shape.dropFirst()) == shape else {
            throw .shapeMismatch(operand: operand, expected: [0] + shape, found: tensor.shape)
        }
    }
}

extension NetworkProgram {
    /// Runs from the last operation to the first. `update` gets each operation with parameters, its input and the
    /// gradient of its output, after the parameters have been used for the gradient of the input.
    func backward(
        _ values: [Blocks], outputGradient: FloatTensor, outputShape: [Int], parameters: UnsafePointer<Float>,
        wantsInputGradient: Bool, threads: Int, update: (Operation, Blocks, Blocks) -> Void
    ) throws(TensorError) -> Blocks? {
        guard let last = values.last, outputGradient.shape == [last.samples] + outputShape,
            let lastLayout = gradientLayouts.last
        else {
            throw .shapeMismatch(
                operand: "gradient", expected: [values.last?.samples ?? 0] + outputShape, found: outputGradient.shape)
        }
        var gradient = try Blocks(outputGradient, layout: lastLayout, threads: threads)
        // Before the first operation with parameters nothing needs a gradient, unless the caller wants the input's.
        let first = wantsInputGradient ? 0 : operations.firstIndex(where: \.hasParameters) ?? 0
        // The gradient has passed the rectifier of the operation before already.
        var isRectified = false
        for index in operations.indices.reversed() where index >= first {
            let isNeeded = index > first || wantsInputGradient
            let (input, output) = (values[index], values[index + 1])
            let layout = index > 0 ? gradientLayouts[index - 1] : BlockLayout(inputShape)
            switch operations[index] {
            case .flatten:
                gradient = try gradient.copied(to: layout, threads: threads)
            case .activation(let function):
                function.backward(gradient, output: output, threads: threads)
            case .pooling(let pooling):
                guard isNeeded else { return nil }
                let target = try Blocks(layout, samples: input.samples, isZeroed: !pooling.coversInput)
                isRectified = pooling.mergesRectifier && index > 0 && operations[index - 1].rectifies
                pooling.backward(
                    gradient, input: input, output: output, into: target, isRectified: isRectified, threads: threads)
                gradient = target
            case .convolution(let convolution, let offset, let rectifies):
                if rectifies, !isRectified {
                    ActivationOperator.rectifier.backward(gradient, output: output, threads: threads)
                }
                isRectified = false
                let target = isNeeded ? try Blocks(layout, samples: input.samples) : nil
                if let target {
                    convolution.backwardInput(gradient, weights: parameters + offset, into: target, threads: threads)
                }
                update(operations[index], input, gradient)
                if let target { gradient = target }
            case .dense(let dense, let offset, let rectifies):
                if rectifies, !isRectified {
                    ActivationOperator.rectifier.backward(gradient, output: output, threads: threads)
                }
                isRectified = false
                let target = isNeeded ? try Blocks(layout, samples: input.samples) : nil
                if let target {
                    dense.backwardInput(gradient, weights: parameters + offset, into: target, threads: threads)
                }
                update(operations[index], input, gradient)
                if let target { gradient = target }
            }
        }
        return wantsInputGradient ? gradient : nil
    }
}

extension NetworkProgram.Operation {
    var rectifies: Bool {
        switch self {
        case .convolution(_, _, let rectifies), .dense(_, _, let rectifies): rectifies
        case .pooling, .activation, .flatten: false
        }
    }

    var hasParameters: Bool {
        switch self {
        case .convolution, .dense: true
        case .pooling, .activation, .flatten: false
        }
    }
}

/// Equal means the same model and the same *bits*.
extension Network: Equatable {
    public static func == (a: Network, b: Network) -> Bool {
        a.spec == b.spec && a.part == b.part && a.hasMomentum == b.hasMomentum
            && a.parameters.hasBits(of: b.parameters) && (a.velocities ?? []).hasBits(of: b.velocities ?? [])
    }
}

/// Canonical bytes: `{ spec, part: u8, hasMomentum: bool, parameters: [f32], velocities: [f32] if any }`, the values
/// without a length, since the model says how many there are. Values that are not finite have no encoding that decodes.
extension Network: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(spec)
        encoder.integer(part.rawValue)
        encoder.bool(hasMomentum)
        encoder.floats(parameters)
        if let velocities { encoder.floats(velocities) }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let start = decoder.offset
        let spec: ModelSpec = try decoder.value()
        guard let part = Part(rawValue: try decoder.integer()) else {
            throw decoder.failure(.notCanonical("unknown part"))
        }
        let hasMomentum = try decoder.bool()
        let program: NetworkProgram
        do { program = try Self.program(spec, part: part) } catch {
            throw BorshError(.notCanonical("\(error)"), at: start)
        }
        let parameters = try decoder.floats(count: program.parameterCount)
        self.init(
            spec: spec, part: part, program: program, parameters: parameters,
            velocities: hasMomentum ? try decoder.floats(count: program.parameterCount) : nil)
    }
}
