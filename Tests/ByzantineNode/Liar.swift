import Consensus
import Cryptography
import Primitives

/// Decides what the lying masternode says to whom. It listens well enough to know epoch and view, which it takes from
/// what its peers send, and in each view tells one of three lies, in turn:
///
/// - *two proposals*: notarize votes for two blocks that do not exist; where it leads the view these are its proposals;
/// - *two digests*: a notarize vote for the leader's block and one for another, and the same with finalize votes;
/// - *both ways*: a finalize vote and a nullify vote.
///
/// Of its peers a third hear the first half of a lie, a third the other half, and a third hear both.
struct Liar {
    private let key: PrivateKey
    private let index: UInt16
    private let genesis: Digest
    private var epoch = Epoch(0)
    /// The highest view that is known to have begun.
    private var view = View(0)
    /// The last block that is known to be notarised, on which a proposal could stand.
    private var parent: (view: View, digest: Digest)?
    /// The view in which the leader's block was lied about last.
    private var answered = View(0)

    init(key: PrivateKey, index: UInt16, genesis: Digest) {
        self.key = key
        self.index = index
        self.genesis = genesis
    }

    /// Two messages that no honest masternode sends both.
    struct Lie {
        let first: [ConsensusMessage]
        let second: [ConsensusMessage]

        /// What the peer with this number hears.
        func heard(by peer: UInt16) -> [ConsensusMessage] {
            switch peer % 3 {
            case 0: first + second
            case 1: first
            default: second
            }
        }
    }

    /// What a peer's message gives occasion to.
    mutating func hear(_ message: ConsensusMessage) throws -> [Lie] {
        if message.epoch > epoch {
            epoch = message.epoch
            (view, answered, parent) = (View(0), View(0), nil)
        }
        guard message.epoch == epoch else { return [] }
        var lies: [Lie] = []
        switch message {
        case .notarization(let certificate):
            parent = (certificate.view, certificate.subject.digest)
            lies += try enter(certificate.view.next)
        case .finalization(let certificate):
            parent = (certificate.view, certificate.subject.digest)
            lies += try enter(certificate.view.next)
        case .nullification(let certificate): lies += try enter(certificate.view.next)
        case .nullifyVote(let vote): lies += try enter(vote.subject.view)
        case .finalizeVote(let vote): lies += try enter(vote.subject.view)
        case .notarizeVote(let vote):
            lies += try enter(vote.subject.view)
            lies += try answer(vote.subject)
        case .wantCertificates, .wantPosition, .position: break
        }
        return lies
    }

    /// A view has begun: one in three sees proposals before its leader's.
    private mutating func enter(_ next: View) throws -> [Lie] {
        guard next > view else { return [] }
        view = next
        guard view.value % 3 == 0, let parent else { return [] }
        let (one, other) = (invented(1, on: parent), invented(2, on: parent))
        return [Lie(first: [try notarize(one)], second: [try notarize(other)])]
    }

    /// Somebody has voted for a block of the current view.
    private mutating func answer(_ proposal: Proposal) throws -> [Lie] {
        guard proposal.view == view, answered < view else { return [] }
        answered = view
        switch view.value % 3 {
        case 1:
            let other = invented(3, on: (proposal.parentView, proposal.parentDigest))
            return [
                Lie(
                    first: [try notarize(proposal), try finalize(proposal.digest)],
                    second: [try notarize(other), try finalize(other.digest)])
            ]
        case 2: return [Lie(first: [try finalize(proposal.digest)], second: [try nullify()])]
        default: return []
        }
    }

    // MARK: Votes

    private func invented(_ number: UInt8, on parent: (view: View, digest: Digest)) -> Proposal {
        Proposal(
            epoch: epoch, view: view, parentView: parent.view, parentDigest: parent.digest,
            digest: Digest(domain: "edgeproof/no-such-block", parts: view.borsh + [number]))
    }

    private func notarize(_ proposal: Proposal) throws -> ConsensusMessage { .notarizeVote(try vote(proposal)) }

    private func finalize(_ digest: Digest) throws -> ConsensusMessage {
        .finalizeVote(try vote(Finalize(epoch: epoch, view: view, digest: digest)))
    }

    private func nullify() throws -> ConsensusMessage { .nullifyVote(try vote(Nullify(epoch: epoch, view: view))) }

    private func vote<Subject: VoteSubject>(_ subject: Subject) throws -> Vote<Subject> {
        Vote(
            subject: subject, signer: index,
            signature: try key.sign(subject, domain: Subject.domain, genesis: genesis))
    }
}
