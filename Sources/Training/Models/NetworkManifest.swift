public import Cryptography
public import Encoding

/// What a network consists of, by digests: one for each tensor. Its root goes on the chain, so that anybody can check a
/// file against the chain, and one tensor against the root.
///
/// The root is that of the RFC 9162 tree over: the model (`{ 0: u8, spec, part: u8 }`), each parameter tensor
/// (`{ 1: u8, name, shape: [u32], digest }`), and, with momentum, the velocities of each (`{ 2: u8, name, shape,
/// digest }`). A tensor's digest is the SHA-256 of its values' IEEE 754 bits, little-endian and row-major: of the bytes
/// that it has in a safetensors file.
public struct NetworkManifest: Sendable, Hashable {
    public let spec: ModelSpec
    public let part: Network.Part
    /// In the order of `Network.tensors`.
    public let parameters: [Digest]
    /// Nil without momentum.
    public let velocities: [Digest]?

    public init(_ network: Network) {
        spec = network.spec
        part = network.part
        parameters = Self.digests(of: network.parameters, network.tensors)
        velocities = network.velocities.map { Self.digests(of: $0, network.tensors) }
    }

    private static func digests(of values: [Float], _ tensors: [ParameterTensor]) -> [Digest] {
        var offset = 0
        return tensors.map { tensor in
            defer { offset += tensor.count }
            return Digest(sha256: Array(values[offset..<offset + tensor.count]).littleEndianBytes)
        }
    }

    /// The digest of the network. A manifest that was read may not fit its model: then there is none.
    public var root: Digest? {
        guard let tensors = try? Network.tensors(of: spec, part: part), tensors.count == parameters.count,
            velocities.map({ $0.count == tensors.count }) ?? true
        else { return nil }
        var leaves: [Digest] = []
        func add(_ kind: UInt8, _ body: (inout BorshEncoder) -> Void) {
            var encoder = BorshEncoder()
            encoder.integer(kind)
            body(&encoder)
            leaves.append(MerkleLog.leafHash(encoder.bytes))
        }
        add(0) {
            $0.value(spec)
            $0.integer(part.rawValue)
        }
        for (kind, digests) in [(UInt8(1), parameters), (2, velocities ?? [])] {
            for (tensor, digest) in zip(tensors, digests) {
                add(kind) {
                    $0.string(tensor.name)
                    $0.array(tensor.shape.map { UInt32(truncatingIfNeeded: $0) })
                    $0.value(digest)
                }
            }
        }
        return MerkleLog.root(leaves)
    }
}

extension Network {
    /// The root of its manifest: what the chain knows it by.
    public var digest: Digest {
        // A network's own manifest fits its model.
        NetworkManifest(self).root ?? .zero
    }

    static func tensors(of spec: ModelSpec, part: Part) throws(ModelProblem) -> [ParameterTensor] {
        let layers = try spec.examine()
        switch part {
        case .whole: return layers.flatMap(\.tensors)
        case .front: return layers[..<(spec.cut ?? 0)].flatMap(\.tensors)
        case .back: return layers[(spec.cut ?? layers.count)...].flatMap(\.tensors)
        }
    }
}

/// Canonical bytes: `{ spec, part: u8, parameters: [digest], velocities: optional [digest] }`.
extension NetworkManifest: BorshCodable {
    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(spec)
        encoder.integer(part.rawValue)
        encoder.array(parameters)
        encoder.bool(velocities != nil)
        if let velocities { encoder.array(velocities) }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        spec = try decoder.value()
        guard let part = Network.Part(rawValue: try decoder.integer()) else {
            throw decoder.failure(.notCanonical("unknown part"))
        }
        self.part = part
        let limit = 2 * ModelSpec.maximumLayers
        parameters = try decoder.array(limit: limit, smallestElement: 32)
        velocities = try decoder.bool() ? try decoder.array(limit: limit, smallestElement: 32) : nil
    }
}
