import Consensus
import Cryptography
import Encoding
import Primitives

/// Watches everything that honest nodes say and decide, and keeps the first rule of `simplex.md` they break.
struct Invariants {
    let cast: Cast
    let byzantine: Set<UInt16>
    private(set) var violation: String?
    private(set) var accused: Set<UInt16> = []

    private var finalByView: [View: Digest] = [:]
    private var finalByHeight: [Int: Digest] = [:]
    private var nullified: Set<View> = []
    private var checked: Set<ConsensusMessage> = []
    private var said: [UInt16: [View: Sayings]] = [:]

    private struct Sayings {
        var notarize: Proposal?
        var nullify = false
        var finalize: Digest?
    }

    init(cast: Cast, byzantine: Set<UInt16>) {
        self.cast = cast
        self.byzantine = byzantine
    }

    mutating func fail(_ reason: String) {
        if violation == nil { violation = reason }
    }

    /// An honest node sends this.
    mutating func sent(_ message: ConsensusMessage, by node: UInt16, blocks: BlockTable) {
        switch message {
        case .notarizeVote(let vote):
            let view = vote.subject.view
            let before = said[node]?[view]
            if let other = before?.notarize {
                if other != vote.subject { fail("\(node) notarized twice in view \(view)") }
            } else {
                if before?.nullify == true { fail("\(node) notarized after nullify in view \(view)") }
                if !blocks.isValid(vote.subject) { fail("\(node) notarized an invalid block in view \(view)") }
            }
            said[node, default: [:]][view, default: Sayings()].notarize = vote.subject
        case .nullifyVote(let vote):
            let view = vote.subject.view
            if said[node]?[view]?.finalize != nil { fail("\(node) nullified after finalize in view \(view)") }
            said[node, default: [:]][view, default: Sayings()].nullify = true
        case .finalizeVote(let vote):
            let view = vote.subject.view
            let before = said[node]?[view]
            if before?.nullify == true { fail("\(node) finalized after nullify in view \(view)") }
            if let other = before?.finalize, other != vote.subject.digest {
                fail("\(node) finalized twice in view \(view)")
            }
            said[node, default: [:]][view, default: Sayings()].finalize = vote.subject.digest
        case .notarization, .nullification, .finalization:
            guard checked.insert(message).inserted else { return }
            check(message, of: node)
        case .wantCertificates, .wantPosition, .position: break
        }
    }

    /// Certificates carry q distinct valid signers; no view is both nullified and finalised.
    private mutating func check(_ message: ConsensusMessage, of node: UInt16) {
        do {
            switch message {
            case .notarization(let certificate):
                try certificate.verify(by: cast.set, genesis: Cast.genesis, verifier: KeyedHash())
            case .nullification(let certificate):
                try certificate.verify(by: cast.set, genesis: Cast.genesis, verifier: KeyedHash())
                nullified.insert(certificate.view)
                if finalByView[certificate.view] != nil { fail("view \(certificate.view) is finalised and nullified") }
            case .finalization(let certificate):
                try certificate.verify(by: cast.set, genesis: Cast.genesis, verifier: KeyedHash())
                if nullified.contains(certificate.view) { fail("view \(certificate.view) is nullified and finalised") }
                finalised(certificate.subject)
            default: break
            }
        } catch { fail("\(node) believes a certificate that is none: \(error)") }
    }

    /// An honest node delivers this as final, on top of what it delivered before.
    mutating func delivered(_ certificate: Finalization, after tip: Digest, by node: UInt16, blocks: BlockTable) {
        check(.finalization(certificate), of: node)
        guard let path = blocks.path(from: tip, to: certificate.subject.digest) else {
            return fail("\(node) finalised view \(certificate.view) off its own chain")
        }
        for block in path {
            if let other = finalByHeight[block.height], other != block.digest {
                fail("two blocks are final at height \(block.height)")
            }
            finalByHeight[block.height] = block.digest
        }
    }

    private mutating func finalised(_ subject: Finalize) {
        if let other = finalByView[subject.view], other != subject.digest {
            fail("view \(subject.view) has two final blocks")
        }
        finalByView[subject.view] = subject.digest
    }

    mutating func evidence(_ evidence: Evidence, of node: UInt16) {
        accused.insert(evidence.signer)
        if !byzantine.contains(evidence.signer) { fail("\(node) accuses the honest \(evidence.signer): \(evidence)") }
        do {
            let copy = try Evidence(borsh: evidence.borsh)
            try copy.verify(by: cast.set, genesis: Cast.genesis, verifier: KeyedHash())
            if copy != evidence { fail("evidence does not survive its encoding") }
        } catch { fail("\(node) has evidence that does not verify: \(error)") }
    }

    /// A node is back: it stands where its own words put it, or above.
    mutating func restarted(_ node: UInt16, at view: View) {
        for (spoken, words) in said[node] ?? [:] {
            if spoken > view || (spoken == view && words.finalize != nil) {
                fail("\(node) came back at view \(view) having spoken in view \(spoken)")
            }
        }
    }
}
