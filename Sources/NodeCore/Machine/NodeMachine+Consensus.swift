import Consensus
import Primitives

/// Interprets the effects of consensus: the only place that does.
extension NodeMachine {
    func step(_ input: Input, _ clock: NodeClock) {
        for effect in simplex.step(input, now: clock.monotonic) { interpret(effect, clock) }
    }

    private func interpret(_ effect: Effect, _ clock: NodeClock) {
        switch effect {
        case .journal(let records, let token): journal(records, token)
        case .send(let message, let peer):
            if let node = names.node(peer, in: epoch.set) { outputs.append(.send(.consensus(message), to: node)) }
        case .broadcast(let message): outputs.append(.broadcast(.consensus(message), to: .masternodes))
        case .setTimer(let timer, let at): outputs.append(.setTimer(.consensus(timer), at: at))
        case .cancelTimer(let timer): outputs.append(.cancelTimer(.consensus(timer)))
        case .propose(let request): questions.propose(request)
        case .verify(let proposal, let parentCertificate):
            questions.judge(proposal, parentCertificate)
        case .notarized(let certificate):
            newestNotarization = (
                certificate.epoch, ConsensusMessage.beginning(ofNotarizationOf: certificate.subject))
            if executed(certificate.subject.digest) == nil, pool[certificate.subject.digest] == nil {
                requestBody(certificate.subject.digest, preferring: epoch.leaders.leader(of: certificate.view))
            }
        case .finalized(let finalization): deliver(finalization, clock)
        case .evidence(let evidence): keep(evidence, clock)
        case .enteredView(let view, let leader):
            questions.entered(view, at: clock.monotonic)
            outputs.append(.note(.enteredView(view, leader: leader)))
        case .epochAhead(_, let peer):
            // It has the border block that this node lacks; how much more, its next word tells.
            if let node = names.node(peer, in: epoch.set), let known = sources.head(of: node) {
                sources.says(max(known, head.header.height.next), node)
                requestBlocks(clock)
            }
        case .misbehaviour(let kind, let peer):
            if let node = names.node(peer, in: epoch.set) { outputs.append(.note(.offence(node, .consensus(kind)))) }
        case .observing(let reason): observe(because: reason)
        case .takesPart(let floor):
            memory.regain()
            rejoin = nil
            outputs.append(.note(.takesPart(floor)))
        case .rejoinRefused(let others):
            outputs.append(.note(.rejoinRefused(others.compactMap { epoch.set.member($0)?.name })))
        }
    }

    /// Whether the message is a Notarization of what this node holds one of, which says nothing to consensus: everybody tells
    /// everybody of each, so that it need not be decoded.
    public func knows(_ kind: UInt8, _ payload: [UInt8]) -> Bool {
        guard kind == NodeMessage.Kind.consensus.rawValue, let newest = newestNotarization, newest.epoch == epoch.epoch
        else { return false }
        return payload.starts(with: newest.beginning)
            && Notarization.isWellFormed(behindSubject: payload[newest.beginning.count...])
    }

    /// Bodies that the journal lacks go in front of the votes, so that one fsync makes both durable: a vote promises
    /// that its voter can serve the body.
    private func journal(_ records: [JournalRecord], _ token: JournalToken) {
        var entries: [JournalEntry] = []
        var own: Block?
        // Votes of earlier steps that the disk does not have yet, and others of this one.
        var earlier = memory.newestPending
        for candidate in pool.ordered where rules.journalBodies && candidate.executed != nil && !candidate.journalled {
            candidate.journalled = true
            entries.append(.body(candidate.block))
        }
        for record in records {
            entries.append(.consensus(record))
            if let position = record.ownVote { memory.votes(position, token) }
            if case .notarizeVote(let vote) = record, vote.signer == me, vote.subject.digest != vote.subject.parentDigest,
                epoch.leaders.leader(of: vote.subject.view) == me, let candidate = pool[vote.subject.digest]
            {
                own = candidate.block
            } else if record.ownVote != nil {
                earlier = token
            }
        }
        // An own proposal is relayed while the disk takes the vote that proposes it: of that vote it says nothing. But the
        // certificate of its parent may hold an earlier vote of this key, and that must be durable before anybody sees it.
        if let own {
            if let earlier { desk.relay(own, after: earlier) } else { relay(own) }
        }
        desk.append(entries)
        outputs.append(.journal(entries, token))
    }

    private func relay(_ block: Block) { outputs.append(.broadcast(relayed(block), to: .masternodes)) }

    func journalled(_ token: JournalToken, _ clock: NodeClock) {
        for block in desk.takeRelays(through: token) { relay(block) }
        memory.durable(token)
        step(.journalDurable(token), clock)
    }

    /// Cuts the journal once the store holds what it was for.
    func cutJournalIfLong() {
        guard desk.bytes > rules.journalBytes else { return }
        // Until the store holds the border block, only the journal proves that its epoch is over.
        guard chain.committing.allSatisfy({ $0.block.header.epoch == epoch.epoch }) else { return }
        // Final blocks that the store does not hold yet are promised still.
        let promised = (rules.keepUncommitted ? chain.committing : []) + pool.ordered
        var entries: [JournalEntry] = promised.filter(\.journalled).map { .body($0.block) }
        entries += (simplex.journalToKeep + laterRecords).map { .consensus($0) }
        entries = memory.toKeep + entries
        desk.rewrite(entries)
        outputs.append(.rewriteJournal(entries))
    }

    /// Tells consensus whether anything waits to be ordered: only then do the view's timers run.
    func announceWork(_ clock: NodeClock) {
        let tip = simplexTip
        let due = tip.nextDue.map { $0 <= clock.wall } ?? false
        let pending = mempool.readyCount > 0 || tip.changedState || due
        if pending != workAnnounced {
            workAnnounced = pending
            step(.workPending(pending), clock)
        }
        if !due, let next = tip.nextDue { wake(at: next, clock) }
    }

    /// When a block may follow the newest one that this node knows; earlier only where many transactions wait.
    public var nextBlockTime: Time { simplexTip.header.time.advanced(by: blockSpacingMs) }

    /// Whether there is a block then in any case: the newest one changed the state, and its root is to be certified at once.
    public var expectsBlock: Bool { simplexTip.changedState }

    /// Milliseconds from the time of a block with transactions to that of the next, where few wait.
    public var blockSpacingMs: UInt64 { rules.blockSpacingMs }

    /// The highest executed block: work that it holds is ordered, if not final.
    private var simplexTip: ExecutedBlock {
        var tip = head
        for candidate in pool.ordered {
            guard let executed = candidate.executed else { continue }
            let (new, old) = (executed.header, tip.header)
            if (new.epoch, new.view) > (old.epoch, old.view) { tip = executed }
        }
        return tip
    }

    /// Asks the host for a call when the wall clock shows this time.
    func wake(at time: Time, _ clock: NodeClock) {
        let wait = time.distance(since: clock.wall)
        outputs.append(.setTimer(.due, at: clock.monotonic.advanced(byMs: wait)))
    }
}
