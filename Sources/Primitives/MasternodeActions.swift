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
