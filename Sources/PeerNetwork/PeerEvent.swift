import Cryptography
import Primitives

/// Who a peer proved to be.
public struct PeerIdentity: Hashable, Sendable {
    public let id: PeerId
    /// Nil for a follower, and for whoever claims a key that is not admitted.
    public let consensusKey: PublicKey?
    /// The key in its Hello; not proved unless it is admitted.
    let claimedKey: PublicKey?
    /// The key that the connection's handshake proved; fresh for each process.
    public let tlsKey: PublicKey
    /// `HOST:PORT` at which it says that it listens; signed by a masternode.
    public let listenAddress: String
    /// Program and version; printable ASCII.
    public let agent: String
    /// Whether this node made the connection.
    public let dialled: Bool
    /// The address of the connection's other end.
    public let remoteAddress: String
    /// Who answers for what it does.
    let offender: Offender?
    /// What a masternode's Hello says of its address.
    let endorsedAddress: EndorsedAddress?
}

extension PeerIdentity {
    /// Somebody who came by itself from nowhere: for tests of what is judged by who a peer is.
    package init(key: PublicKey, isMasternode: Bool) {
        self.init(
            id: PeerId(key), consensusKey: isMasternode ? key : nil, claimedKey: isMasternode ? key : nil, tlsKey: key,
            listenAddress: "", agent: "", dialled: false, remoteAddress: "", offender: nil, endorsedAddress: nil)
    }
}

public enum PeerEvent: Sendable {
    /// From now on messages reach the peer. After a reconnection it comes again: send what the peer may have missed.
    case connected(PeerIdentity)
    case message(PeerId, kind: UInt8, payload: [UInt8])
    case disconnected(PeerId, reason: DisconnectReason)
    /// A connection, made or taken, that ended before the peer was admitted.
    case refused(remoteAddress: String, reason: DisconnectReason)
}

/// What `send` did with a message.
public enum SendOutcome: Equatable, Sendable {
    case queued
    /// Queued, and older bulk messages that the peer did not take were dropped.
    case queuedDroppingOldest(Int)
    case notConnected
    /// Over ``PeerNetwork/maximumPayload``, or the kind is below ``PeerNetwork/firstKind``.
    case refused
    /// The peer does not take its urgent messages and was disconnected.
    case overflow
}

/// Counters since the start, and what is there now.
public struct PeerMetrics: Equatable, Sendable {
    /// Of frames, before encryption.
    public var bytesReceived: UInt64 = 0
    public var bytesSent: UInt64 = 0
    public var messagesReceived: UInt64 = 0
    public var messagesSent: UInt64 = 0
    /// Bulk messages dropped because a peer did not take them.
    public var messagesDropped: UInt64 = 0
    /// Peers disconnected because they did not take urgent messages.
    public var overflows: UInt64 = 0
    /// Times that reading from a peer was paused: it sent faster than its rate, or than the consumer took it.
    public var pauses: UInt64 = 0
    public var connectionsEstablished: UInt64 = 0
    public var connectionsRefused: UInt64 = 0
    public var connectionsLost: UInt64 = 0
    /// Connections that others made and that got no TLS handshake, since there were too many.
    public var handshakesRefused: UInt64 = 0
    public var masternodes: Int = 0
    public var followers: Int = 0
    /// Connections that have not said who they are.
    public var pending: Int = 0
    /// Frames whose payload was skipped: nobody wanted them from their sender.
    public var framesRefused: UInt64 = 0
    /// Bytes of messages that wait for this node's attention.
    public var inboundBytes: Int = 0
    /// By kind, as in ``offences``.
    public var offencesByKind: [PeerOffence: UInt64] = [:]
    /// Masternodes whose address is known.
    public var knownAddresses: Int = 0
    /// Of peers, as ``PeerOffence`` lists them.
    public var offences: UInt64 = 0
    /// Since the start.
    public var bansImposed: UInt64 = 0
    /// Those that last, the longest first.
    public var bans: [PeerBan] = []

    public init() {}
}
