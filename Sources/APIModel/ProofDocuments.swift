import Cryptography
import Primitives

/// `GET /v1/blocks/{height}/finality`: the block's header, those of its descendants up to the first that has a
/// Finalization of its own, and that Finalization. Each header names the digest of the one before as its parent.
public struct FinalityDocument: Codable, Equatable, Sendable {
    /// A block whose own Finalization nobody kept is followed by one that has it, soon.
    public static let mostHeaders = 64

    @DecimalText public var height: UInt64
    /// Borsh of headers, ascending from `height` on.
    public var headers: [Base64Text]
    /// Borsh of the Finalization of the last header.
    public var finalization: Base64Text

    public init(height: Height, headers: [[UInt8]], finalization: [UInt8]) {
        self.height = height.value
        self.headers = headers.map { Base64Text($0) }
        self.finalization = Base64Text(finalization)
    }
}

/// `GET /v1/state/{key}`: a value of the state with its proof against a header's state root.
public struct StateProofDocument: Codable, Equatable, Sendable {
    /// Borsh of the header whose `stateRoot` the proof leads to: the state before that block.
    public var header: Base64Text
    /// Borsh of the Finalization of that header.
    public var finalization: Base64Text
    /// Hexadecimal.
    public var key: String
    /// Borsh of the value; absent where the state has none at the key, which the proof then shows.
    public var value: Base64Text?
    /// Borsh of the proof.
    public var proof: Base64Text

    public init(header: [UInt8], finalization: [UInt8], key: [UInt8], value: [UInt8]?, proof: [UInt8]) {
        self.header = Base64Text(header)
        self.finalization = Base64Text(finalization)
        self.key = StateKey(key).description
        self.value = value.map { Base64Text($0) }
        self.proof = Base64Text(proof)
    }
}
