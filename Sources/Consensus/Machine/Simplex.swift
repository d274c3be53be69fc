import Cryptography
import Primitives

/// One node's part in the consensus of one epoch: a pure state machine (see ``Consensus``).
public struct Simplex: Sendable {
    public let configuration: ConsensusConfiguration
    /// Place in the set; nil for a follower.
    public let me: UInt16?
    let signer: (any VoteSigner)?
    let verifier: any SignatureVerifier
    let rules: Rules

    /// The current view.
    public internal(set) var view: View
    /// The certificate by which the current view was entered; nil in the epoch's first.
    var entry: EntryCertificate?
    var final: FinalTip
    /// One for each view above the last finalised one of which anything is known.
    var slots: [View: Slot] = [:]
    var clock = ViewClock()
    var delay: AdaptiveDelay
    var silence: Silence
    var outbox = Outbox()
    var fetch: Fetch?
    var proposing: Proposing = .notAsked
    var hasStarted = false
    /// True for a follower, and for a masternode that may no longer vote.
    public internal(set) var isObserving: Bool
    /// While this node asks the others where they stand (rule 12).
    var inquiry: Inquiry?
    /// No vote below this view, and in it nullify alone (rule 12).
    var voteFloor = View.zero
    var hasFloor = false
    /// Others that lost votes and came back in this epoch.
    var returning: Set<UInt16> = []

    /// - Parameters:
    ///   - floor: the last durable finalisation. It may be ahead of the journal or behind it.
    ///   - journal: every durable record, in order. Its checksums are the host's to check; the records are trusted.
    ///   - before: the machine of the epoch before, where this one takes its place in a running node. It goes on with
    ///     that one's journal tokens, since answers to them may be on their way, and with what its timers and rule 9 have
    ///     learnt.
    /// - Throws: where the set, the floor and the journal do not fit together.
    public init(
        configuration: ConsensusConfiguration, role: Role, start: VotingStart = .remembers, floor: Floor,
        journal: [JournalRecord], before: Simplex? = nil, verifier: any SignatureVerifier = Ed25519Verifier()
    ) throws(ConsensusError) {
        try self.init(
            configuration: configuration, role: role, start: start, floor: floor, journal: journal, before: before,
            verifier: verifier, rules: Rules())
    }

    package init(
        configuration: ConsensusConfiguration, role: Role, start: VotingStart = .remembers, floor: Floor,
        journal: [JournalRecord], before: Simplex? = nil, verifier: any SignatureVerifier, rules: Rules
    ) throws(ConsensusError) {
        self.configuration = configuration
        self.verifier = verifier
        self.rules = rules
        delay = AdaptiveDelay(minimum: configuration.minimumDelayMs, bound: configuration.networkDelayMs)
        silence = Silence(masternodes: configuration.set.count)
        if let before {
            outbox = Outbox(after: before.outbox)
            delay.inherit(before.delay)
            silence.inherit(before.silence, from: before.configuration.set, to: configuration.set)
        }
        switch role {
        case .masternode(let index, let signer):
            guard configuration.set.member(index) != nil else { throw .notAMember(index) }
            (me, self.signer, isObserving) = (index, signer, false)
        case .follower:
            (me, signer, isObserving) = (nil, nil, true)
        }
        if let finalization = floor.finalization, finalization.epoch != configuration.epoch {
            throw .floorOfAnotherEpoch(finalization.epoch)
        }
        final = FinalTip(floor)
        view = floor.block.view.next
        entry = floor.finalization.map { .finalization($0) }
        if rules.replayJournal { try replay(journal) }
        if me != nil, start != .remembers, rules.askBeforeVoting {
            inquiry = Inquiry(start: start, againAt: Instant(milliseconds: 0))
            isObserving = true
        }
    }

    /// The last block that this node knows to be final.
    public var lastFinalized: BlockReference { final.block }
    /// The newest token of ``Effect/journal(_:_:)``. What a host of its own accord appends to the journal is durable
    /// when this one is.
    public var journalToken: JournalToken { outbox.issued }
    /// The leader of the current view.
    public var leader: UInt16 { configuration.leaders.leader(of: view) }
    /// delta as the timers use it now, in milliseconds: at least `minimumDelayMs`, at most 32 times `networkDelayMs`.
    public var delayMs: UInt64 { delay.milliseconds }

    /// Takes one input and says what is to be done.
    /// - Parameter now: the host's monotonic clock; taken as standing still where it goes back.
    public mutating func step(_ input: Input, now: Instant) -> [Effect] {
        clock.now = max(clock.now, now)
        if case .start = input {
            guard !hasStarted else { return [] }
            hasStarted = true
            resume()
        }
        guard hasStarted else { return [] }
        switch input {
        case .start: break
        case .message(let message, let peer): receive(message, from: peer)
        case .peerConnected(let peer): greet(peer)
        case .timer(let id): timerFired(id)
        case .proposed(let view, let digest): proposed(view: view, digest: digest)
        case .declined(let view): declined(view: view)
        case .verified(let view, let digest, let verdict): verified(view: view, digest: digest, verdict)
        case .workPending(let pending): clock.setWork(pending)
        case .journalDurable(let token): outbox.release(through: token)
        }
        concludeInquiry()
        skipSilentLeaders()
        let missing = propose() ?? vote()
        fetchMissing(missing)
        armTimers()
        return outbox.flush(durableBeforePublic: rules.durableBeforePublic)
    }
}
