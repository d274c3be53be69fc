import Consensus
import Cryptography
import Encoding
import Ledger
import Mempool
import Primitives

/// Builds the blocks of the views that this node leads.
extension NodeMachine {
    /// Answers a pending request to propose once there is something to order, or the heartbeat is due.
    func propose(_ clock: NodeClock) {
        makesBlockAt = nil
        guard let me, let request = questions.toPropose else { return }
        // The next commit that ends asks again.
        guard chain.committing.count < NodeLimits.commitsUnderWay else { return }
        guard let parent = ensureExecuted(request.parent.digest, clock) else { return }
        // Rule 11: nothing is built above the border block; it is proposed again until it is final.
        if parent.isBorder, parent.header.epoch == epoch.epoch, rules.stopAtBorder {
            questions.proposed()
            return step(.proposed(view: request.view, digest: parent.digest), clock)
        }
        let time = max(parent.header.time.next, clock.wall)
        guard time <= clock.wall.advanced(by: epoch.parameters.clockAheadMs) else {
            wake(at: Time(time.value - epoch.parameters.clockAheadMs), clock)
            return
        }
        // Soon enough for whoever waits, and seldom enough for what a block costs everybody. Asked before anything is looked
        // at, since every message asks. A parent whose time is ahead of this clock is nothing to wait for.
        let spaced = parent.header.time.advanced(by: rules.blockSpacingMs)
        let isTooSoon = parent.header.time <= clock.wall && clock.wall < spaced && parent.changedState
        makesBlockAt = isTooSoon ? spaced : min(spaced, clock.wall)
        guard !isTooSoon || mempool.readyCount >= NodeLimits.blockWorthMaking else { return wake(at: spaced, clock) }
        let candidates = candidates(on: parent)
        let due = parent.nextDue.map { $0 <= clock.wall } ?? false
        // Work that lies in blocks which are not final yet needs one more block if its votes were lost.
        let overdue = workAnnounced && parent.digest != head.digest
            && clock.monotonic >= questions.viewEnteredAt.advanced(byMs: simplex.delayMs / 2)
        guard
            !candidates.isEmpty || parent.changedState || due || overdue || request.heartbeatAt <= clock.monotonic
        else {
            let overdueAt = questions.viewEnteredAt.advanced(byMs: simplex.delayMs / 2)
            let dueAt = parent.nextDue.map {
                clock.monotonic.advanced(byMs: $0.distance(since: clock.wall))
            }
            var wakeAt = min(request.heartbeatAt, dueAt ?? request.heartbeatAt)
            if workAnnounced, overdueAt > clock.monotonic { wakeAt = min(wakeAt, overdueAt) }
            outputs.append(.setTimer(.due, at: wakeAt))
            return
        }
        // Most of them stand in the parent.
        guard !isTooSoon || candidates.count >= NodeLimits.blockWorthMaking else { return wake(at: spaced, clock) }
        // The chain of hashes in force is being made: giving the view up, and the next, and the next, would not hurry it.
        if let identity, awaitsBeacon(of: identity.key, on: parent) { return }
        guard let draft = draft(request, on: parent, time: time, candidates: candidates, proposer: me) else {
            questions.proposed()
            step(.declined(view: request.view), clock)
            return
        }
        // Nothing of what seemed to wait can be in a block: there is nothing to propose yet.
        if draft.selection.transactions.isEmpty, !candidates.isEmpty, !parent.changedState, !due, !overdue,
            request.heartbeatAt > clock.monotonic
        {
            announceWork(clock)
            let soon = clock.monotonic.advanced(byMs: simplex.delayMs / 2)
            outputs.append(.setTimer(.due, at: min(request.heartbeatAt, soon)))
            return
        }
        makesBlockAt = nil
        questions.proposed()
        guard let candidate = pool.insertMakingRoom(draft.block, digest: draft.digest) else {
            outputs.append(.note(.rejectedProposal(request.view, "own block: no room for its body")))
            step(.declined(view: request.view), clock)
            return
        }
        if candidate.executed == nil { candidate.executed = draft.executed }
        step(.proposed(view: request.view, digest: draft.digest), clock)
    }

