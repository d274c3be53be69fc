import Cryptography
import Encoding
import Primitives
import StateTree

/// A value of the state, or its absence, with the proof.
public struct ProvenValue<Value: BorshCodable & Hashable & Sendable>: BorshCodable, Hashable, Sendable {
    /// Nil where the state holds none.
    public let value: Value?
    public let proof: StateProof

    public init(value: Value?, proof: StateProof) {
        self.value = value
        self.proof = proof
    }

    /// Whether the state with this root has this value at the key.
    public func isProven(key: StateKey, root: Digest) -> Bool {
        proof.verify(root: root, path: key.path, valueHash: value.map { StateTree.valueHash($0.borsh) })
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.optional(value)
        encoder.value(proof)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        value = try decoder.optional()
        proof = try decoder.value()
    }
}
