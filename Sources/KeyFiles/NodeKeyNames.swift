/// The keys in a masternode's home, by the names of their files in `HOME/keys`. Each file's purpose keeps one key from
/// being taken for another.
public enum NodeKeyNames {
    /// The hot key that signs votes.
    public static let consensus = "consensus"
    /// The start of the hash chain that the masternode's blocks reveal.
    public static let beacon = "beacon"
    /// The account that holds the collateral, if its key is here. Its purpose is that of accounts.
    public static let owner = "owner"
}