    /// What the pool has for a block on this parent.
    private func candidates(on parent: ExecutedBlock) -> [Admitted] {
        guard mempool.readyCount > 0 else { return [] }
        // A parent that is not final yet has used sequences that the pool still counts from.
        let layer = parent.layer
        var failure: (any Error)?
        let candidates = mempool.candidates(
            maxBytes: Int(epoch.parameters.blockBytes), maxCount: Self.mostCandidates(epoch.parameters)
        ) { account in
            do { return try layer.value(.account(account)).map { try AccountRecord(borsh: $0).sequence } } catch {
                failure = error
                return nil
            }
        }
        if let failure {
            halt("the state could not be read: \(failure)")
            return []
        }
        return candidates
    }

    /// As many as the gas of a block can hold, and some more, since some will be refused.
    private static func mostCandidates(_ parameters: Parameters) -> Int {
        let least = max(1, parameters.intrinsicGas(dataBytes: 0))
        return min(NodeLimits.blockTransactions, Int(clamping: parameters.blockGas / least) + 512)
    }

    private struct Draft {
        let block: Block
        let digest: Digest
        let executed: ExecutedBlock
        let selection: TransactionSelection
    }

    /// A block out of the candidates, executed as it is put together: the proposer stops when its time is used up,
    /// that for due calls and for the state tree included. What made it stop comes last from then on, and what no block can
    /// hold leaves the pool.
    private func draft(
        _ request: ProposalRequest, on parent: ExecutedBlock, time: Time, candidates: [Admitted], proposer: UInt16
    ) -> Draft? {
        guard let reveal = reveal(on: parent, proposer: proposer) else { return nil }
        let randomness = Beacon.mix(parent.header.randomness, reveal: reveal)
        let frame = BlockFrame(
            height: parent.header.height.next, time: time, proposer: proposer, reveal: reveal, randomness: randomness,
            parentCertificate: request.parentCertificate)
        // Calls that are due run after the transactions, in their time.
        let isDue = parent.nextDue.map { $0 <= time } ?? false
        let calls = isDue ? min(epoch.parameters.scheduledGasPerBlock / 1_000_000, NodeLimits.proposalMs / 2) : 0
        let started = stopwatch()
        do {
            let (selection, execution) = try ledger.propose(
                from: candidates.map(\.signed), frame: frame, state: parent.layer, context: parent.context
            ) { pace.allows(milliseconds: calls &+ (stopwatch() &- started), changes: $0) }
            for (id, _) in selection.refused { mempool.remove(id) }
            if let stoppedAt = selection.stoppedAt { mempool.putLast(stoppedAt) }
            let block = build(
                request, on: parent, frame: frame, transactions: selection.transactions,
                transactionsRoot: selection.transactionsRoot)
            let digest = block.header.digest(genesis: genesisHash)
            let chosen = stopwatch()
            let executed = try ExecutedBlock(
                block, digest: digest, transactionIds: selection.transactionIds, execution: execution,
                below: parent.layer, store: store, pages: pages)
            pace.note(changes: execution.delta.changes.count, milliseconds: stopwatch() &- chosen)
            return Draft(block: block, digest: digest, executed: executed, selection: selection)
        } catch {
            halt("block \(frame.height) could not be made: \(error)")
            return nil
        }
    }

    private func reveal(on parent: ExecutedBlock, proposer: UInt16) -> Digest? {
        guard let key = epoch.set.member(proposer)?.consensusKey else { return nil }
        let link: Digest?
        do { link = try parent.layer.value(.beacon(key)).flatMap { Digest($0) } } catch {
            halt("the state could not be read: \(error)")
            return nil
        }
        guard let link else { return nil }
        return reveal(under: link, of: key, on: parent)
    }

    private func build(
        _ request: ProposalRequest, on parent: ExecutedBlock, frame: BlockFrame, transactions: [SignedTransaction],
        transactionsRoot: Digest
    ) -> Block {
        let header = Header(
            height: frame.height, view: request.view, epoch: epoch.epoch, parent: parent.digest,
            proposer: frame.proposer, time: frame.time, transactionsRoot: transactionsRoot,
            stateRoot: parent.stateRoot, receiptsRoot: parent.receiptsRoot, gasUsed: parent.gasUsed,
            reveal: frame.reveal, randomness: frame.randomness, activeSetHash: epoch.setHash,
            nextSetHash: epoch.nextSetHash, parentCertificateHash: request.parentCertificate.hash)
        return Block(header: header, parentCertificate: request.parentCertificate, transactions: transactions)
    }
}
