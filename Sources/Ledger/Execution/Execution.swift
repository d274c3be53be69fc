import Cryptography
import Encoding
import Primitives

/// What executing a block gave.
public struct Execution: Sendable {
    public let delta: StateDelta
    /// First the transactions', in their order, then those of scheduled calls, then that of the epoch's border.
    public let receipts: [Receipt]
    /// RFC 9162 root over the encoded receipts, as the next header carries it.
    public let receiptsRoot: Digest
    /// By transactions and scheduled calls together.
    public let gasUsed: UInt64
    /// When the earliest waiting call of the schedule queue is due: maybe in the past, when the block's budget ended.
    public let nextDue: Time?
    /// Of the epoch that the next block belongs to.
    public let context: EpochContext
    /// What contracts told whoever debugs them; no part of the state.
    public let logs: [ContractLog]

    /// Whether a scheduled call is waiting whose time this block has reached: the next block should come at once.
    public func hasDueCalls(at time: Time) -> Bool { nextDue.map { $0 <= time } ?? false }
}

/// Debug text of a contract.
public struct ContractLog: Hashable, Sendable {
    public let contract: Account
    /// UTF-8, damaged bytes replaced, cut at ``longestText`` bytes.
    public let text: String

    public static let longestText = 1_024
    /// Texts kept for one block or query.
    public static let mostTexts = 1_024
}

/// What executing a block needs of it beside its transactions. A proposer has it before the block.
public struct BlockFrame: Sendable {
    public let height: Height
    public let time: Time
    public let proposer: UInt16
    public let reveal: Digest
    /// R of the block.
    public let randomness: Digest
    public let parentCertificate: ParentCertificate

    public init(
        height: Height, time: Time, proposer: UInt16, reveal: Digest, randomness: Digest,
        parentCertificate: ParentCertificate
    ) {
        self.height = height
        self.time = time
        self.proposer = proposer
        self.reveal = reveal
        self.randomness = randomness
        self.parentCertificate = parentCertificate
    }

    init(_ block: Block) {
        let header = block.header
        self.init(
            height: header.height, time: header.time, proposer: header.proposer, reveal: header.reveal,
            randomness: header.randomness, parentCertificate: block.parentCertificate)
    }
}

/// A block on its way: begun, its transactions one after the other, finished.
struct BlockExecution {
    private let ledger: Ledger
    private let frame: BlockFrame
    private let context: EpochContext
    private let overlay: Overlay
    private let executor: Executor
    private let proposer: Masternode
    private var receipts: [Receipt] = []

    /// - Parameter transactions: how many there may be.
    init(
        _ ledger: Ledger, _ frame: BlockFrame, state: any StateReader, context: EpochContext, transactions: Int
    ) throws(LedgerError) {
        guard let proposer = context.set.member(frame.proposer) else { throw .unknownProposer(frame.proposer) }
        self.ledger = ledger
        self.frame = frame
        self.context = context
        self.proposer = proposer
        overlay = Overlay(state, transactions: transactions)
        let previousRandomness: Digest = try overlay.value(.randomness) ?? ledger.genesis.initialRandomness
        executor = Executor(
            ledger: ledger, overlay: overlay, context: context, height: frame.height, time: frame.time,
            randomness: previousRandomness)
        overlay.set(.height, frame.height)
        overlay.set(.time, frame.time)
        overlay.set(.randomness, frame.randomness)
        overlay.set(.beacon(proposer.consensusKey), frame.reveal)
        try executor.noteSeen(proposer: frame.proposer, frame.parentCertificate)
    }

    /// Values that are written so far: leaves of the state tree that will have to be put into it.
    var changes: Int { overlay.changes }

    mutating func run(_ signed: SignedTransaction, id: TransactionId) throws(LedgerError) {
        receipts.append(try executor.run(signed, id: id))
        overlay.commit()
    }

    mutating func finish() throws(LedgerError) -> Execution {
        receipts += try executor.runDueCalls()
        var next = context
        let borderHeight = Height(frame.height.value - min(frame.height.value, ledger.rules.borderDelay))
        if context.isBorder(height: borderHeight, time: frame.time) {
            let passage = try executor.passBorder(randomness: frame.randomness)
            receipts.append(passage.receipt)
            next = passage.context
        }
        if ledger.rules.makesMoney > 0 {
            var record = try overlay.account(Account(proposer.consensusKey))
            record.balance += ledger.rules.makesMoney
            try overlay.setAccount(Account(proposer.consensusKey), record)
        }
        try overlay.checkConservation(height: frame.height)
        return Execution(
            delta: try overlay.delta(), receipts: receipts, receiptsRoot: Receipt.root(receipts),
            gasUsed: receipts.reduce(0) { $0.addingSaturating($1.gasUsed) },
            nextDue: try ScheduleQueue(overlay).first?.time, context: next, logs: executor.logs)
    }
}

extension Ledger {
    /// Executes a valid block on the state after its parent.
    /// - Parameters:
    ///   - context: of the block's epoch, where the caller has it from the parent's execution; else it is read.
    ///   - transactionIds: from ``CheckedBody``, so that they are not hashed again.
    public func execute(
        _ block: Block, state: any StateReader, context known: EpochContext? = nil,
        transactionIds: [TransactionId]? = nil
    ) throws(LedgerError) -> Execution {
        let context = try self.context(known, state: state)
        var execution = try BlockExecution(
            self, BlockFrame(block), state: state, context: context, transactions: block.transactions.count)
        for (index, signed) in block.transactions.enumerated() {
            let known = transactionIds.flatMap { $0.indices.contains(index) ? $0[index] : nil }
            try execution.run(signed, id: known ?? signed.id(genesis: genesisHash))
        }
        return try execution.finish()
    }
}
