/// What a peer did that the protocol does not allow.
public enum PeerOffence: CaseIterable, Hashable, Sendable {
    /// Bytes that do not decode, or a frame that has no place where it came.
    case malformed
    /// A signature, a certificate or an endorsement that its supposed signer did not make.
    case forged
    /// Blocks or bodies that do not belong to this chain.
    case badBlocks
    /// More requests than an honest node sends, or answers that nobody asked for.
    case excessiveRequests

    /// Points; ``PeerLimits/banThreshold`` of them ban.
    public var weight: Int {
        switch self {
        case .malformed: 50
        case .forged: 100
        case .badBlocks: 25
        case .excessiveRequests: 10
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
