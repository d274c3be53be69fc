import Cryptography
import Encoding

/// Two votes of one masternode that no honest masternode sends both (rule 8). Anybody with the epoch's set can check
/// it; a value that exists is a contradiction, only its signatures remain to be verified.
public struct Evidence: BorshCodable, Hashable, Sendable {
    public enum Contradiction: Hashable, Sendable {
        /// Two notarize votes of one view that differ in any field.
        case notarizedTwice(Vote<Proposal>, Vote<Proposal>)
        /// Two finalize votes of one view that differ.
        case finalizedTwice(Vote<Finalize>, Vote<Finalize>)
        /// Both left and promised not to leave one view.
        case nullifiedAndFinalized(Vote<Nullify>, Vote<Finalize>)
    }

    public let contradiction: Contradiction

    /// Nil unless the votes contradict each other. Their order does not matter.
    public init?(_ first: Vote<Proposal>, _ second: Vote<Proposal>) {
        guard let pair = Self.contradicting(first, second) else { return nil }
        contradiction = .notarizedTwice(pair.0, pair.1)
    }

    /// Nil unless the votes contradict each other. Their order does not matter.
    public init?(_ first: Vote<Finalize>, _ second: Vote<Finalize>) {
        guard let pair = Self.contradicting(first, second) else { return nil }
        contradiction = .finalizedTwice(pair.0, pair.1)
    }

    /// Nil unless the votes contradict each other.
    public init?(_ nullify: Vote<Nullify>, _ finalize: Vote<Finalize>) {
        guard nullify.signer == finalize.signer, nullify.subject.epoch == finalize.subject.epoch,
            nullify.subject.view == finalize.subject.view
        else { return nil }
        contradiction = .nullifiedAndFinalized(nullify, finalize)
    }

    /// The two in the order of their bytes, so that one contradiction has one encoding.
    private static func contradicting<Subject>(
        _ first: Vote<Subject>, _ second: Vote<Subject>
    ) -> (Vote<Subject>, Vote<Subject>)? {
        guard first.signer == second.signer, first.subject.epoch == second.subject.epoch,
            first.subject.view == second.subject.view, first.subject != second.subject
        else { return nil }
        return first.borsh.lexicographicallyPrecedes(second.borsh) ? (first, second) : (second, first)
    }

    /// Place of the offender in the epoch's set.
    public var signer: UInt16 {
        switch contradiction {
        case .notarizedTwice(let vote, _): vote.signer
        case .finalizedTwice(let vote, _): vote.signer
        case .nullifiedAndFinalized(let vote, _): vote.signer
        }
    }

    public var epoch: Epoch {
        switch contradiction {
        case .notarizedTwice(let vote, _): vote.subject.epoch
        case .finalizedTwice(let vote, _): vote.subject.epoch
        case .nullifiedAndFinalized(let vote, _): vote.subject.epoch
        }
    }

    public var view: View {
        switch contradiction {
        case .notarizedTwice(let vote, _): vote.subject.view
        case .finalizedTwice(let vote, _): vote.subject.view
        case .nullifiedAndFinalized(let vote, _): vote.subject.view
        }
    }

    /// Checks that a member of the set signed both votes.
    /// - Parameter set: the masternodes of ``epoch``.
    public func verify(
        by set: MasternodeSet, genesis: Digest, verifier: some SignatureVerifier = Ed25519Verifier()
    ) throws(EvidenceError) {
        guard let member = set.member(signer) else { throw .unknownSigner(signer) }
        let genuine =
            switch contradiction {
            case .notarizedTwice(let first, let second):
                first.isGenuine(of: member, genesis: genesis, verifier: verifier)
                    && second.isGenuine(of: member, genesis: genesis, verifier: verifier)
            case .finalizedTwice(let first, let second):
                first.isGenuine(of: member, genesis: genesis, verifier: verifier)
                    && second.isGenuine(of: member, genesis: genesis, verifier: verifier)
            case .nullifiedAndFinalized(let nullify, let finalize):
                nullify.isGenuine(of: member, genesis: genesis, verifier: verifier)
                    && finalize.isGenuine(of: member, genesis: genesis, verifier: verifier)
            }
        guard genuine else { throw .wrongSignature(signer) }
    }

    public func encode(to encoder: inout BorshEncoder) {
        switch contradiction {
        case .notarizedTwice(let first, let second):
            encoder.integer(UInt8(0))
            encoder.value(first)
            encoder.value(second)
        case .finalizedTwice(let first, let second):
            encoder.integer(UInt8(1))
            encoder.value(first)
            encoder.value(second)
        case .nullifiedAndFinalized(let nullify, let finalize):
            encoder.integer(UInt8(2))
            encoder.value(nullify)
            encoder.value(finalize)
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        let evidence: Evidence?
        let inOrder: Bool
        switch tag {
        case 0:
            let (first, second) = (try decoder.value(Vote<Proposal>.self), try decoder.value(Vote<Proposal>.self))
            evidence = Evidence(first, second)
            inOrder = evidence?.contradiction == .notarizedTwice(first, second)
        case 1:
            let (first, second) = (try decoder.value(Vote<Finalize>.self), try decoder.value(Vote<Finalize>.self))
            evidence = Evidence(first, second)
            inOrder = evidence?.contradiction == .finalizedTwice(first, second)
        case 2:
            evidence = Evidence(try decoder.value(Vote<Nullify>.self), try decoder.value(Vote<Finalize>.self))
            inOrder = true
        default: throw decoder.failure(.unknownTag(tag))
        }
        guard let evidence, inOrder else {
            throw decoder.failure(.notCanonical("votes that don't contradict each other, or out of order"))
        }
        self = evidence
    }
}

extension Vote {
    /// Whether this member of the set signed it.
    package func isGenuine(of member: Masternode, genesis: Digest, verifier: some SignatureVerifier) -> Bool {
        verifier.isValid(
            signature, of: member.consensusKey, message: Subject.domain.message(genesis: genesis, body: subject))
    }
}

public enum EvidenceError: Error, Equatable, CustomStringConvertible {
    case unknownSigner(UInt16)
    case wrongSignature(UInt16)

    public var description: String {
        switch self {
        case .unknownSigner(let index): "the evidence names masternode \(index), who is not in the set"
        case .wrongSignature(let index): "the evidence has a wrong signature of masternode \(index)"
        }
    }
}
