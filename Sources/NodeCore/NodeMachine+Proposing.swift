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
        guard let me, let request = questions.toPropose else { return }
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
        let transactions = select(for: request, on: parent, time: time)
        let due = parent.nextDue.map { $0 <= clock.wall } ?? false
        // Work that lies in blocks which are not final yet needs one more block if its votes were lost.
        let overdue = workAnnounced && parent.digest != head.digest
            && clock.monotonic >= questions.viewEnteredAt.advanced(byMs: simplex.delayMs / 2)
        guard
            !transactions.isEmpty || parent.changedState || due || overdue || request.heartbeatAt <= clock.monotonic
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
        questions.proposed()
        guard let block = build(request, on: parent, time: time, transactions: transactions, proposer: me) else {
            step(.declined(view: request.view), clock)
            return
        }
        let digest = block.header.digest(genesis: genesisHash)
        guard pool.insertMakingRoom(block, digest: digest) != nil, ensureExecuted(digest, clock) != nil else {
            outputs.append(
                .note(.rejectedProposal(request.view, "own block: \(pool[digest]?.flaw ?? "no room for its body")")))
            step(.declined(view: request.view), clock)
            return
        }
        step(.proposed(view: request.view, digest: digest), clock)
    }

    private func select(for request: ProposalRequest, on parent: ExecutedBlock, time: Time) -> [SignedTransaction] {
        guard mempool.count > 0 else { return [] }
        do {
            // A parent that is not final yet has used sequences that the pool still counts from.
            let layer = parent.layer
            let candidates = mempool.candidates(
                maxBytes: Int(epoch.parameters.blockBytes), maxCount: NodeLimits.blockTransactions
            ) { account in
                guard let bytes = try? layer.value(.account(account)) else { return nil }
                return try? AccountRecord(borsh: bytes).sequence
            }
            return try ledger.selectTransactions(
                from: candidates.map(\.signed), state: layer, time: time, certificate: request.parentCertificate
            ).transactions
        } catch {
            halt("the state could not be read: \(error)")
            return []
        }
    }

    private func build(
        _ request: ProposalRequest, on parent: ExecutedBlock, time: Time, transactions: [SignedTransaction],
        proposer: UInt16
    ) -> Block? {
        guard let key = epoch.set.member(proposer)?.consensusKey else { return nil }
        let link: Digest?
        do { link = try parent.layer.value(.beacon(key)).flatMap { Digest($0) } } catch {
            halt("the state could not be read: \(error)")
            return nil
        }
        guard let link, let reveal = reveal(under: link, of: key, on: parent) else { return nil }
        let header = Header(
            height: parent.header.height.next, view: request.view, epoch: epoch.epoch, parent: parent.digest,
            proposer: proposer, time: time, transactionsRoot: Block.transactionsRoot(transactions),
            stateRoot: parent.stateRoot, receiptsRoot: parent.receiptsRoot, gasUsed: parent.gasUsed,
            reveal: reveal, randomness: Beacon.mix(parent.header.randomness, reveal: reveal), activeSetHash: epoch.setHash,
            nextSetHash: epoch.nextSetHash, parentCertificateHash: request.parentCertificate.hash)
        return Block(header: header, parentCertificate: request.parentCertificate, transactions: transactions)
    }
}
