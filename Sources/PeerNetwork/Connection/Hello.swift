import Cryptography
import Encoding
import Primitives

/// The first frame on each side: which chain, and whose process this is.
package struct Hello: BorshCodable, Equatable, Sendable {
    package static let currentVersion: UInt16 = 1
    static let longestAddress = 255
    static let longestAgent = 64

    /// The claim to be a masternode.
    package struct Endorsement: BorshCodable, Equatable, Sendable {
        package let consensusKey: PublicKey
        /// Over ``TLSEndorsement``, under `SigningDomain.tlsEndorsement`.
        package let signature: Signature

        package init(consensusKey: PublicKey, signature: Signature) {
            self.consensusKey = consensusKey
            self.signature = signature
        }

        package func encode(to encoder: inout BorshEncoder) {
            encoder.value(consensusKey)
            encoder.value(signature)
        }

        package init(from decoder: inout BorshDecoder) throws(BorshError) {
            consensusKey = try decoder.value()
            signature = try decoder.value()
        }
    }

    package let genesisHash: Digest
    package let listenAddress: String
    package let agent: String
    /// Nil for a follower.
    package let endorsement: Endorsement?

    package init(genesisHash: Digest, listenAddress: String, agent: String, endorsement: Endorsement?) {
        self.genesisHash = genesisHash
        self.listenAddress = PrintableText.clean(listenAddress, limit: Self.longestAddress)
        self.agent = PrintableText.clean(agent, limit: Self.longestAgent)
        self.endorsement = endorsement
    }

    /// Says Hello in the name of the endorser's masternode, or as a follower.
    package init(
        genesisHash: Digest, listenAddress: String, agent: String, tlsKey: PublicKey, endorser: Endorser?
    ) throws {
        let address = PrintableText.clean(listenAddress, limit: Self.longestAddress)
        let endorsement = try endorser.map {
            Endorsement(
                consensusKey: $0.consensusKey,
                signature: try $0.sign(TLSEndorsement(tlsKey: tlsKey, listenAddress: address)))
        }
        self.init(genesisHash: genesisHash, listenAddress: address, agent: agent, endorsement: endorsement)
    }

    package func encode(to encoder: inout BorshEncoder) {
        encoder.integer(Self.currentVersion)
        encoder.value(genesisHash)
        encoder.string(listenAddress)
        encoder.string(agent)
        encoder.optional(endorsement)
    }

    package init(from decoder: inout BorshDecoder) throws(BorshError) {
        let version: UInt16 = try decoder.integer()
        guard version == Self.currentVersion else { throw decoder.failure(.notCanonical("version \(version)")) }
        genesisHash = try decoder.value()
        listenAddress = try decoder.string(limit: Self.longestAddress)
        agent = try decoder.string(limit: Self.longestAgent)
        endorsement = try decoder.optional()
    }

    /// Decodes the frame's payload. The version comes first in every version, so that a newer peer hears the reason.
    static func decode(_ payload: [UInt8]) -> Result<Hello, DisconnectReason> {
        var decoder = BorshDecoder(payload)
        if let version: UInt16 = try? decoder.integer(), version != currentVersion {
            return .failure(.unsupportedVersion(version))
        }
        do { return .success(try Hello(borsh: payload)) } catch { return .failure(.malformed("Hello: \(error)")) }
    }
}
