import Consensus
import Cryptography
import Ledger
import Primitives
import StateTree

/// One machine of consensus runs one epoch. When the epoch's border block is final here, the next one takes its place.
extension NodeMachine {
    /// Goes on to the epoch that the head begins, if it ends the one that consensus runs.
    func advanceEpoch(_ clock: NodeClock) {
        while !isHalted, head.context.epoch != epoch.epoch {
            guard let finalization = chain.headFinalization, finalization.subject.digest == head.digest else {
                // Delivered as an ancestor, which a border block never is while more than two thirds are honest.
                return halt("the border block \(head.header.height) of epoch \(epoch.epoch) has no Finalization of its own")
            }
            if let problem = Self.versionProblem(head.context, rules) { return halt(problem) }
            epoch = head.context
            do {
                let seat = try Seat(
                    identity: identity, epoch: epoch, head: head, memory: memory, rejoin: rejoin, journal: laterRecords)
                me = seat.index
                if seat.mayVoteAgain { memory.regain() }
                simplex = try Self.makeSimplex(
                    genesisHash, epoch, seat, floor: .start(head.digest, proof: .finalization(finalization)),
                    journal: laterRecords, before: simplex, signatures: signatures, rules: rules)
            } catch {
                return halt("epoch \(epoch.epoch) can't begin: \(error)")
            }
            laterRecords.removeAll { $0.epoch <= epoch.epoch }
            chain.beginEpoch()
            questions.beginEpoch()
            workAnnounced = false
            pool.forgetRelays()
            for timer in TimerId.allCases { outputs.append(.cancelTimer(.consensus(timer))) }
            // Whoever still votes in the old epoch learns at once that it is over.
            outputs.append(.broadcast(.consensus(.finalization(finalization)), to: .masternodes))
            outputs.append(.note(.enteredEpoch(epoch.epoch, members: epoch.set.count, isMember: me != nil)))
            announceEpoch()
            step(.start, clock)
        }
    }

    /// The machine for an epoch, with this node's part in it.
    static func makeSimplex(
        _ genesis: Digest, _ epoch: EpochContext, _ seat: Seat, floor: Floor, journal: [JournalRecord],
        before: Simplex?, signatures: any NodeSignatures, rules: NodeRules
    ) throws -> Simplex {
        try Simplex(
            configuration: ConsensusConfiguration(
                genesis: genesis, epoch: epoch.epoch, set: epoch.set, leaders: epoch.leaders,
                networkDelayMs: epoch.parameters.networkDelayMs, heartbeatMs: epoch.parameters.heartbeatMs),
            role: seat.role, start: seat.start, floor: floor, journal: journal, before: before, verifier: signatures,
            rules: rules.consensus)
    }

    /// A node's place in the set of an epoch.
    struct Seat {
        let role: Consensus.Role
        /// Nil for whoever does not vote.
        let index: UInt16?
        let start: VotingStart
        /// Whether this node had stopped voting and may now go on: its journal had lost votes, and its owner resumed the
        /// masternode in a later epoch, from which on the set has it again.
        let mayVoteAgain: Bool

        /// - Parameter journal: records of this epoch and later ones.
        init(
            identity: NodeIdentity?, epoch: EpochContext, head: ExecutedBlock, memory: VoteMemory, rejoin: VotingStart?,
            journal: [JournalRecord]
        ) throws {
            var mayVote = true
            // A store that was set aside, under a journal that was cut since: what this key said in an epoch that is over
            // is no longer known, and nothing of it is needed.
            if journal.contains(where: { $0.epoch > epoch.epoch }), !journal.contains(where: { $0.epoch == epoch.epoch }) {
                (role, index, start, mayVoteAgain) = (.follower, nil, .remembers, false)
                return
            }
            if let lost = memory.lostIn, let identity {
                mayVote = false
                if let bytes = try head.layer.value(.masternode(identity.key)),
                    case .active(let from) = try MasternodeRecord(borsh: bytes).status
                {
                    mayVote = from > lost && from <= epoch.epoch
                }
            }
            mayVoteAgain = mayVote && memory.lostIn != nil
            guard mayVote || rejoin != nil, let identity, let place = epoch.set.index(of: identity.key) else {
                (role, index, start) = (.follower, nil, .remembers)
                return
            }
            start = mayVote ? (memory.isEmpty ? .asks : .remembers) : (rejoin ?? .asks)
            (role, index) = (.masternode(place, identity.signer), place)
        }
    }

    /// Consensus found that votes of this key are unknown to the journal. Remembered durably, since after a restart
    /// nothing would tell.
    func observe(because reason: ObservingReason) {
        guard case .voteUnknownToJournal = reason else {
            return outputs.append(.note(.observing("its consensus key can't sign: check the key and start the node again")))
        }
        // Whoever has voted since it started knows its votes: somebody else uses the key, and there is no way back from that.
        // An older copy of the journal that reaches as far as the store knows shows only now that it is one.
        let knewAll = memory.hasVotedSinceStart
        lose(.unknownVote)
        if !knewAll, let rejoin { simplex.rejoin(rejoin) }
    }

