import Cryptography
import Primitives

/// The rules by which a peer's Hello is admitted.
struct Admission: Sendable {
    let genesisHash: Digest
    /// Consensus keys of masternodes.
    let admitted: Set<PublicKey>
    let ownConsensusKey: PublicKey?
    let ownTLSKey: PublicKey
    let sparesLoopback: Bool

    /// Where the Hello came from.
    struct Origin {
        /// The key that the peer proved in the handshake.
        let tlsKey: PublicKey
        /// Whom this node meant to reach, when it dialled.
        let expected: PublicKey?
        let dialled: Bool
        let remoteAddress: String
        let remoteIP: String?
    }

    /// Who the peer is. A key that is not admitted makes it a follower, and nothing of it is checked.
    func check(_ hello: Hello, from origin: Origin) -> Result<PeerIdentity, DisconnectReason> {
        guard origin.tlsKey != ownTLSKey else { return .failure(.ownConnection) }
        guard hello.genesisHash == genesisHash else { return .failure(.otherGenesis(hello.genesisHash)) }
        let claimed = hello.endorsement?.consensusKey
        if let expected = origin.expected, claimed != expected {
            return .failure(.unexpectedKey(expected: expected, found: claimed))
        }
        var endorsed: EndorsedAddress?
        if let endorsement = hello.endorsement, isChecked(endorsement.consensusKey, origin) {
            let key = endorsement.consensusKey
            let address = EndorsedAddress(
                consensusKey: key, tlsKey: origin.tlsKey, listenAddress: hello.listenAddress,
                signature: endorsement.signature)
            guard address.isGenuine(genesis: genesisHash) else { return .failure(.wrongEndorsement(key)) }
            guard key != ownConsensusKey else { return .failure(.keyUsedElsewhere(key)) }
            endorsed = address
        }
        let proved = claimed.flatMap { admitted.contains($0) ? $0 : nil }
        return .success(
            PeerIdentity(
                id: PeerId(proved ?? origin.tlsKey), consensusKey: proved, claimedKey: claimed, tlsKey: origin.tlsKey,
                listenAddress: PrintableText.clean(hello.listenAddress, limit: Hello.longestAddress),
                agent: PrintableText.clean(hello.agent, limit: Hello.longestAgent), dialled: origin.dialled,
                remoteAddress: origin.remoteAddress,
                offender: Offender(
                    consensusKey: proved, tlsKey: origin.tlsKey, remoteIP: origin.remoteIP,
                    sparesLoopback: sparesLoopback),
                endorsedAddress: proved == nil ? nil : endorsed))
    }

    /// Only masternodes can make this node check signatures, and whoever it dialled because of its key, or who says
    /// that it is this node.
    private func isChecked(_ key: PublicKey, _ origin: Origin) -> Bool {
        admitted.contains(key) || key == origin.expected || key == ownConsensusKey
    }

    /// Whether the peer would be somebody else under these rules.
    func changes(_ identity: PeerIdentity) -> DisconnectReason? {
        guard let key = identity.claimedKey else { return nil }
        let isAdmitted = admitted.contains(key)
        return isAdmitted == (identity.consensusKey != nil) ? nil : .admissionChanged(key, isAdmitted: isAdmitted)
    }
}
