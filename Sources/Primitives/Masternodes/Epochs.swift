import Cryptography
import Encoding

/// Who agrees on the blocks of an epoch, and in which order they lead. Fixed a whole epoch before it begins.
public struct EpochPlan: BorshCodable, Hashable, Sendable {
    public let epoch: Epoch
    /// R at the end of the epoch before the one before; the genesis' R_0 for the first two. Draws the leaders and all
    /// committees.
    public let seed: Digest
    public let set: MasternodeSet

    public init(epoch: Epoch, seed: Digest, set: MasternodeSet) {
        self.epoch = epoch
        self.seed = seed
        self.set = set
    }

    public var leaders: LeaderSchedule { LeaderSchedule(count: set.count, seed: seed) }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(epoch)
        encoder.value(seed)
        encoder.value(set)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        epoch = try decoder.value()
        seed = try decoder.value()
        set = try decoder.value()
    }
}

/// Where the chain stands in its epoch.
public struct EpochProgress: BorshCodable, Hashable, Sendable {
    public var epoch: Epoch
    /// Of the block on which the epoch started: the border block before, or the genesis.
    public var startHeight: Height
    public var startTime: Time
    /// Version of the protocol that the epoch runs.
    public var protocolVersion: UInt16
    /// Bit *i mod 8* of byte *i div 8*: whether a vote or proposal of the set's member *i* stood in a block of the epoch.
    /// As long as the last member seen needs.
    public var seen: [UInt8]

    public init(epoch: Epoch, startHeight: Height, startTime: Time, protocolVersion: UInt16, seen: [UInt8] = []) {
        self.epoch = epoch
        self.startHeight = startHeight
        self.startTime = startTime
        self.protocolVersion = protocolVersion
        self.seen = seen
    }

    public func hasSeen(_ member: UInt16) -> Bool {
        let byte = Int(member) / 8
        return byte < seen.count && seen[byte] >> UInt8(member % 8) & 1 == 1
    }

    public mutating func see(_ member: UInt16) {
        let byte = Int(member) / 8
        while seen.count <= byte { seen.append(0) }
        seen[byte] |= 1 << UInt8(member % 8)
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(epoch)
        encoder.value(startHeight)
        encoder.value(startTime)
        encoder.integer(protocolVersion)
        encoder.variable(seen)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        epoch = try decoder.value()
        startHeight = try decoder.value()
        startTime = try decoder.value()
        protocolVersion = try decoder.integer()
        seen = try decoder.variable(limit: ChainLimits.masternodes / 8)
    }
}

/// The border block of an epoch at which the set changed: one step of the walk from the genesis to a later set.
public struct EpochLink: BorshCodable, Hashable, Sendable {
    /// Of the epoch's last block.
    public let header: Header
    /// Its own, by the epoch's set.
    public let finalization: Finalization
    /// The set of the epoch after, whose hash the header carries.
    public let nextSet: MasternodeSet

    public init(header: Header, finalization: Finalization, nextSet: MasternodeSet) {
        self.header = header
        self.finalization = finalization
        self.nextSet = nextSet
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.value(header)
        encoder.value(finalization)
        encoder.value(nextSet)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        header = try decoder.value()
        finalization = try decoder.value()
        nextSet = try decoder.value()
    }
}

/// What a light client knows: the set that it trusts, from the genesis on, and from which epoch.
///
/// A set stays trusted while headers name it: an honest member signs a vote of epoch e only as a member of e's set. So
/// only borders at which the set changes need a link, and a block of any later epoch with the same set is checked by it.
public struct TrustedSet: Hashable, Sendable {
    public private(set) var set: MasternodeSet
    /// The first epoch for which it is trusted.
    public private(set) var epoch = Epoch.zero
    /// Of the border block that led here; what comes after it is higher.
    public private(set) var height = Height.zero
    private let genesis: Digest

    public init(genesis: Genesis) {
        set = genesis.masternodes
        self.genesis = genesis.hash
    }

