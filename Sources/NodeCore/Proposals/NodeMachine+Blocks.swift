import Consensus
import Cryptography
import Ledger
import Primitives

/// Checks proposals and executes blocks that are not final yet.
extension NodeMachine {
    /// Answers the proposals that can be judged now; the others wait for data or for their time.
    func retryVerifications(_ clock: NodeClock) {
        for verification in questions.waiting {
            let proposal = verification.proposal
            let view = proposal.view
            // An answer may have moved the view.
            guard questions.isOpen(view) else { continue }
            let verdict: Verdict
            switch judge(verification, clock) {
            case .wait: continue
            case .valid: verdict = .valid
            case .invalid(let reason):
                verdict = .invalid
                outputs.append(.note(.rejectedProposal(view, reason)))
            }
            questions.judged(view)
            step(.verified(view: view, digest: proposal.digest, verdict), clock)
        }
    }

    private enum Judgement { case valid, invalid(String), wait }

    private func judge(_ verification: OpenQuestions.Verification, _ clock: NodeClock) -> Judgement {
        let proposal = verification.proposal
        if proposal.digest == proposal.parentDigest { return judgeRepetition(proposal, clock) }
        guard let candidate = pool[proposal.digest] else {
            requestBody(proposal.digest, preferring: epoch.leaders.leader(of: proposal.view))
            return .wait
        }
        let header = candidate.block.header
        guard header.view == proposal.view, header.parent == proposal.parentDigest, header.epoch == proposal.epoch else {
            return .invalid("the body does not belong to the proposal")
        }
        if let flaw = candidate.flaw { return .invalid(flaw) }
        guard let parent = ensureExecuted(proposal.parentDigest, clock) else {
            // A parent that a quorum notarised is valid; one that is found flawed here can't be built on.
            return pool[proposal.parentDigest]?.flaw.map { .invalid("its parent: \($0)") } ?? .wait
        }
        guard parent.context.epoch == epoch.epoch || !rules.stopAtBorder else {
            return .invalid("it stands above the epoch's border block")
        }
        let latest = clock.wall.advanced(by: epoch.parameters.clockAheadMs)
        guard header.time <= latest else {
            wake(at: Time(header.time.value - epoch.parameters.clockAheadMs), clock)
            return .wait
        }
        if ensureExecuted(proposal.digest, clock) != nil { return .valid }
        return candidate.flaw.map { .invalid($0) } ?? .wait
    }

    /// Rule 11: a border block that is notarised and not final is proposed again, and no other block ever is.
    private func judgeRepetition(_ proposal: Proposal, _ clock: NodeClock) -> Judgement {
        guard let block = ensureExecuted(proposal.digest, clock) else {
            return pool[proposal.digest]?.flaw.map { .invalid($0) } ?? .wait
        }
        guard block.isBorder, block.header.epoch == proposal.epoch else {
            return .invalid("it repeats its parent, which is not the epoch's border block")
        }
        return .valid
    }

    /// Executes the block and the ancestors it needs. Nil when a body is missing or a block is flawed.
    @discardableResult
    func ensureExecuted(_ digest: Digest, _ clock: NodeClock) -> ExecutedBlock? {
        var chain: [CandidatePool.Candidate] = []
        var next = digest
        while executed(next) == nil {
            guard let candidate = pool[next] else {
                requestBody(next, preferring: nil)
                return nil
            }
            guard candidate.flaw == nil, candidate.block.header.height > head.header.height else { return nil }
            chain.append(candidate)
            next = candidate.block.header.parent
        }
        for candidate in chain.reversed() {
            guard let parent = executed(candidate.block.header.parent) else { return nil }
            do {
                switch try check(candidate, on: parent) {
                case .flawed(let flaw):
                    candidate.flaw = flaw
                    return nil
                case .sound(let ids):
                    candidate.executed = try ExecutedBlock(
                        executing: candidate.block, digest: candidate.digest, transactionIds: ids,
                        context: parent.context, ledger: ledger, below: parent.layer, store: store, pages: pages)
                }
            } catch {
                halt("block \(candidate.block.header.height) could not be executed: \(error)")
                return nil
            }
        }
        return executed(digest)
    }

    private enum Check {
        /// With the identifiers of its transactions, where they were computed.
        case sound([TransactionId]?)
        case flawed(String)
    }

    /// Whether the block is valid on this parent: a pure function of both.
    private func check(
        _ candidate: CandidatePool.Candidate, on parent: ExecutedBlock
    ) throws(LedgerError) -> Check {
        guard rules.checkBodies else { return .sound(nil) }
        let verdict = try ledger.checkBody(
            candidate.block, parent: parent.facts, state: parent.layer, context: parent.context
        ) { transactions, ids in
            self.signatures.areAuthorized(transactions, ids: ids, genesis: self.genesisHash).firstIndex(of: false)
        }
        switch verdict {
        case .valid(let body): return .sound(body.transactionIds)
        case .invalid(let error): return .flawed(error.description)
        }
    }

    /// The host remembers what was checked on a transaction's way into the pool.
    func isAuthorized(_ transaction: SignedTransaction, id: TransactionId) -> Bool {
        signatures.isAuthorized(transaction, id: id, genesis: genesisHash)
    }
}