    private func lose(_ loss: VoteLoss) {
        let entry = memory.lose(loss, in: epoch.epoch)
        // The records of this very step come after it: it stands for those before them.
        let before = JournalToken(simplex.journalToken.value - min(1, simplex.journalToken.value))
        outputs.append(.journal([entry], before))
        announceVoting()
    }

    /// A node without memory of votes that catches up meets one of its key: store and journal are gone.
    func noticeOwnVotes(in block: Block) {
        guard rules.checkMemory, let me, simplex.isInquiring, memory.isEmpty, memory.loss == nil else { return }
        let certificate = block.parentCertificate
        guard block.header.proposer == me || (certificate.epoch == epoch.epoch && certificate.signers.contains(me)) else {
            return
        }
        lose(.homeLost)
        if let rejoin { simplex.rejoin(rejoin) } else { simplex.stopVoting() }
    }

    /// Why this masternode does not vote, if so; told at every start until it is over.
    package var notVoting: String? {
        guard identity != nil else { return nil }
        if let loss = memory.loss { return loss.advice }
        if simplex.isInquiring {
            return "it knows of no votes of its key, and asks the other masternodes where they stand before it votes"
        }
        return nil
    }

    func announceVoting() {
        if let loss = memory.loss, identity != nil {
            outputs.append(.note(.observing(loss.advice)))
        } else if simplex.isInquiring {
            outputs.append(.note(.asking))
        }
    }

    /// Whose connections are masternodes': the members of both sets, then all others that are registered.
    var admittedKeys: [PublicKey] {
        var keys = (epoch.set.members + epoch.nextPlan.set.members).map(\.consensusKey)
        do {
            if let bytes = try head.layer.value(.masternodeIndex) { keys += try MasternodeIndex(borsh: bytes).keys }
        } catch {
            halt("the state could not be read: \(error)")
        }
        var seen: Set<PublicKey> = []
        return keys.filter { seen.insert($0).inserted }
    }

    func announceEpoch() {
        outputs.append(.admit(admittedKeys))
        if let warning = upgradeAhead { outputs.append(.note(warning)) }
    }

    /// An upgrade that was accepted and that this program doesn't know.
    private var upgradeAhead: Note? {
        do {
            guard let bytes = try head.layer.value(.proposalIndex) else { return nil }
            for number in try ProposalIndex(borsh: bytes).open {
                guard let bytes = try head.layer.value(.proposal(number)) else { continue }
                let proposal = try ProposalRecord(borsh: bytes)
                guard proposal.outcome == .accepted, case .upgrade(let version) = proposal.change,
                    version > rules.newestProtocol
                else { continue }
                return .upgradeAhead(version, from: proposal.from)
            }
        } catch {
            halt("the state could not be read: \(error)")
        }
        return nil
    }

    /// Why this program can't take part in the epoch, if so.
    static func versionProblem(_ context: EpochContext, _ rules: NodeRules) -> String? {
        guard context.protocolVersion > rules.newestProtocol else { return nil }
        return
            "from epoch \(context.epoch) on, that is after block \(context.startHeight), the chain runs protocol version \(context.protocolVersion); this program knows up to version \(rules.newestProtocol). Install a newer chaind and start it with the same home"
    }

    /// The next block's consensus messages are of the epoch `epoch`; a peer that speaks of an earlier one is told where
    /// the chain is, so that it fetches what it lacks.
    func bringForward(_ peer: NodePeer) {
        guard sync.mayTellHead(peer) else { return }
        outputs.append(.send(.head(height: published.header.height, digest: published.digest), to: peer))
    }
}

extension JournalRecord {
    var epoch: Epoch {
        switch self {
        case .notarizeVote(let vote): vote.subject.epoch
        case .nullifyVote(let vote): vote.subject.epoch
        case .finalizeVote(let vote): vote.subject.epoch
        case .notarization(let certificate): certificate.epoch
        case .nullification(let certificate): certificate.epoch
        case .finalization(let certificate): certificate.epoch
        case .floor(let epoch, _): epoch
        }
    }

    /// Where a vote of this node's key stands; nil for a certificate.
    var ownVote: VotePosition? {
        switch self {
        case .notarizeVote(let vote): VotePosition(epoch: vote.subject.epoch, view: vote.subject.view)
        case .nullifyVote(let vote): VotePosition(epoch: vote.subject.epoch, view: vote.subject.view)
        case .finalizeVote(let vote): VotePosition(epoch: vote.subject.epoch, view: vote.subject.view)
        case .floor(let epoch, _): VotePosition(epoch: epoch, view: .zero)
        case .notarization, .nullification, .finalization: nil
        }
    }
}
