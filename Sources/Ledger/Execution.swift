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

extension Ledger {
    /// Executes a valid block on the state after its parent.
    /// - Parameters:
    ///   - context: of the block's epoch, where the caller has it from the parent's execution; else it is read.
    ///   - transactionIds: from ``CheckedBody``, so that they are not hashed again.
    public func execute(
        _ block: Block, state: any StateReader, context known: EpochContext? = nil,
        transactionIds: [TransactionId]? = nil
    ) throws(LedgerError) -> Execution {
        let header = block.header
        let context = try self.context(known, state: state)
        guard let proposer = context.set.member(header.proposer) else { throw .unknownProposer(header.proposer) }
        let overlay = Overlay(state)
        let previousRandomness: Digest = try overlay.value(.randomness) ?? genesis.initialRandomness
        let executor = Executor(
            ledger: self, overlay: overlay, context: context, height: header.height, time: header.time,
            randomness: previousRandomness)

        overlay.set(.height, header.height)
        overlay.set(.time, header.time)
        overlay.set(.randomness, header.randomness)
        overlay.set(.beacon(proposer.consensusKey), header.reveal)
        try executor.noteSeen(header, block.parentCertificate)

        var receipts: [Receipt] = []
        receipts.reserveCapacity(block.transactions.count)
        for (index, signed) in block.transactions.enumerated() {
            let known = transactionIds.flatMap { $0.indices.contains(index) ? $0[index] : nil }
            let id = known ?? signed.transaction.id(genesis: genesisHash)
            receipts.append(try executor.run(signed, id: id))
            overlay.commit()
        }
        receipts += try executor.runDueCalls()
        var next = context
        if context.isBorder(height: header.height, time: header.time) {
            let passage = try executor.passBorder(randomness: header.randomness)
            receipts.append(passage.receipt)
            next = passage.context
        }

        return Execution(
            delta: try overlay.delta(), receipts: receipts, receiptsRoot: Receipt.root(receipts),
            gasUsed: receipts.reduce(0) { $0.addingSaturating($1.gasUsed) },
            nextDue: try ScheduleQueue(overlay).first?.time, context: next, logs: executor.logs)
    }
}
