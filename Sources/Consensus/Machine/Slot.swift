import Primitives

/// What is known of one view above the last finalised one.
struct Slot: Sendable {
    /// The leader's first proposal (rule 3).
    var proposal: Proposal?
    var check = BodyCheck.notAsked
    var notarization: Notarization?
    var nullification: Nullification?
    var own = OwnVotes()
    var notarizeVotes = VoteTray<Proposal>()
    var nullifyVotes = VoteTray<Nullify>()
    var finalizeVotes = VoteTray<Finalize>()
    /// Votes on what was notarised here before they came, their signatures unchecked: they are of use only where their signer
    /// contradicts itself.
    var lateVotes = VoteTray<Proposal>()
    /// Signers whose contradiction in this view was told already.
    var accused: Set<UInt16> = []

    /// How far the application is with the leader's proposal.
    enum BodyCheck: Sendable {
        case notAsked, asked, invalid
    }

    /// Votes of views long left are of no more use; certificates and own votes are.
    mutating func dropVotes() {
        notarizeVotes = VoteTray()
        nullifyVotes = VoteTray()
        finalizeVotes = VoteTray()
        lateVotes = VoteTray()
        accused = []
    }
}

/// This node's votes in one view: at most one of each kind, and never both nullify and finalize.
struct OwnVotes: Sendable {
    var notarize: Vote<Proposal>?
    var nullify: Vote<Nullify>?
    var finalize: Vote<Finalize>?
}

/// The votes of one kind in one view: one for each signer, so at most as many as the set has members.
struct VoteTray<Subject: VoteSubject>: Sendable {
    /// Ascending by signer.
    private var votes: [Vote<Subject>] = []

    var count: Int { votes.count }

    func vote(of signer: UInt16) -> Vote<Subject>? {
        let place = position(of: signer)
        return place < votes.count && votes[place].signer == signer ? votes[place] : nil
    }

    func votes(on subject: Subject) -> [Vote<Subject>] { votes.filter { $0.subject == subject } }

    /// Keeps the first vote of each signer.
    mutating func insert(_ vote: Vote<Subject>) {
        let place = position(of: vote.signer)
        guard place == votes.count || votes[place].signer != vote.signer else { return }
        votes.insert(vote, at: place)
    }

    mutating func remove(_ signer: UInt16) -> Vote<Subject>? {
        let place = position(of: signer)
        return place < votes.count && votes[place].signer == signer ? votes.remove(at: place) : nil
    }

    /// Where the signer's vote is, or would be.
    private func position(of signer: UInt16) -> Int {
        var (low, high) = (0, votes.count)
        while low < high {
            let middle = (low + high) / 2
            if votes[middle].signer < signer { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// A kind of vote, and where a slot has its votes. Functions rather than key paths: each vote passes here several times, and a
/// key path is looked up anew at each use.
protocol SlotSubject: VoteSubject {
    static func votes(in slot: Slot) -> VoteTray<Self>
    /// Keeps the first vote of each signer.
    static func insert(_ vote: Vote<Self>, in slot: inout Slot)
    static func own(in votes: OwnVotes) -> Vote<Self>?
    /// Puts a vote aside that comes after the certificate on its subject.
    /// - Returns: whether it did.
    static func setAside(_ vote: Vote<Self>, in slot: inout Slot) -> Bool
    static func takeAside(of signer: UInt16, in slot: inout Slot) -> Vote<Self>?
}

extension SlotSubject {
    static func setAside(_ vote: Vote<Self>, in slot: inout Slot) -> Bool { false }
    static func takeAside(of signer: UInt16, in slot: inout Slot) -> Vote<Self>? { nil }
}

extension Proposal: SlotSubject {
    static func votes(in slot: Slot) -> VoteTray<Proposal> { slot.notarizeVotes }
    static func insert(_ vote: Vote<Proposal>, in slot: inout Slot) { slot.notarizeVotes.insert(vote) }
    static func own(in votes: OwnVotes) -> Vote<Proposal>? { votes.notarize }

    static func setAside(_ vote: Vote<Proposal>, in slot: inout Slot) -> Bool {
        guard slot.notarization?.subject == vote.subject else { return false }
        // Of two signatures one may be forged, and must not hide the other.
        if let other = slot.lateVotes.vote(of: vote.signer), other.signature != vote.signature { return false }
        slot.lateVotes.insert(vote)
        return true
    }

    static func takeAside(of signer: UInt16, in slot: inout Slot) -> Vote<Proposal>? { slot.lateVotes.remove(signer) }
}

extension Nullify: SlotSubject {
    static func votes(in slot: Slot) -> VoteTray<Nullify> { slot.nullifyVotes }
    static func insert(_ vote: Vote<Nullify>, in slot: inout Slot) { slot.nullifyVotes.insert(vote) }
    static func own(in votes: OwnVotes) -> Vote<Nullify>? { votes.nullify }
}

extension Finalize: SlotSubject {
    static func votes(in slot: Slot) -> VoteTray<Finalize> { slot.finalizeVotes }
    static func insert(_ vote: Vote<Finalize>, in slot: inout Slot) { slot.finalizeVotes.insert(vote) }
    static func own(in votes: OwnVotes) -> Vote<Finalize>? { votes.finalize }
}

/// The certificate by which a view was entered: of the view before.
enum EntryCertificate: Sendable {
    case notarization(Notarization)
    case nullification(Nullification)
    case finalization(Finalization)

    var message: ConsensusMessage {
        switch self {
        case .notarization(let certificate): .notarization(certificate)
        case .nullification(let certificate): .nullification(certificate)
        case .finalization(let certificate): .finalization(certificate)
        }
    }
}

/// The last finalised block, with what proves it.
struct FinalTip: Sendable {
    var block: BlockReference
    /// What a block on top of it carries.
    var proof: ParentCertificate
    /// Nil only for the block on which the epoch starts.
    var finalization: Finalization?
    /// False while the host has not been told: the journal was ahead of the host's floor.
    var isDelivered: Bool

    init(_ floor: Floor) {
        block = floor.block
        proof = floor.proof
        finalization = floor.finalization
        isDelivered = true
    }

    init(_ finalization: Finalization, isDelivered: Bool) {
        self.init(.finalized(finalization))
        self.isDelivered = isDelivered
    }
}
