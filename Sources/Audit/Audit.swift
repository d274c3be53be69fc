/// # Audit
///
/// Checks one participant's complete history offline: with the audit file and the genesis, with no node at hand and
/// trusting none.
///
/// The chain of proof: the genesis names the masternodes, and every border block at which the set changed, finalised by
/// the set before, names the next ones; a quorum of the last set signed a Finalization; it names a block
/// header (or a descendant's, whose parents lead down to it); the header holds the state root; state proofs lead from
/// it to the account's record and reputation; the record holds size and root of the account's history; and every entry
/// of the history is in the file.
///
/// The module promises
/// - **complete**: a history from which anything was left out, added, changed or moved is refused;
/// - **recomputed**: reputation counters are replayed from the findings and compared bit for bit;
/// - **precise**: every refusal is an ``AuditError`` that says what was wrong, where, and what it means;
/// - **no traps**: a file may come from anybody.
public enum Audit {
    /// First bytes of every audit file.
    public static let magic = Array("EDGEPROOF-AUDIT".utf8)
    public static let version: UInt8 = 2
    /// Most headers between the audited block and the finalised one.
    public static let mostDescendants = 4_096
    /// Most changes of the masternode set between the genesis and the audited block.
    public static let mostLinks = 1 << 20
}
