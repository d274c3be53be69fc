/// Where a node listens unless it is told otherwise.
public enum DefaultPort {
    /// REST, events, metrics and explorer.
    public static let api = 26_600
    /// Other nodes.
    public static let peers = 26_500
}
