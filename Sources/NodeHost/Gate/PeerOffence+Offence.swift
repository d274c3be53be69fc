import NodeCore
import PeerNetwork

extension PeerOffence {
    /// What an offence that the machine found weighs among peers.
    package init(_ offence: Offence) {
        self =
            switch offence {
            case .consensus: .forged
            case .badSignature: .badSignature
            case .unboundBody, .brokenSpan, .unprovenBlocks: .badBlocks
            case .unwantedBody: .unwanted
            case .impossibleHead: .falseHead
            case .silence: .silent
            }
    }
}
