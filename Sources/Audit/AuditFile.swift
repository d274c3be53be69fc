import Cryptography
import Encoding
import Primitives
import StateTree

/// Everything that proves one account's complete history.
///
/// As bytes: `"EDGEPROOF-AUDIT"`, the version as u8, then in Borsh: genesis hash, account, a list of the links at which
/// the masternode set changed, header, a list of descendant headers, finalization, the account's record with its proof, a list of all history entries, the reputation record of
/// each role with its proof (in the order of the roles' tags, without a count); last the SHA-256 of everything before,
/// which tells damage from forgery.
public struct AuditFile: Hashable, Sendable {
    public let genesisHash: Digest
    public let account: Account
    /// The border blocks at which the set of masternodes changed, from the genesis on.
    public let links: [EpochLink]
    /// The block whose `stateRoot`, the state after its parent, the proofs lead to.
    public let header: Header
    /// Headers from the child of ``header`` up to the one that ``finalization`` names; empty when it names ``header``.
    public let descendants: [Header]
    public let finalization: Finalization
    public let record: ProvenValue<AccountRecord>
    /// The whole history, from index 0.
    public let entries: [HistoryEntry]
    /// One for each role, in the order of `Role.allCases`.
    public let reputation: [ProvenValue<ReputationRecord>]

    /// - Parameter reputation: gives the record of each role with its proof.
    public init<Failure: Error>(
        genesisHash: Digest, account: Account, links: [EpochLink] = [], header: Header, descendants: [Header] = [], finalization: Finalization,
        record: ProvenValue<AccountRecord>, entries: [HistoryEntry],
        reputation: (Role) throws(Failure) -> ProvenValue<ReputationRecord>
    ) throws(Failure) {
        self.genesisHash = genesisHash
        self.account = account
        self.links = links
        self.header = header
        self.descendants = descendants
        self.finalization = finalization
        self.record = record
        self.entries = entries
        var proven: [ProvenValue<ReputationRecord>] = []
        for role in Role.allCases { proven.append(try reputation(role)) }
        self.reputation = proven
    }

    // MARK: Bytes

    public var bytes: [UInt8] {
        var encoder = AuditFileEncoder()
        var bytes = encoder.start(genesisHash: genesisHash, account: account, linkCount: links.count)
        bytes += encoder.links(links)
        bytes += encoder.body(
            header: header, descendants: descendants, finalization: finalization, record: record, entryCount: entries.count)
        bytes += encoder.entries(entries)
        return bytes + encoder.end(reputation: reputation)
    }

    /// Reads a file: its frame, its checksum, its structure. Only ``verify(genesis:checkpoint:)`` says what it is worth.
    public init(bytes: [UInt8]) throws(AuditError) {
        guard bytes.starts(with: Audit.magic) else { throw .notAnAuditFile }
        let frame = Audit.magic.count + 1
        guard bytes.count >= frame + 32 else { throw .truncated(bytes.count) }
        let version = bytes[Audit.magic.count]
        guard version == Audit.version else { throw .unsupportedVersion(version) }
        let content = Array(bytes.dropLast(32))
        let computed = Digest(sha256: content)
        guard let stated = Digest(bytes.suffix(32)), stated == computed else { throw .damaged(computed: computed) }
        var decoder = BorshDecoder(content)
        do {
            _ = try decoder.fixed(frame)
            try self.init(from: &decoder)
            try decoder.finish()
        } catch { throw .malformed(error) }
    }

    private init(from decoder: inout BorshDecoder) throws(BorshError) {
        genesisHash = try decoder.value()
        account = try decoder.value()
        links = try decoder.array(limit: Audit.mostLinks, smallestElement: 400)
        header = try decoder.value()
        descendants = try decoder.array(limit: Audit.mostDescendants, smallestElement: 332)
        finalization = try decoder.value()
        record = try decoder.value()
        entries = try decoder.array(limit: Int(Int32.max), smallestElement: 43)
        var proven: [ProvenValue<ReputationRecord>] = []
        for _ in Role.allCases { proven.append(try decoder.value()) }
        reputation = proven
    }
}
