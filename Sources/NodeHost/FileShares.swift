import Glibc

/// Which part of a process's file descriptors its store, its peers and its API may take. A node whose store finds none
/// stops; so clients and strangers are bounded below what it needs.
struct FileShares: Equatable {
    /// Tables that the store keeps open.
    let store: Int
    /// Connections of peers.
    let peers: Int
    /// Connections of the API.
    let api: Int
    /// What the operator should know.
    let warning: String?

    /// Journal, log, listening sockets, event loops, files that are being replaced.
    private static let reserve = 64
    /// With fewer a node can't be a good one.
    private static let fewest = 1_024
    private static let most: UInt64 = 65_536

    /// Raises the soft limit as far as the hard one allows, and divides what there is.
    static func taken() -> FileShares {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return FileShares(limit: fewest) }
        let wanted = min(UInt64(limit.rlim_max), most)
        if UInt64(limit.rlim_cur) < wanted {
            var raised = limit
            raised.rlim_cur = rlim_t(wanted)
            if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
        }
        return FileShares(limit: Int(clamping: UInt64(limit.rlim_cur)))
    }

    /// - Parameter limit: descriptors that the process may have.
    init(limit: Int) {
        let free = max(64, limit - Self.reserve)
        store = min(500, max(64, free * 2 / 5))
        let left = max(32, free - store)
        peers = left * 3 / 5
        api = left - peers
        warning =
            limit < Self.fewest
            ? "the process may open \(limit) files only (ulimit -n): the API takes at most \(api) connections; allow \(Self.fewest) or more"
            : nil
    }
}
