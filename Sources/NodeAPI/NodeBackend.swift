import Cryptography
import Primitives

/// The node joined the chain by a snapshot of the state and does not have what is asked for, which lies before it.
/// Any method may throw it.
public struct NotHeld: Error, Equatable, CustomStringConvertible {
    /// The lowest height whose block the node has.
    public let base: Height

    public init(base: Height) { self.base = base }

    public var description: String {
        "this node joined the chain by a snapshot at height \(base) and does not have what lies before it; "
            + "ask a node that has the whole chain"
    }
}

/// The node has what is asked for and can't read it: its store is damaged there. Any method may throw it; the node has
/// logged what it met.
public struct StoreDamaged: Error, CustomStringConvertible {
    public init() {}

    public var description: String {
        "this node's store is damaged where that lies, as 'chain-cli status' of it says; ask another node"
    }
}

/// What the API asks of the node behind it. The node implements it; tests implement it in memory.
///
/// Everything speaks of *finalised* blocks and of the state after the newest of them, unless it says otherwise.
/// Methods may be called from many requests at once. An error that is not one of the typed ones below is answered
/// with status 500 and logged; its text never reaches the client.
public protocol NodeBackend: Sendable {
    /// The chain that the node is on.
    var genesis: Genesis { get }

    func status() async -> NodeStatus

    /// The finalised block of this height; nil when it is not (yet) there. Height 0 is the genesis, which has no block.
    func block(at height: Height) async throws -> StoredBlock?

    /// Receipts of the block of this height: of its transactions in their order, then of the scheduled calls that ran
    /// at its end. Nil when there is no such block.
    func receipts(at height: Height) async throws -> [Receipt]?

    /// Where a transaction is; nil when the node has never seen it, or has dropped it.
    func transaction(_ id: TransactionId) async throws -> TransactionState?

    /// Admits a transaction to the pool and sends it on. The same transaction again is not an error.
    func submit(_ transaction: SignedTransaction) async throws(SubmissionRefusal) -> TransactionId

    /// The same with many at once, in their order: each is admitted or refused on its own.
    ///
    /// - Returns: for each the reason why it was refused, nil where it was not.
    /// - Throws: when the node takes none of them, since it has as much to do as it can.
    func submit(_ transactions: [SignedTransaction]) async throws(SubmissionRefusal) -> [SubmissionRefusal?]

    /// The same for who has no task to wait in.
    ///
    /// - Parameter answer: called once, on any thread.
    func submit(
        _ transactions: [SignedTransaction],
        answer: @escaping @Sendable (Result<[SubmissionRefusal?], SubmissionRefusal>) -> Void)

    /// Nil for an account that nothing has ever touched.
    func account(_ account: Account) async throws -> AccountView?

    /// Accounts in ascending order of their bytes, those after `after`, at most `limit`.
    func accounts(after: Account?, limit: Int) async throws -> [(account: Account, record: AccountRecord)]

    /// A value of the state with its proof against the state root of the newest final header; nil before there is one.
    func stateProof(_ key: StateKey) async throws -> StateProofView?

    /// The entries with `index >= from`, ascending, at most `limit` of them.
    func history(of account: Account, from index: UInt64, limit: Int) async throws -> HistoryPage

    /// One element for each role in which there is evidence.
    func reputation(of account: Account) async throws -> [ReputationView]

    /// The audit file of an account (see `Audit`), which may be of any length; nil when nothing has ever touched it.
    func auditFile(of account: Account) async throws -> BytePieces?

    /// Bytes of the state extract with these keys (see `Audit`); nil when there is no certified state yet.
    func stateExtract(of keys: [StateKey]) async throws -> [UInt8]?

    func service(_ service: ServiceId) async throws -> ServiceView?

    /// Registered services in ascending order of their names, those after `after`, at most `limit`.
    func services(kind: String?, after: ServiceId?, limit: Int) async throws -> [ServiceView]

    /// Runs the contract's `query` on the newest state.
    func query(_ service: ServiceId, input: [UInt8], gas: UInt64) async throws(QueryRefusal) -> QueryResult

    /// Whether code with this SHA-256 was uploaded.
    func hasCode(_ hash: Digest) async throws -> Bool

    /// The masternodes of this epoch's set, the others that are registered, and those that were slashed.
    func masternodes() async throws -> MasternodesView

    /// Nil for a key that was never registered, or whose masternode left and has its collateral back.
    func masternode(_ key: PublicKey) async throws -> MasternodeView?

    /// Proposals with numbers below `before`, newest first, at most `limit`.
    func proposals(before: UInt64?, limit: Int) async throws -> ProposalsPage

    func proposal(_ number: UInt64) async throws -> ProposalRecord?

    func parameters() async throws -> ParametersView

    /// Tells of the newest finalised height: at once, then whenever it grows. A reader that is late hears of the newest
    /// only. Returns when the node stops, or when the task is cancelled.
    ///
    /// - Parameter tell: called where the node makes blocks, which waits for it: it may do no more than note the height, and
    ///   wake few.
    func followHeads(_ tell: @escaping @Sendable (Height) -> Void) async

    /// What the event of a block says, where the node knows it without reading: of the newest block mostly. Nil elsewhere.
    func news(at height: Height) -> BlockNews?

    /// Prometheus text exposition format, version 0.0.4.
    func metrics() async -> String
}

extension NodeBackend {
    public func news(at height: Height) -> BlockNews? { nil }

    public func submit(
        _ transactions: [SignedTransaction],
        answer: @escaping @Sendable (Result<[SubmissionRefusal?], SubmissionRefusal>) -> Void
    ) {
        Task {
            do throws(SubmissionRefusal) { answer(.success(try await submit(transactions))) } catch {
                answer(.failure(error))
            }
        }
    }
}
