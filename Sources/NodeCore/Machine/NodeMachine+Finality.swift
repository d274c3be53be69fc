import Consensus
import Cryptography
import Primitives

/// Delivers final blocks in their order, each once, and publishes them when they are durable.
extension NodeMachine {
    func deliver(_ finalization: Finalization, _ clock: NodeClock) {
        guard finalization.epoch == epoch.epoch, finalization.view > chain.view else { return }
        if chain.heard(finalization) { deliver(through: finalization, clock) }
        deliverPending(clock)
    }

    /// Delivers the highest Finalization if every body down to the head is here; else asks for what is missing.
    func deliverPending(_ clock: NodeClock) {
        guard let finalization = chain.takeWaiting() else { return }
        if let missing = deliver(through: finalization, clock) {
            requestBlocks(clock)
            requestBody(missing, preferring: nil)
        }
    }

    /// Delivers the Finalization's block and its ancestors.
    /// - Returns: a body that is missing for that.
    @discardableResult
    func deliver(through finalization: Finalization, _ clock: NodeClock) -> Digest? {
        var path: [CandidatePool.Candidate] = []
        var digest = finalization.subject.digest
        while digest != head.digest {
            guard let candidate = pool[digest] else { return digest }
            guard candidate.block.header.height > head.header.height else {
                halt(
                    "a Finalization of view \(finalization.view) leads to block \(candidate.block.header.height) beside the final chain: more than a third of the masternodes contradict themselves")
                return nil
            }
            path.append(candidate)
            digest = candidate.block.header.parent
        }
        guard ensureExecuted(finalization.subject.digest, clock) != nil else {
            if let flawed = path.last(where: { $0.flaw != nil }), let flaw = flawed.flaw {
                halt(
                    "final block \(flawed.block.header.height) (\(flawed.digest)) does not fit this node's state: \(flaw)")
            }
            return nil
        }
        chain.delivers(finalization)
        // The border block again, in a later view.
        guard !path.isEmpty else { return nil }
        var previous = head
        var commits: [Commit] = []
        for candidate in path.reversed() {
            guard let executed = candidate.executed else { return nil }
            noticeOwnVotes(in: candidate.block)
            let proof = candidate.digest == finalization.subject.digest ? finalization : nil
            commits.append(
                Commit(
                    block: FinalizedBlock(block: candidate.block, finalization: proof), digest: candidate.digest,
                    transactionIds: executed.transactionIds, state: previous.stateCommit, link: executed.link(proof),
                    mark: identity.flatMap { memory.mark(of: $0.key) }))
            mempool.include(candidate.block.transactions)
            previous = executed
        }
        chain.extend(by: path.reversed(), proof: finalization)
        mempool.expire(at: head.header.time)
        pool.forget(through: head.header.height, epoch: head.header.epoch, view: chain.view)
        sketches.forget(through: head.header.height)
        questions.finalized(through: chain.view)
        outputs.append(.commit(commits))
        if !rules.publishWhenDurable { publish(through: head.header.height) }
        return nil
    }

    func committed(_ height: Height, _ clock: NodeClock) {
        publish(through: height)
        outputs.append(.broadcast(.head(height: published.header.height, digest: published.digest), to: .followers))
        cutJournalIfLong()
        if isCatchingUp { requestBlocks(clock) }
    }

    private func publish(through height: Height) {
        for first in chain.publish(through: height) {
            outputs.append(
                .published(
                    PublishedBlock(
                        height: first.header.height, digest: first.digest, time: first.header.time,
                        transactionIds: first.transactionIds)))
        }
    }
}
