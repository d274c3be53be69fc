/// # LocalNetwork
///
/// Networks of real `chaind` processes on one machine: what `chaind devnet`, the demo and the end-to-end tests run.
///
/// The module promises
/// - ``DevnetPlan`` makes keys, homes and one genesis, or takes those that are there; key files are encrypted;
/// - ``ChildProcess`` never outlives its owner: `stop()` ends it, and it ends by itself when its owner is gone;
/// - everything binds to loopback, unless the plan names other addresses;
/// - ``SlowLinks`` make what lies between masternodes on loopback as slow and as far as real lines are.
public enum LocalNetwork {
    /// Milliseconds that a process gets to stop by itself before it is killed.
    public static let stopGraceMs: UInt64 = 10_000
}
