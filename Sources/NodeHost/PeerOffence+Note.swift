import Consensus
import NodeCore
import PeerNetwork

extension PeerOffence {
    /// What a ``Note/peerMisbehaved(_:_:)`` of the machine weighs: what consensus says of signatures and certificates, or
    /// else something about the blocks and bodies that the peer sent.
    package init(noted what: String) {
        let forgeries: [Misbehaviour] = [.notTheSigner, .wrongSignature, .forgedCertificate]
        self = forgeries.contains { "\($0)" == what } ? .forged : .badBlocks
    }
}
