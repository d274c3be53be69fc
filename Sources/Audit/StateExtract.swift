import Cryptography
import Encoding
import Primitives
import StateTree

/// Values of the state at one moment, each with its proof, and what makes the state's root certain: so that a client
/// need not believe the node that answers.
///
/// As bytes, in Borsh: genesis hash, a list of the links at which the masternode set changed, the header whose
/// `stateRoot` the proofs lead to, its Finalization, then a list of `{ key: bytes, value: optional bytes, proof }`.
public struct StateExtract: BorshCodable, Hashable, Sendable {
    public struct Entry: BorshCodable, Hashable, Sendable {
        public let key: [UInt8]
        /// Nil where the state holds nothing at the key.
        public let value: [UInt8]?
        public let proof: StateProof

        public init(key: [UInt8], value: [UInt8]?, proof: StateProof) {
            self.key = key
            self.value = value
            self.proof = proof
        }

        public func encode(to encoder: inout BorshEncoder) {
            encoder.variable(key)
            encoder.bool(value != nil)
            if let value { encoder.variable(value) }
            encoder.value(proof)
        }

        public init(from decoder: inout BorshDecoder) throws(BorshError) {
            key = try decoder.variable(limit: StateExtract.longestKey)
            value = try decoder.bool() ? try decoder.variable(limit: StateExtract.longestValue) : nil
            proof = try decoder.value()
        }
    }

    /// Keys that one request may name.
    public static let mostKeys = 160
    public static let longestKey = 256
    static let longestValue = 1 << 24

    public let genesisHash: Digest
    public let links: [EpochLink]
    public let header: Header
    public let finalization: Finalization
    public let entries: [Entry]

    public init(genesisHash: Digest, links: [EpochLink], header: Header, finalization: Finalization, entries: [Entry]) {
        self.genesisHash = genesisHash
        self.links = links
        self.header = header
        self.finalization = finalization
        self.entries = entries
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(genesisHash)
        encoder.array(links)
        encoder.value(header)
        encoder.value(finalization)
        encoder.array(entries)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        genesisHash = try decoder.value()
        links = try decoder.array(limit: Audit.mostLinks, smallestElement: 400)
        header = try decoder.value()
        finalization = try decoder.value()
        entries = try decoder.array(limit: Self.mostKeys, smallestElement: 10)
    }

    /// Checks everything from nothing but the genesis: the walk to the set of masternodes that finalised the header, its
    /// quorum, and each value or absence.
    /// - Parameter keys: what was asked for; exactly these must be there, in this order.
    public func verify(genesis: Genesis, keys: [StateKey]) throws(StateExtractError) -> CertifiedState {
        guard genesisHash == genesis.hash else { throw .otherGenesis(file: genesisHash, given: genesis.hash) }
        var trusted = TrustedSet(genesis: genesis)
        for (index, link) in links.enumerated() {
            do { try trusted.follow(link) } catch { throw .notCertified("change \(index) of the masternode set: \(error)") }
        }
        do { try trusted.check(header, finalization: finalization) } catch { throw .notCertified("\(error)") }
        guard entries.map(\.key) == keys.map(\.bytes) else { throw .otherKeys }
        var values: [StateKey: [UInt8]] = [:]
        for (entry, key) in zip(entries, keys) {
            guard
                entry.proof.verify(
                    root: header.stateRoot, path: key.path, valueHash: entry.value.map { StateTree.valueHash($0) })
            else { throw .unproven(key) }
            values[key] = entry.value
        }
        return CertifiedState(height: header.height, time: header.time, root: header.stateRoot, values: values)
    }
}

/// Values that a quorum of masternodes vouches for.
public struct CertifiedState: Hashable, Sendable {
    /// Of the header that carries the root; the values are those before its block.
    public let height: Height
    public let time: Time
    public let root: Digest
    private let values: [StateKey: [UInt8]]

    init(height: Height, time: Time, root: Digest, values: [StateKey: [UInt8]]) {
        self.height = height
        self.time = time
        self.root = root
        self.values = values
    }

    /// Nil where the state holds nothing at the key.
    public subscript(key: StateKey) -> [UInt8]? { values[key] }

    public func decode<Value: BorshDecodable>(_ key: StateKey, as type: Value.Type = Value.self) throws(BorshError) -> Value? {
        guard let bytes = values[key] else { return nil }
        return try Value(borsh: bytes)
    }
}

/// Why an extract proves nothing.
public enum StateExtractError: Error, Equatable, Sendable, CustomStringConvertible {
    case otherGenesis(file: Digest, given: Digest)
    case notCertified(String)
    case otherKeys
    case unproven(StateKey)

    public var description: String {
        switch self {
        case .otherGenesis(let file, let given):
            "the answer is about the chain with genesis \(file), this one is \(given)"
        case .notCertified(let reason): "the answer's header is not certified by the masternodes: \(reason)"
        case .otherKeys: "the answer holds other values than were asked for"
        case .unproven(let key): "the answer's value at \(key) is not what the certified state holds: it is forged"
        }
    }
}
