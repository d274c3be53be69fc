/// What a peer did that the protocol does not allow.
public enum PeerOffence: CaseIterable, Hashable, Sendable {
    /// Bytes that do not decode, or a frame that has no place where it came.
    case malformed
    /// A signature, a certificate or an endorsement that its supposed signer did not make.
    case forged
    /// A transaction whose signature is wrong: whoever passes one on has checked it.
    case badSignature
    /// Blocks or bodies that do not belong to this chain.
    case badBlocks
    /// A body, blocks or a part of the state that this node did not ask for.
    case unwanted
    /// A height that no chain can have reached, or blocks that it promised and does not have.
    case falseHead
    /// No answer to a request, for too long.
    case silent
    /// More requests than an honest node sends, or answers that nobody asked for.
    case excessiveRequests

    /// Points; ``PeerLimits/banThreshold`` of them ban.
    public var weight: Int {
        switch self {
        case .malformed, .falseHead: 50
        case .forged: 100
        case .badBlocks, .unwanted, .badSignature: 25
        case .excessiveRequests: 10
        case .silent: 5
        }
    }

    /// Whether it counts against a masternode: whoever is slow or far behind is no enemy, and consensus needs its votes.
    var countsForMasternodes: Bool {
        switch self {
        case .silent, .falseHead, .unwanted: false
        case .malformed, .forged, .badSignature, .badBlocks, .excessiveRequests: true
        }
    }
}

/// Somebody who is banned.
public struct PeerBan: Equatable, Sendable {
    /// A consensus key, an address, or a TLS key, as ``Offender`` says.
    public let who: String
    public let secondsLeft: Int

    public init(who: String, secondsLeft: Int) {
        self.who = who
        self.secondsLeft = secondsLeft
    }
}
