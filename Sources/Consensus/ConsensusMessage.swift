import Encoding
import Primitives

/// What masternodes say to each other about votes. Bodies travel apart.
public enum ConsensusMessage: BorshCodable, Hashable, Sendable {
    /// The leader's own is its proposal.
    case notarizeVote(Vote<Proposal>)
    case nullifyVote(Vote<Nullify>)
    case finalizeVote(Vote<Finalize>)
    case notarization(Notarization)
    case nullification(Nullification)
    case finalization(Finalization)
    /// Asks for the certificates of these views; what goes beyond ``ConsensusLimits/viewsPerRequest`` is not answered.
    case wantCertificates(epoch: Epoch, from: View, through: View)

    public var epoch: Epoch {
        switch self {
        case .notarizeVote(let vote): vote.subject.epoch
        case .nullifyVote(let vote): vote.subject.epoch
        case .finalizeVote(let vote): vote.subject.epoch
        case .notarization(let certificate): certificate.epoch
        case .nullification(let certificate): certificate.epoch
        case .finalization(let certificate): certificate.epoch
        case .wantCertificates(let epoch, _, _): epoch
        }
    }

    public func encode(to encoder: inout BorshEncoder) {
        switch self {
        case .notarizeVote(let vote): encoder.tagged(0, vote)
        case .nullifyVote(let vote): encoder.tagged(1, vote)
        case .finalizeVote(let vote): encoder.tagged(2, vote)
        case .notarization(let certificate): encoder.tagged(3, certificate)
        case .nullification(let certificate): encoder.tagged(4, certificate)
        case .finalization(let certificate): encoder.tagged(5, certificate)
        case .wantCertificates(let epoch, let from, let through):
            encoder.tagged(6, epoch)
            encoder.value(from)
            encoder.value(through)
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0: self = .notarizeVote(try decoder.value())
        case 1: self = .nullifyVote(try decoder.value())
        case 2: self = .finalizeVote(try decoder.value())
        case 3: self = .notarization(try decoder.value())
        case 4: self = .nullification(try decoder.value())
        case 5: self = .finalization(try decoder.value())
        case 6:
            self = .wantCertificates(
                epoch: try decoder.value(), from: try decoder.value(), through: try decoder.value())
        default: throw decoder.failure(.unknownTag(tag))
        }
    }
}

/// What the vote journal holds: own votes, and the certificates that moved this node's view.
public enum JournalRecord: BorshCodable, Hashable, Sendable {
    case notarizeVote(Vote<Proposal>)
    case nullifyVote(Vote<Nullify>)
    case finalizeVote(Vote<Finalize>)
    case notarization(Notarization)
    case nullification(Nullification)
    case finalization(Finalization)

    public func encode(to encoder: inout BorshEncoder) {
        switch self {
        case .notarizeVote(let vote): encoder.tagged(0, vote)
        case .nullifyVote(let vote): encoder.tagged(1, vote)
        case .finalizeVote(let vote): encoder.tagged(2, vote)
        case .notarization(let certificate): encoder.tagged(3, certificate)
        case .nullification(let certificate): encoder.tagged(4, certificate)
        case .finalization(let certificate): encoder.tagged(5, certificate)
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0: self = .notarizeVote(try decoder.value())
        case 1: self = .nullifyVote(try decoder.value())
        case 2: self = .finalizeVote(try decoder.value())
        case 3: self = .notarization(try decoder.value())
        case 4: self = .nullification(try decoder.value())
        case 5: self = .finalization(try decoder.value())
        default: throw decoder.failure(.unknownTag(tag))
        }
    }
}

extension BorshEncoder {
    mutating func tagged(_ tag: UInt8, _ value: some BorshEncodable) {
        integer(tag)
        self.value(value)
    }
}
