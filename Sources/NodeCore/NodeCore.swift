/// # NodeCore
///
/// The node as a pure machine: the only place that interprets the effects of `Consensus` and wires pool, ledger and
/// state tree together.
///
/// ``NodeMachine`` is the whole node as a synchronous state machine: messages, timers, submissions and "that write is
/// durable" go in, ``NodeOutput`` values come out. It reads the store and holds no socket, file or clock, so that the
/// simulator can run it on virtual time. `NodeHost` drives one machine with real sockets, files and clocks.
///
/// The module promises
/// - **durable before public**: no vote, and nothing that holds one, leaves before the journal holds it synced, with the
///   body that it is about, and no block is reported final before one synced batch holds it with everything it proves;
/// - **one writer**: state changes come out of finalised blocks alone, in their order, each once;
/// - **bounded memory**: every pool, cache and queue that a peer or client can fill has a limit with a name;
/// - **halting over diverging**: a finalised block that does not fit this node's state stops the node with a message
///   that names height and root; it never guesses.
public enum NodeLimits {
    /// Bodies of blocks that are not final yet.
    public static let candidateBlocks = 512
    /// Blocks in one answer to a sync request, and their bytes.
    public static let syncBlocks: UInt16 = 64
    public static let syncBytes = 4_000_000
    /// Bytes of blocks that one message holds: more than one full block with its certificates.
    package static let syncMessageBytes = 8_800_000
    /// Blocks in an answer whose first ones have no Finalization of their own: it goes on to the one that proves them.
    public static let syncBlocksUnproven = 256
    /// What one peer's requests may cost in a second: 100 requests for 64 blocks each, or 500 for a body.
    static let requestCostPerTick = 1_000
    /// The same of one follower; all followers together have as much as one masternode.
    static let followerCostPerTick = 200
    /// Transactions in one gossip message, and their bytes.
    public static let gossipTransactions = 512
    public static let gossipBytes = 1_000_000
    /// Bytes that one transaction may have, encoded: data, an authority with its signatures, and the rest.
    public static let largestTransaction = 80_000
    /// Transactions waiting in the pool, and their bytes.
    public static let poolTransactions = 50_000
    public static let poolBytes = 64_000_000
    /// Transactions that one proposal takes from the pool at most.
    public static let blockTransactions = 50_000
    /// Milliseconds that a proposer executes transactions and puts their changes into the state tree for; then it proposes
    /// what it has. Gas bounds a block's work on the reference machine, this on the machine at hand.
    public static let proposalMs: UInt64 = 250
    /// Final blocks that the store has not taken yet, above which this node makes no block: one writer that lags must not
    /// be buried.
    static let commitsUnderWay = 32
    /// A block with transactions follows another one not before this time, unless so many wait that it pays.
    public static let blockSpacingMs: UInt64 = 32
    public static let blockWorthMaking = 256
    /// The journal is cut when it has grown past this many bytes.
    public static let journalBytes = 32_000_000
    /// Own submissions whose finality time is remembered for the percentiles.
    public static let finalitySamples = 4_096
}
