import Cryptography
import Encoding
import Foundation

/// What a masternode's operator hands to whoever makes the genesis or registers the masternode: public data, as JSON.
public struct MemberDocument: Codable, Equatable, Sendable {
    public let name: String
    public let consensusKey: String
    public let owner: String
    public let beaconTip: String
    /// The consensus key's signature over ``RegisterMasternode/Consent``, 128 hexadecimal digits. Present when the
    /// document was made for a chain that runs already.
    public let consent: String?

    public init(_ member: Masternode, consent: Signature? = nil) {
        name = member.name
        consensusKey = member.consensusKey.hex
        owner = member.owner.description
        beaconTip = member.beaconTip.hex
        self.consent = consent?.description
    }

    public init(_ registration: RegisterMasternode, owner: Account) {
        self.init(
            Masternode(
                name: registration.name, consensusKey: registration.consensusKey, owner: owner,
                beaconTip: registration.beaconTip), consent: registration.consent)
    }

    public func masternode() throws -> Masternode {
        guard let key = PublicKey(hex: consensusKey) else {
            throw MemberDocumentError.invalid("consensusKey '\(consensusKey.prefix(80))' is not 64 hexadecimal digits")
        }
        guard let tip = Digest(hex: beaconTip) else {
            throw MemberDocumentError.invalid("beaconTip '\(beaconTip.prefix(80))' is not 64 hexadecimal digits")
        }
        return Masternode(name: name, consensusKey: key, owner: try Account(address: owner), beaconTip: tip)
    }

    /// What the owner registers. The consent is checked, so that a transaction that could only fail is never sent.
    /// - Parameter genesis: hash of the chain that the masternode is to join.
    public func registration(
        genesis: Digest, verifier: some SignatureVerifier = Ed25519Verifier()
    ) throws -> RegisterMasternode {
        let member = try masternode()
        guard let consent else { throw MemberDocumentError.noConsent }
        guard let bytes = Hexadecimal.decode(consent), let signature = Signature(bytes) else {
            throw MemberDocumentError.invalid("consent '\(consent.prefix(144))' is not 128 hexadecimal digits")
        }
        let registration = RegisterMasternode(
            name: member.name, consensusKey: member.consensusKey, beaconTip: member.beaconTip, consent: signature)
        guard registration.isConsented(owner: member.owner, genesis: genesis, verifier: verifier) else {
            throw MemberDocumentError.otherConsent(genesis: genesis)
        }
        return registration
    }

    private static let form = JSONForm.object([
        .required("name", .text), .required("consensusKey", .text), .required("owner", .text), .required("beaconTip", .text),
        .optional("consent", .text),
    ])

    public static func decode(_ json: Data) throws -> MemberDocument {
        do { try form.check(json: json) } catch {
            throw MemberDocumentError.invalid("it is not what 'chaind init' prints: \(error)")
        }
        do { return try JSONDecoder().decode(MemberDocument.self, from: json) } catch {
            throw MemberDocumentError.invalid("it is not what 'chaind init' prints")
        }
    }

    public func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return try encoder.encode(self)
    }
}

public enum MemberDocumentError: Error, Equatable, CustomStringConvertible {
    case invalid(String)
    case noConsent
    case otherConsent(genesis: Digest)

    public var description: String {
        switch self {
        case .invalid(let reason): "the masternode's description is not usable: \(reason)"
        case .noConsent:
            "the masternode's description has no consent of the consensus key: make it again with 'chaind init --home HOME "
                + "--owner OWNER --genesis genesis.json'"
        case .otherConsent(let genesis):
            "the consent in the masternode's description is not the consensus key's for this owner on the chain \(genesis): "
                + "make it again with 'chaind init --home HOME --owner OWNER --genesis genesis.json' of this chain"
        }
    }
}