    /// Takes the step that the link proves.
    public mutating func follow(
        _ link: EpochLink, verifier: some SignatureVerifier = Ed25519Verifier()
    ) throws(TrustError) {
        try check(link.header, finalization: link.finalization, verifier: verifier)
        // After the last epoch there is none for which the next set could be trusted.
        guard link.header.epoch.value < .max else { throw .lastEpoch(link.header.height) }
        guard link.nextSet.hash == link.header.nextSetHash else {
            throw .otherNextSet(link.header.height, header: link.header.nextSetHash, given: link.nextSet.hash)
        }
        set = link.nextSet
        epoch = link.header.epoch.next
        height = link.header.height
    }

    /// Checks that a quorum of the trusted set finalised this header.
    public func check(
        _ header: Header, finalization: Finalization, verifier: some SignatureVerifier = Ed25519Verifier()
    ) throws(TrustError) {
        guard header.epoch >= epoch else { throw .epochBefore(header.height, header.epoch, trusted: epoch) }
        guard header.height > height else { throw .heightBefore(header.height, trusted: height) }
        guard header.activeSetHash == set.hash else {
            throw .otherSet(header.height, header: header.activeSetHash, trusted: set.hash)
        }
        let digest = header.digest(genesis: genesis)
        let subject = finalization.subject
        guard subject.digest == digest else {
            throw .otherBlockFinalised(header.height, header: digest, certificate: subject.digest)
        }
        // A border block may be proposed again in later views of its epoch.
        guard subject.epoch == header.epoch, subject.view >= header.view else {
            throw .otherView(
                header.height, header: ViewPlace(header.epoch, header.view),
                certificate: ViewPlace(subject.epoch, subject.view))
        }
        do { try finalization.verify(by: set, genesis: genesis, verifier: verifier) } catch {
            throw .notFinalised(header.height, error)
        }
    }
}

public enum TrustError: Error, Equatable, Sendable, CustomStringConvertible {
    case epochBefore(Height, Epoch, trusted: Epoch)
    case otherSet(Height, header: Digest, trusted: Digest)
    case otherNextSet(Height, header: Digest, given: Digest)
    case otherBlockFinalised(Height, header: Digest, certificate: Digest)
    /// The Finalization is about the block, and of an epoch or view in which it could not be finalised.
    case otherView(Height, header: ViewPlace, certificate: ViewPlace)
    case heightBefore(Height, trusted: Height)
    case lastEpoch(Height)
    case notFinalised(Height, CertificateError)

    public var description: String {
        switch self {
        case .epochBefore(let height, let epoch, let trusted):
            "header \(height) is of epoch \(epoch), before the epoch \(trusted) that is trusted by now"
        case .otherSet(let height, let header, let trusted):
            "header \(height) names the masternode set \(header), the set trusted here is \(trusted)"
        case .otherNextSet(let height, let header, let given):
            "header \(height) names \(header) as the next masternode set, the one given is \(given)"
        case .otherBlockFinalised(let height, let header, let certificate):
            "the Finalization for header \(height) (\(header)) is about another block, \(certificate)"
        case .otherView(let height, let header, let certificate):
            "the Finalization for header \(height) is of \(certificate), the header is of \(header): a block becomes final "
                + "in its own epoch, in its own view or a later one"
        case .heightBefore(let height, let trusted):
            "header \(height) is not above height \(trusted), at which the masternode set changed last"
        case .lastEpoch(let height): "header \(height) is of the last epoch that there can be: no set comes after it"
        case .notFinalised(let height, let error): "header \(height) is not final: \(error)"
        }
    }
}

/// A view of an epoch, for messages.
public struct ViewPlace: Hashable, Sendable, CustomStringConvertible {
    public let epoch: Epoch
    public let view: View

    public init(_ epoch: Epoch, _ view: View) {
        self.epoch = epoch
        self.view = view
    }

    public var description: String { "epoch \(epoch), view \(view)" }
}
