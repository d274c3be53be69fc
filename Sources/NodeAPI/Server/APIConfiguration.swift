import Primitives

/// Where a node's API listens and how much it takes on.
public struct APIConfiguration: Sendable {
    /// Address to bind; loopback unless the operator says otherwise.
    public var host = "127.0.0.1"
    /// 0 takes any free port.
    public var port = DefaultPort.api
    public var maxConnections = 512
    /// So many of them, and no more than half, are for one address.
    public var connectionsPerAddress = 256
    /// Requests that read or compute much (blocks, histories, audits, events of long ago) have this part of one core, in
    /// percent, all together and in the long run ...
    public var expensiveShare = 50
    /// ... run at most this many at a time ...
    public var expensiveRequests = 4
    /// ... while this many wait; more are refused with 503.
    public var expensiveWaiting = 64
    /// So many of them, those that wait among them, and no more than half, are for one address.
    public var expensivePerAddress = 32
    /// Answers over 256 KiB that wait for their reader, whole in memory; the times below hold for them, too.
    public var longAnswers = 16
    /// So many of them, and no more than half, are for one address.
    public var longAnswersPerAddress = 4
    /// Questions to contracts of one address that wait for their turn: half of those that may.
    public var queriesPerAddress = 16
    /// Answers of any length (audits) under way at a time: of each a piece is in memory.
    public var streamedAnswers = 32
    /// So many of them, and no more than half, are for one address, those that wait among them.
    public var streamedAnswersPerAddress = 8
    /// Whoever reads one has this time, and as much again as its bytes take at this rate; then it is cut off.
    public var streamGrace: Duration = .seconds(30)
    public var streamBytesPerSecond = 16_384
    /// Transactions with wrong signatures that one address may send in the long run, and at once: beyond it, none of its
    /// are looked at for up to a minute.
    public var wrongSignaturesPerSecond = 16
    public var wrongSignaturesAtOnce = 512
    /// The same of all addresses together: beyond it, only those are looked at that come from where something right came
    /// within the hour.
    public var wrongSignaturesPerSecondInAll = 1_000
    public var wrongSignaturesAtOnceInAll = 4_000
    public var eventClients = 128
    /// So many of them, and no more than half, are for one address.
    public var eventClientsPerAddress = 64
    /// Whether these limits hold for this machine's own addresses too. A reverse proxy here has such a one, for all of its
    /// clients: the limits for each of them are then the proxy's to set.
    public var limitsLoopback = false
    /// How long a client may take for one chunk of an answer before it is cut off.
    public var writeTimeout: Duration = .seconds(10)
    /// How long a request's body may take.
    public var bodyTimeout: Duration = .seconds(15)
    /// An event stream with nothing to say sends a comment this often.
    public var keepAlive: Duration = .seconds(15)
    /// Longest `waitMs` of a transaction look-up.
    public var longestWait: Duration = .seconds(25)
    /// A connection without a request, or with one that doesn't go on, is closed after this time.
    public var idleTimeoutSeconds: Int64 = 60

    public init() {}

    func shares(_ perAddress: Int, of all: Int) -> AddressShares {
        AddressShares(limit: min(perAddress, all / 2), limitsLoopback: limitsLoopback)
    }
}
