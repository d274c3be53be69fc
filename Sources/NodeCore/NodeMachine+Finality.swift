import Consensus
import Cryptography
import Primitives

/// Delivers final blocks in their order, each once, and publishes them when they are durable.
extension NodeMachine {
    func deliver(_ finalization: Finalization, _ clock: NodeClock) {
        guard finalization.epoch == epoch.epoch, finalization.view > finalView else { return }
        if let waiting = undelivered, waiting.view > finalization.view {
            // A node far behind hears of the newest Finalization first, and gets there in steps.
            deliver(through: finalization, clock)
        } else {
            undelivered = finalization
        }
        deliverPending(clock)
    }

    /// Delivers the highest Finalization if every body down to the head is here; else asks for what is missing.
    func deliverPending(_ clock: NodeClock) {
        guard let finalization = undelivered else { return }
        guard finalization.view > finalView else {
            undelivered = nil
            return
        }
        if let missing = deliver(through: finalization, clock) {
            requestBody(missing, preferring: nil)
            requestBlocks(clock)
        }
    }

    /// Delivers the Finalization's block and its ancestors.
    /// - Returns: a body that is missing for that.
    @discardableResult
    private func deliver(through finalization: Finalization, _ clock: NodeClock) -> Digest? {
        var chain: [CandidatePool.Candidate] = []
        var digest = finalization.subject.digest
        while digest != head.digest {
            guard let candidate = pool[digest] else { return digest }
            guard candidate.block.header.height > head.header.height else {
                halt(
                    "a Finalization of view \(finalization.view) leads to block \(candidate.block.header.height) beside the final chain: more than a third of the masternodes contradict themselves")
                return nil
            }
            chain.append(candidate)
            digest = candidate.block.header.parent
        }
        guard ensureExecuted(finalization.subject.digest, clock) != nil else {
            if let flawed = chain.last(where: { $0.flaw != nil }), let flaw = flawed.flaw {
                halt(
                    "final block \(flawed.block.header.height) (\(flawed.digest)) does not fit this node's state: \(flaw)")
            }
            return nil
        }
        finalView = finalization.view
        // The border block again, in a later view.
        guard !chain.isEmpty else { return nil }
        var previous = head
        var commits: [Commit] = []
        for candidate in chain.reversed() {
            guard let executed = candidate.executed else { return nil }
            let proof = candidate.digest == finalization.subject.digest ? finalization : nil
            commits.append(
                Commit(
                    block: FinalizedBlock(block: candidate.block, finalization: proof), digest: candidate.digest,
                    transactionIds: executed.transactionIds, state: previous.stateCommit, link: executed.link(proof)))
            committing.append(candidate)
            mempool.include(candidate.block.transactions)
            previous = executed
        }
        head = previous
        headFinalization = finalization
        mempool.expire(at: head.header.time)
        pool.forget(through: head.header.height, epoch: head.header.epoch, view: finalView)
        verifications = verifications.filter { $0.key > finalView }
        if let waiting = undelivered, waiting.view <= finalView { undelivered = nil }
        outputs.append(.commit(commits))
        if !rules.publishWhenDurable { publish(through: head.header.height) }
        return nil
    }

    func committed(_ height: Height, _ clock: NodeClock) {
        publish(through: height)
        outputs.append(.broadcast(.head(height: published.header.height, digest: published.digest), to: .followers))
        cutJournalIfLong()
        if peers.values.contains(where: { $0.distance(since: head.header.height) > 1 }) { requestBlocks(clock) }
    }

    private func publish(through height: Height) {
        while let first = committing.first?.executed, first.header.height <= height {
            committing.removeFirst()
            first.layer.sink()
            published = first
            outputs.append(
                .published(
                    PublishedBlock(
                        height: first.header.height, digest: first.digest, time: first.header.time,
                        transactionIds: first.transactionIds)))
        }
    }
}
