import Cryptography
import Ledger
import Primitives

/// What the simulator watches: nothing here changes anything.
extension NodeMachine {
    /// A block that this node holds final and durable, with what executing it gave.
    package struct Milestone: Hashable, Sendable {
        package let height: Height
        package let view: View
        package let digest: Digest
        package let stateRoot: Digest
        package let receiptsRoot: Digest
        package let supply: [UInt8]?
    }

    package var milestone: Milestone {
        Milestone(
            height: published.header.height, view: published.header.view, digest: published.digest,
            stateRoot: published.stateRoot, receiptsRoot: published.receiptsRoot,
            supply: published.supply)
    }

    /// Bodies of blocks that are not final.
    package var candidateCount: Int { pool.count }

    /// Final blocks whose commits are under way.
    package var finalNotStored: [Digest] { chain.committing.map(\.digest) }

    package var headHeight: Height { head.header.height }
    package var lastFinalView: View { simplex.lastFinalized.view }

    /// Everything that peers and clients can make grow, with its limit.
    package var pools: [(name: StaticString, count: Int, limit: Int)] {
        [
            ("candidate bodies", pool.count, rules.candidateBlocks),
            ("bodies asked for", sync.bodies.count, SyncProgress.bodiesRemembered),
            ("blocks to be put together", sketches.count, SketchTable.most),
            ("waiting transactions", mempool.count, NodeLimits.poolTransactions),
            ("bodies to relay", desk.relayCount, NodeLimits.candidateBlocks),
            ("proposals under verification", questions.count, NodeLimits.candidateBlocks),
            ("blocks being stored", chain.committing.count, 4 * NodeLimits.candidateBlocks),
        ]
    }
}

extension NodeMachine {
    /// Of the epoch that the child of this final block belongs to, where this node still has the block executed.
    package func context(after height: Height) -> EpochContext? {
        if published.header.height == height { return published.context }
        return chain.committing.first { $0.executed?.header.height == height }?.executed?.context
    }

    /// Whether the journal's records of a later epoch wait until this node has got there again.
    package func remembers(_ epoch: Epoch) -> Bool { laterRecords.contains { $0.epoch == epoch } }

    /// Whether it could serve the body of a block above its last stored one.
    package func holds(body digest: Digest) -> Bool { pool[digest] != nil }

    package func body(of digest: Digest) -> Block? { pool[digest]?.block }

    /// Contradictions that this node knows and the ledger does not.
    package var openCases: Int { cases.count }

    /// A record of the final state.
    package func record(of masternode: PublicKey) -> MasternodeRecord? {
        (try? head.layer.value(.masternode(masternode))).flatMap { $0 }.flatMap { try? MasternodeRecord(borsh: $0) }
    }
}
