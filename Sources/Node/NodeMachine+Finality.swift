import Consensus
import Cryptography
import Primitives
import Storage

/// Delivers final blocks in their order, each once, and publishes them when they are durable.
extension NodeMachine {
    func deliver(_ finalization: Finalization, _ clock: NodeClock) {
        guard finalization.view > head.header.view else { return }
        if let waiting = undelivered, waiting.view >= finalization.view {
            deliverPending(clock)
        } else {
            undelivered = finalization
            deliverPending(clock)
        }
    }

    /// Delivers the highest Finalization if every body down to the head is here; else asks for what is missing.
    func deliverPending(_ clock: NodeClock) {
        guard let finalization = undelivered else { return }
        var chain: [CandidatePool.Candidate] = []
        var digest = finalization.subject.digest
        while digest != head.digest {
            guard let candidate = pool[digest] else {
                requestBody(digest, preferring: nil)
                requestBlocks(clock)
                return
            }
            guard candidate.block.header.height > head.header.height else {
                return halt(
                    "a Finalization of view \(finalization.view) leads to block \(candidate.block.header.height) beside the final chain: more than a third of the masternodes contradict themselves")
            }
            chain.append(candidate)
            digest = candidate.block.header.parent
        }
        guard ensureExecuted(finalization.subject.digest, clock) != nil else {
            if let flawed = chain.last(where: { $0.flaw != nil }), let flaw = flawed.flaw {
                halt(
                    "final block \(flawed.block.header.height) (\(flawed.digest)) does not fit this node's state: \(flaw)")
            }
            return
        }
        undelivered = nil
        var previous = head
        var commits: [Commit] = []
        for candidate in chain.reversed() {
            guard let executed = candidate.executed else { return }
            let proof = candidate.digest == finalization.subject.digest ? finalization : nil
            commits.append(
                Commit(
                    block: FinalizedBlock(block: candidate.block, finalization: proof), digest: candidate.digest,
                    transactionIds: executed.transactionIds, state: previous.stateCommit))
            committing.append(executed)
            mempool.include(candidate.block.transactions)
            previous = executed
        }
        head = previous
        mempool.expire(at: head.header.time)
        pool.forget(through: head.header.height, view: head.header.view)
        verifications = verifications.filter { $0.key > head.header.view }
        outputs.append(.commit(commits))
    }

    func committed(_ height: Height) {
        while let first = committing.first, first.header.height <= height {
            committing.removeFirst()
            first.layer.sink()
            published = first
            outputs.append(
                .published(
                    PublishedBlock(
                        height: first.header.height, digest: first.digest, time: first.header.time,
                        transactionIds: first.transactionIds)))
        }
        outputs.append(.broadcast(.head(height: published.header.height, digest: published.digest), to: .followers))
        cutJournalIfLong()
    }
}
