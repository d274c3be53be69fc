import Cryptography
import Encoding

/// Why a connection ended or was refused.
public enum DisconnectReason: Error, Equatable, Sendable, CustomStringConvertible {
    case unsupportedVersion(UInt16)
    case otherGenesis(Digest)
    case wrongEndorsement(PublicKey)
    /// The key that the peer proves or claims is a masternode's since now, or is none any more.
    case admissionChanged(PublicKey, isAdmitted: Bool)
    case banned(seconds: Int)
    case unexpectedKey(expected: PublicKey, found: PublicKey?)
    case ownConnection
    /// Another process uses this masternode's consensus key: both would sign votes.
    case keyUsedElsewhere(PublicKey)
    case duplicate
    case tooManyFollowers(Int)
    case tooManyConnections(Int)
    case malformed(String)
    case frameTooLong(length: Int, limit: Int)
    case handshakeTimeout
    case silent
    case outboundFull
    case noTLS(String)
    case connectionLost(String)
    case shutdown
    /// The peer ended it and said why. The text is printable ASCII of at most ``Goodbye/longestText`` bytes.
    case saidByPeer(code: UInt8, text: String)

    /// What the peer did to deserve it, where that is an offence.
    var offence: PeerOffence? {
        switch self {
        case .malformed, .frameTooLong: .malformed
        case .wrongEndorsement: .forged
        default: nil
        }
    }

    /// Tells the peer's program what the text tells its operator.
    public var code: UInt8 {
        switch self {
        case .unsupportedVersion: 1
        case .otherGenesis: 2
        case .wrongEndorsement: 4
        case .unexpectedKey: 5
        case .ownConnection: 6
        case .keyUsedElsewhere: 7
        case .duplicate: 8
        case .tooManyFollowers: 9
        case .tooManyConnections: 10
        case .malformed: 11
        case .frameTooLong: 12
        case .handshakeTimeout: 13
        case .silent: 14
        case .outboundFull: 15
        case .noTLS: 17
        case .connectionLost: 18
        case .shutdown: 19
        case .admissionChanged: 20
        case .banned: 21
        case .saidByPeer(let code, _): code
        }
    }

    public var description: String {
        switch self {
        case .unsupportedVersion(let version):
            "it speaks protocol version \(version), this node \(Hello.currentVersion)"
        case .otherGenesis(let found): "it belongs to another chain, with genesis \(found)"
        case .wrongEndorsement(let key): "its TLS key is not endorsed by the consensus key \(key) that it claims"
        case .admissionChanged(let key, let isAdmitted):
            "the consensus key \(key) is \(isAdmitted ? "admitted now" : "not admitted any more"): connect again"
        case .banned(let seconds): "it broke the protocol too often and is banned for \(seconds) s"
        case .unexpectedKey(let expected, let found):
            "the masternode \(expected) was expected there, \(found.map { "\($0)" } ?? "a follower") answered"
        case .ownConnection: "this node reached itself"
        case .keyUsedElsewhere(let key):
            "another process uses this masternode's consensus key \(key): stop one of the two, or both may be slashed"
        case .duplicate: "there is another connection between the two"
        case .tooManyFollowers(let limit): "all \(limit) places for followers are taken"
        case .tooManyConnections(let limit): "too many connections wait for their handshake, or come too fast: \(limit) are allowed"
        case .malformed(let detail): "it sent what the protocol does not allow: \(detail)"
        case .frameTooLong(let length, let limit): "a frame of \(length) bytes is over the limit of \(limit)"
        case .handshakeTimeout: "it did not complete the handshake in time"
        case .silent: "nothing came from it for too long"
        case .outboundFull: "it does not take its messages"
        case .noTLS(let detail): "the TLS handshake failed: \(detail)"
        case .connectionLost(let detail): "the connection was lost: \(detail)"
        case .shutdown: "the node is shutting down"
        case .saidByPeer(_, let text): "the peer says: \(text)"
        }
    }
}

/// The last frame of a connection: why the sender ends it.
package struct Goodbye: BorshCodable, Equatable, Sendable {
    package static let longestText = 256

    package let code: UInt8
    package let text: String

    package init(_ reason: DisconnectReason) {
        code = reason.code
        text = PrintableText.clean(reason.description, limit: Self.longestText)
    }

    package func encode(to encoder: inout BorshEncoder) {
        encoder.integer(code)
        encoder.string(text)
    }

    package init(from decoder: inout BorshDecoder) throws(BorshError) {
        code = try decoder.integer()
        // It goes into logs and onto terminals.
        text = PrintableText.clean(try decoder.string(limit: Self.longestText), limit: Self.longestText)
    }
}

/// Text from outside that will be shown: control characters and what a terminal could take for commands become `?`.
enum PrintableText {
    static func clean(_ text: String, limit: Int) -> String {
        String(decoding: text.utf8.prefix(limit).map { (0x20...0x7e).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}
