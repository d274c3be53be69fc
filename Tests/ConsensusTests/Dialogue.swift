import Consensus
import Cryptography
import Primitives
import Testing

/// One machine, spoken to line by line. Its disk is instant unless `diskIsSlow`.
struct Dialogue {
    let cast: Cast
    let me: UInt16
    var machine: Simplex
    var now: UInt64 = 1_000_000
    var diskIsSlow = false
    /// Everything that reached the disk.
    var journal: [JournalRecord] = []

    init(
        _ cast: Cast, me: UInt16, start: VotingStart = .remembers, floor: Floor = .start(Cast.root, proof: .genesis),
        journal: [JournalRecord] = [], rules: Rules = Rules()
    ) throws {
        self.cast = cast
        self.me = me
        machine = try Simplex(
            configuration: cast.configuration, role: .masternode(me, cast.signer(me)), start: start, floor: floor,
            journal: journal, verifier: KeyedHash(), rules: rules)
        self.journal = journal
    }

    /// A started machine of a masternode that leads none of the first views named.
    static func started(_ cast: Cast, notLeading views: ClosedRange<UInt64>) throws -> Dialogue {
        let leaders = views.map { cast.leader($0) }
        let me = try #require((0..<UInt16(cast.count)).first { !leaders.contains($0) })
        var dialogue = try Dialogue(cast, me: me)
        _ = dialogue.step(.start)
        return dialogue
    }

    mutating func step(_ input: Input) -> [Effect] {
        var effects = machine.step(input, now: Instant(milliseconds: now))
        guard !diskIsSlow else { return effects }
        var read = 0
        while read < effects.count {
            if case .journal(let records, let token) = effects[read] {
                journal += records
                effects += machine.step(.journalDurable(token), now: Instant(milliseconds: now))
            }
            read += 1
        }
        return effects
    }

    mutating func hear(_ message: ConsensusMessage, from index: UInt16) -> [Effect] {
        step(.message(message, from: .masternode(index)))
    }

    mutating func pass(_ milliseconds: UInt64) { now += milliseconds }

    var others: [UInt16] { cast.others(than: me) }

    /// Hears the leader's proposal, and the application's approval of it.
    mutating func hearValid(_ proposal: Proposal) -> [Effect] {
        let leader = cast.leader(proposal.view.value)
        return hear(.notarizeVote(cast.vote(proposal, by: leader)), from: leader)
            + step(.verified(view: proposal.view, digest: proposal.digest, .valid))
    }

    /// Enters the next view by a Notarization, or by a Nullification.
    mutating func notarize(_ proposal: Proposal) -> [Effect] {
        hear(.notarization(cast.certificate(proposal, by: Array(others.prefix(cast.set.quorum)))), from: others[0])
    }
    mutating func nullify(_ view: UInt64) -> [Effect] {
        hear(
            .nullification(cast.certificate(cast.nullify(view), by: Array(others.prefix(cast.set.quorum)))),
            from: others[0])
    }

    /// What of its state a message could change.
    var position: [JournalRecord] { machine.journalToKeep }
}

extension [Effect] {
    var broadcasts: [ConsensusMessage] {
        compactMap { if case .broadcast(let message) = $0 { message } else { nil } }
    }
    var sends: [(ConsensusMessage, Peer)] {
        compactMap { if case .send(let message, let peer) = $0 { (message, peer) } else { nil } }
    }
    var evidence: [Evidence] { compactMap { if case .evidence(let evidence) = $0 { evidence } else { nil } } }
    var finalized: [View] { compactMap { if case .finalized(let certificate) = $0 { certificate.view } else { nil } } }
    var requests: [ProposalRequest] { compactMap { if case .propose(let request) = $0 { request } else { nil } } }
    var verifies: [Proposal] { compactMap { if case .verify(let proposal, _) = $0 { proposal } else { nil } } }
    var entered: [UInt64] { compactMap { if case .enteredView(let view, _) = $0 { view.value } else { nil } } }
    var misbehaviour: [Misbehaviour] { compactMap { if case .misbehaviour(let what, _) = $0 { what } else { nil } } }
    func timer(_ id: TimerId) -> UInt64? {
        compactMap { effect -> UInt64? in
            if case .setTimer(id, let instant) = effect { instant.milliseconds } else { nil }
        }.last
    }
    var notarizeVotes: [Proposal] {
        broadcasts.compactMap { if case .notarizeVote(let vote) = $0 { vote.subject } else { nil } }
    }
    var nullifyVotes: [UInt64] {
        broadcasts.compactMap { if case .nullifyVote(let vote) = $0 { vote.subject.view.value } else { nil } }
    }
    var finalizeVotes: [Finalize] {
        broadcasts.compactMap { if case .finalizeVote(let vote) = $0 { vote.subject } else { nil } }
    }
}
