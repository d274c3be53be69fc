import Cryptography
import Encoding

/// `data` of a `registerMasternode` transaction. Its sender is the owner, its `value` the collateral.
public struct RegisterMasternode: BorshCodable, Hashable, Sendable {
    public let name: String
    public let consensusKey: PublicKey
    public let beaconTip: Digest
    /// The consensus key's signature over ``Consent``: nobody registers a key that is not his.
    public let consent: Signature

    /// What the consensus key signs, under `edgeproof/register-masternode/1`.
    public struct Consent: BorshEncodable, Hashable, Sendable {
        public let owner: Account
        public let beaconTip: Digest

        public init(owner: Account, beaconTip: Digest) {
            self.owner = owner
            self.beaconTip = beaconTip
        }

        public func encode(to encoder: inout BorshEncoder) {
            encoder.value(owner)
            encoder.value(beaconTip)
        }
    }

    public init(name: String, consensusKey: PublicKey, beaconTip: Digest, consent: Signature) {
        self.name = name.truncated(utf8: Masternode.longestName)
        self.consensusKey = consensusKey
        self.beaconTip = beaconTip
        self.consent = consent
    }

    /// Signs with the consensus key for an owner.
    public init(_ masternode: Masternode, signing key: PrivateKey, genesis: Digest) throws {
        let consent = Consent(owner: masternode.owner, beaconTip: masternode.beaconTip)
        self.init(
            name: masternode.name, consensusKey: masternode.consensusKey, beaconTip: masternode.beaconTip,
            consent: try key.sign(consent, domain: .registerMasternode, genesis: genesis))
    }

    /// Whether the consensus key agreed to be this owner's.
    public func isConsented(owner: Account, genesis: Digest, verifier: some SignatureVerifier) -> Bool {
        let body = Consent(owner: owner, beaconTip: beaconTip)
        return verifier.isValid(
            consent, of: consensusKey, message: SigningDomain.registerMasternode.message(genesis: genesis, body: body))
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.string(name)
        encoder.value(consensusKey)
        encoder.value(beaconTip)
        encoder.value(consent)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        name = try decoder.string(limit: Masternode.longestName)
        consensusKey = try decoder.value()
        beaconTip = try decoder.value()
        consent = try decoder.value()
    }
}

/// `data` of an `unregisterMasternode` or `resumeMasternode` transaction, which the owner sends.
public struct MasternodeReference: BorshCodable, Hashable, Sendable {
    public let consensusKey: PublicKey

    public init(consensusKey: PublicKey) { self.consensusKey = consensusKey }

    public func encode(to encoder: inout BorshEncoder) { encoder.value(consensusKey) }
    public init(from decoder: inout BorshDecoder) throws(BorshError) { consensusKey = try decoder.value() }
}

/// `data` of a `renewBeacon` transaction, which the consensus key's own account sends: the masternode's hash chain nears
/// its end.
public struct RenewBeacon: BorshCodable, Hashable, Sendable {
    /// 1 for the first renewal, each later one the next number: it tells the masternode which of its chains is in force.
    public let generation: UInt32
    public let tip: Digest

    public init(generation: UInt32, tip: Digest) {
        self.generation = generation
        self.tip = tip
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(generation)
        encoder.value(tip)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        generation = try decoder.integer()
        tip = try decoder.value()
    }
}

/// What the state holds of a renewal. Until its epoch the chain before is in force.
public struct BeaconRenewal: BorshCodable, Hashable, Sendable {
    public let generation: UInt32
    public let tip: Digest
    /// The second epoch after the renewal.
    public let from: Epoch
    public var isInForce: Bool

    public init(generation: UInt32, tip: Digest, from: Epoch, isInForce: Bool) {
        self.generation = generation
        self.tip = tip
        self.from = from
        self.isInForce = isInForce
    }

    /// Of the chain whose links blocks show now.
    public var currentGeneration: UInt32 { isInForce ? generation : generation - min(generation, 1) }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(generation)
        encoder.value(tip)
        encoder.value(from)
        encoder.bool(isInForce)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        generation = try decoder.integer()
        tip = try decoder.value()
        from = try decoder.value()
        isInForce = try decoder.bool()
    }
}
