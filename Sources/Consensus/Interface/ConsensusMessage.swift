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
    /// Asks a masternode where it stands (rule 12). It answers with the certificates that brought it there, then with
    /// `position`. `isRejoin`: votes of the asker's key are lost.
    case wantPosition(epoch: Epoch, isRejoin: Bool)
    /// The sender's view, and who else lost votes and came back in this epoch, by place, ascending.
    case position(epoch: Epoch, view: View, returned: [UInt16])

    public var epoch: Epoch {
        switch self {
        case .notarizeVote(let vote): vote.subject.epoch
        case .nullifyVote(let vote): vote.subject.epoch
        case .finalizeVote(let vote): vote.subject.epoch
        case .notarization(let certificate): certificate.epoch
        case .nullification(let certificate): certificate.epoch
        case .finalization(let certificate): certificate.epoch
        case .wantCertificates(let epoch, _, _): epoch
        case .wantPosition(let epoch, _): epoch
        case .position(let epoch, _, _): epoch
        }
    }

    /// How the bytes of each Notarization of this proposal begin, whosever votes it holds.
    public static func beginning(ofNotarizationOf proposal: Proposal) -> [UInt8] {
        var encoder = BorshEncoder(reserving: 128)
        encoder.tagged(3, proposal)
        return encoder.bytes
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
        case .wantPosition(let epoch, let isRejoin):
            encoder.tagged(7, epoch)
            encoder.bool(isRejoin)
        case .position(let epoch, let view, let returned):
            encoder.tagged(8, epoch)
            encoder.value(view)
            encoder.integer(UInt32(truncatingIfNeeded: returned.count))
            for place in returned { encoder.integer(place) }
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
        case 7: self = .wantPosition(epoch: try decoder.value(), isRejoin: try decoder.bool())
        case 8:
            let (epoch, view): (Epoch, View) = (try decoder.value(), try decoder.value())
            let count: UInt32 = try decoder.integer()
            guard count <= ChainLimits.masternodes else { throw decoder.failure(.notCanonical("\(count) places")) }
            var returned: [UInt16] = []
            for _ in 0..<count {
                let place: UInt16 = try decoder.integer()
                if let last = returned.last, place <= last { throw decoder.failure(.notCanonical("places that descend")) }
                returned.append(place)
            }
            self = .position(epoch: epoch, view: view, returned: returned)
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
    /// Since here this node takes part again, having asked the others (rule 12): no vote below this view.
    case floor(Epoch, View)

    public func encode(to encoder: inout BorshEncoder) {
        switch self {
        case .notarizeVote(let vote): encoder.tagged(0, vote)
        case .nullifyVote(let vote): encoder.tagged(1, vote)
        case .finalizeVote(let vote): encoder.tagged(2, vote)
        case .notarization(let certificate): encoder.tagged(3, certificate)
        case .nullification(let certificate): encoder.tagged(4, certificate)
        case .finalization(let certificate): encoder.tagged(5, certificate)
        case .floor(let epoch, let view):
            encoder.tagged(6, epoch)
            encoder.value(view)
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
        case 6: self = .floor(try decoder.value(), try decoder.value())
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
