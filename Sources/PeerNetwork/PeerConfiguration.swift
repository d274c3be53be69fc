import Cryptography
import Dispatch
import Encoding
import Glibc
import Primitives

extension PeerAddress {
    /// Whether it is "any address" of a host, which leads whoever dials it to itself.
    var isUnspecified: Bool {
        var (v4, v6) = (in_addr(), in6_addr())
        if inet_aton(host, &v4) == 1 { return v4.s_addr == 0 }
        return inet_pton(AF_INET6, host, &v6) == 1 && withUnsafeBytes(of: &v6) { $0.allSatisfy { $0 == 0 } }
    }

    /// The place, whoever is expected there.
    var endpoint: PeerAddress { PeerAddress(host: host, port: port) }
}

/// What a masternode's consensus key signs to make a TLS key its own.
public struct TLSEndorsement: BorshEncodable, Sendable {
    public let tlsKey: PublicKey
    /// `HOST:PORT` at which the endorsed process takes connections.
    public let listenAddress: String

    public init(tlsKey: PublicKey, listenAddress: String) {
        self.tlsKey = tlsKey
        self.listenAddress = listenAddress
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(tlsKey)
        encoder.string(listenAddress)
    }
}

/// Signs with this masternode's consensus key; the key itself stays with its owner.
public struct Endorser: Sendable {
    public let consensusKey: PublicKey
    let sign: @Sendable (TLSEndorsement) throws -> Signature

    public init(consensusKey: PublicKey, sign: @escaping @Sendable (TLSEndorsement) throws -> Signature) {
        self.consensusKey = consensusKey
        self.sign = sign
    }

    public init(_ key: PrivateKey, genesis: Digest) {
        self.init(consensusKey: key.publicKey) { try key.sign($0, domain: .tlsEndorsement, genesis: genesis) }
    }
}

/// Bounds on what peers can make this node hold or do.
public struct PeerLimits: Sendable {
    /// From the connection to the peer's accepted Hello.
    public var handshakeMs: Int64 = 5_000
    public var pingMs: Int64 = 5_000
    /// Without a byte from the peer.
    public var idleMs: Int64 = 20_000
    /// Connections that others made and in which they have not said who they are: in all, and from one address. A
    /// further one takes the place of the oldest from the address that has most. This node's own dials have places of
    /// their own.
    public var pendingConnections = 128
    public var pendingConnectionsPerAddress = 32
    /// Connections that others make, which cost a TLS handshake each, about 1.5 ms: from one address (or IPv6 site), from
    /// all strangers together, and from the addresses at which masternodes are, which have theirs apart.
    public var handshakesPerSecondAndAddress = 20
    public var handshakesPerSecond = 30
    public var knownHandshakesPerSecond = 60
    public var handshakeBurst = 120
    /// Peers without a consensus key that came by themselves: in all, and from one address.
    public var followers = 32
    public var followersPerAddress = 24
    /// Token bucket for each peer: what it may send in the long run and at once, in bytes and frames.
    public var bytesPerSecond = 64_000_000
    public var byteBurst = 64_000_000
    public var messagesPerSecond = 20_000
    public var messageBurst = 40_000
    /// Token bucket for all strangers together, and for what is refused.
    public var strangerBytesPerSecond = 16_000_000
    public var strangerByteBurst = 16_000_000
    /// Messages of one peer and rank that wait for the consumer; above them the peer is not read from.
    public var inboundBytes = 24_000_000
    public var inboundMessages = 8_192
    public var strangerInboundBytes = 2_000_000
    /// The same of all peers together, by rank: above it nobody whose messages have that rank is read from.
    public var urgentInboundBytesInAll = 48_000_000
    public var bulkInboundBytesInAll = 96_000_000
    public var strangerInboundBytesInAll = 16_000_000
    /// Messages that wait for one peer. A full urgent queue disconnects it, a full bulk queue drops its oldest.
    public var urgentBytes = 8_000_000
    public var urgentMessages = 16_384
    public var bulkBytes = 40_000_000
    public var bulkMessages = 8_192
    /// Reconnection starts with the first and doubles up to the second, each time with a jitter of half.
    public var firstReconnectMs: Int64 = 250
    public var lastReconnectMs: Int64 = 15_000
    /// Consensus keys that are admitted; of a longer list, the first ones.
    public var admittedKeys = 4_096
    /// Dials of addresses from the book that are under way at once.
    public var dialsAtOnce = 16
    /// A node that is no masternode itself dials no more when it is connected with as many.
    public var followedMasternodes = 8
    /// Between two rounds of asking for addresses, and how many peers are asked in each.
    public var addressRoundMs: Int64 = 60_000
    public var addressPeers = 3
    /// Requests for addresses that are answered: of one peer one in this time in the long run, of all together
    /// ``addressAnswersPerSecond``.
    public var addressAnswerMs: Int64 = 10_000
    public var addressAnswerBurst = 4
    public var addressAnswersPerSecond = 20
    /// From a change of the address book to the file.
    public var bookWriteMs: Int64 = 5_000
    /// Points of ``PeerOffence/weight`` that ban, and how many fade in a minute.
    public var banThreshold = 100
    public var pointsForgottenPerMinute = 10
    /// Bans double from the first to the last.
    public var firstBanSeconds = 60
    public var lastBanSeconds = 86_400
    /// An admitted masternode is banned no longer at a time: consensus needs its votes.
    public var masternodeBanSeconds = 60
    /// Offenders that are remembered.
    public var offenders = 1_024
    /// Whether addresses of this machine are spared, where everybody has the same one.
    public var sparesLoopback = true

    public init() {}
}

public struct PeerConfiguration: Sendable {
    public var listenHost: String
    /// 0 takes a free port; ``PeerNetwork/listenPort`` has it after the start.
    public var listenPort: Int
    /// What peers are told; nil says the host and port listened at.
    public var advertisedAddress: String?
    public var genesisHash: Digest
    /// Nil for a follower.
    public var endorser: Endorser?
    /// Consensus keys that are admitted, the most important first; ``PeerNetwork/update(masternodes:)`` changes them.
    public var masternodes: [PublicKey]
    /// Peers that this node connects to, and again whenever the connection is lost.
    public var dial: [PeerAddress]
    /// Where the addresses of masternodes are kept over a restart; nil keeps them nowhere.
    public var addressBookPath: String?
    /// Program and version, for people; at most 64 bytes.
    public var agent: String
    public var limits: PeerLimits
    /// Event loop threads.
    public var threads: Int
    /// Nanoseconds that do not go back, for scores and bans.
    public var clock: @Sendable () -> UInt64
    /// Who may say what; nil lets everybody say everything.
    public var gate: (any FrameGate)?

    public init(
        listenHost: String, listenPort: Int, genesisHash: Digest, endorser: Endorser?, masternodes: [PublicKey],
        dial: [PeerAddress], advertisedAddress: String? = nil, addressBookPath: String? = nil, agent: String = "edgeproof",
        limits: PeerLimits = PeerLimits(), threads: Int = 1, gate: (any FrameGate)? = nil,
        clock: @escaping @Sendable () -> UInt64 = { DispatchTime.now().uptimeNanoseconds }
    ) {
        self.listenHost = listenHost
        self.listenPort = listenPort
        self.advertisedAddress = advertisedAddress
        self.genesisHash = genesisHash
        self.endorser = endorser
        self.masternodes = masternodes
        self.dial = dial
        self.agent = agent
        self.limits = limits
        self.threads = threads
        self.addressBookPath = addressBookPath
        self.clock = clock
        self.gate = gate
    }
}
