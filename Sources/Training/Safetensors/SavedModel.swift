public import Cryptography
import Encoding

/// A model as a file: what a job made, or what one starts from.
///
/// It is a safetensors file with the parameters under their PyTorch names and shapes, so that `load_state_dict` takes
/// it, and two texts: the architecture (`edgeproof.model`, YAML) and the manifest of all tensors (`edgeproof.manifest`,
/// hexadecimal Borsh of one `NetworkManifest` for fog learning, of the front's and the back's for split learning). The
/// manifest's root is the checkpoint that the chain names, so anybody can tell whose model a file is. Velocities are
/// not in the file; the manifest has their digests.
public struct SavedModel: Sendable {
    /// The whole model, without velocities.
    public let network: Network
    /// Of the whole, or of front and back.
    public let manifests: [NetworkManifest]
    /// What the chain knows the checkpoint by.
    public let digest: Digest

    private static let modelKey = "edgeproof.model"
    private static let manifestKey = "edgeproof.manifest"

    /// The model of a fog job, which the chain knows by its weights.
    public init(_ network: Network) throws(TrainingError) {
        guard network.part == .whole else { throw .model("a part of a model is no model") }
        try self.init(network, manifests: [NetworkManifest(network.withoutVelocities)])
    }

    /// The state of a split job.
    public init(_ checkpoint: Checkpoint) throws(TrainingError) {
        try self.init(
            try checkpoint.network, manifests: [NetworkManifest(checkpoint.front), NetworkManifest(checkpoint.back)])
    }

    private init(_ network: Network, manifests: [NetworkManifest]) throws(TrainingError) {
        guard let digest = Self.digest(of: manifests) else { throw .model("its manifest does not fit it") }
        self.manifests = manifests
        self.digest = digest
        self.network = network.withoutVelocities
    }

    private static func digest(of manifests: [NetworkManifest]) -> Digest? {
        let roots = manifests.compactMap(\.root)
        guard roots.count == manifests.count else { return nil }
        return switch manifests.map(\.part) {
        case [.whole]: roots[0]
        case [.front, .back]: Checkpoint.digest(front: roots[0], back: roots[1])
        default: nil
        }
    }

    /// The file.
    public var file: [UInt8] {
        var encoder = BorshEncoder()
        encoder.array(manifests)
        return Safetensors(
            tensors: network.namedTensors,
            metadata: [
                "format": "pt", Self.modelKey: network.spec.yaml, Self.manifestKey: Hexadecimal.encode(encoder.bytes),
            ]
        ).bytes
    }

    /// A file that was written by ``file``, whoever has had it since.
    ///
    /// - Parameter expected: the checkpoint that the chain names; without one, any intact file will do.
    public init(file: [UInt8], expecting expected: Digest? = nil) throws(SafetensorsError) {
        let content = try Safetensors(bytes: file)
        guard let text = content.metadata[Self.manifestKey] else {
            throw .manifest("it has none; a model trained elsewhere needs its specification beside it")
        }
        guard let bytes = Hexadecimal.decode(text) else { throw .manifest("not hexadecimal") }
        let manifests: [NetworkManifest]
        do throws(BorshError) {
            var decoder = BorshDecoder(bytes)
            manifests = try decoder.array(limit: 2)
            try decoder.finish()
        } catch {
            throw .manifest(error.description)
        }
        guard let digest = Self.digest(of: manifests), let spec = manifests.first?.spec,
            manifests.allSatisfy({ $0.spec == spec })
        else { throw .manifest("it does not fit its model") }
        let network = try Network(spec, tensors: content, hasMomentum: false)
        // Front and back one after the other have the tensors of the whole.
        guard NetworkManifest(network).parameters == manifests.flatMap(\.parameters) else {
            throw .manifest("a tensor has another digest")
        }
        if let expected, expected != digest { throw .digest(expected: expected.hex, found: digest.hex) }
        self.network = network
        self.manifests = manifests
        self.digest = digest
    }
}

extension Network {
    /// The parameters, by name.
    public var namedTensors: [Safetensors.Tensor] {
        var offset = 0
        return tensors.map { tensor in
            defer { offset += tensor.count }
            return Safetensors.Tensor(
                name: tensor.name, shape: tensor.shape, values: Array(parameters[offset..<offset + tensor.count]))
        }
    }

    /// A whole network of a model with the values of a file, such as one trained elsewhere; velocities start at 0. The
    /// file must have the model's tensors, each with its shape, and no other.
    public init(
        _ spec: ModelSpec, tensors file: Safetensors, hasMomentum: Bool = true
    ) throws(SafetensorsError) {
        let wanted: [ParameterTensor]
        do { wanted = try spec.tensors } catch { throw .model(error.description) }
        var found: [String: Safetensors.Tensor] = [:]
        for tensor in file.tensors { found[tensor.name] = tensor }
        var parameters: [Float] = []
        for tensor in wanted {
            guard let values = found.removeValue(forKey: tensor.name) else { throw .missing(tensor.name) }
            guard values.shape == tensor.shape else {
                throw .wrongShape(tensor.name, expected: tensor.shape, found: values.shape)
            }
            guard values.values.allFinite else { throw .notFinite(tensor.name) }
            parameters.append(contentsOf: values.values)
        }
        if let other = found.keys.min() { throw .unexpected(other) }
        do {
            try self.init(
                spec, parameters: parameters,
                velocities: hasMomentum ? [Float](repeating: 0, count: parameters.count) : nil)
        } catch {
            throw .model(error.description)
        }
    }
}
