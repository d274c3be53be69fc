/// # Primitives
///
/// The values that every part of the chain speaks of, with their bytes: accounts, transactions, blocks, votes and
/// certificates, the masternode set, the genesis, receipts, history entries and the records of the state.
/// `Docs/protocol.md` states the same bytes for other implementations.
///
/// The module promises
/// - every type's encoding is canonical and its decoding bounded (see `Encoding`);
/// - a value that exists is well formed: limits are checked where it is made;
/// - nothing here reads a clock, a file or the network.
public enum ChainLimits {
    /// Bytes of `data` in one transaction.
    public static let transactionDataBytes = 65_536
    /// Bytes of a service or post name.
    public static let labelBytes = 32
    /// Bytes of one encoded signed transaction: fields, data and authorization.
    public static let transactionBytes = 66_000
    /// Bytes of one encoded block (architecture, section 3).
    public static let blockBytes = 8_000_000
    /// Masternodes in one active set.
    public static let masternodes = 512
    /// Transactions that an account may have waiting ahead of the state.
    public static let sequenceWindow: UInt64 = 64
    /// Bytes of a failure message in a receipt.
    public static let failureMessageBytes = 256
    /// Events and their bytes in one receipt.
    public static let eventsPerReceipt = 64
    public static let eventTopicBytes = 64
    public static let eventDataBytes = 4_096
    /// Bytes that one contract call can return.
    public static let returnDataBytes = 65_536
}
