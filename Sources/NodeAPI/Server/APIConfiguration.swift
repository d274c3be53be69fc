import Primitives

/// Where a node's API listens and how much it takes on.
public struct APIConfiguration: Sendable {
    /// Address to bind; loopback unless the operator says otherwise.
    public var host = "127.0.0.1"
    /// 0 takes any free port.
    public var port = DefaultPort.api
    public var maxConnections = 512
    /// Requests that read or compute much (blocks, histories, audits, queries) run at most this many at a time ...
    public var expensiveRequests = 4
    /// ... while this many wait; more are refused with 503.
    public var expensiveWaiting = 64
    /// Answers of any length (audits) under way at a time: of each a piece is in memory.
    public var streamedAnswers = 32
    /// Whoever reads one has this time, and as much again as its bytes take at this rate; then it is cut off.
    public var streamGrace: Duration = .seconds(30)
    public var streamBytesPerSecond = 16_384
    public var eventClients = 128
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
}
