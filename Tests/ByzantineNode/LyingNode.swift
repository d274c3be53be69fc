import Consensus
import Cryptography
import Encoding
import Logging
import NodeCore
import NodeHome
import PeerNetwork
import Primitives

/// Lets the liar hear the network and brings its lies to whom they are for.
struct LyingNode {
    let liar: Liar
    let network: PeerNetwork
    let members: MasternodeSet
    let logger: Logger

    /// Until the network shuts down or the task is cancelled.
    func run() async {
        var liar = liar
        for await event in network.events {
            guard case .message(_, let kind, let payload) = event,
                case .consensus(let message)? = try? NodeMessage(kind: kind, payload: payload)
            else { continue }
            do {
                for lie in try liar.hear(message) { tell(lie) }
            } catch { logger.error("cannot sign a lie: \(error)") }
        }
    }

    private func tell(_ lie: Liar.Lie) {
        for peer in network.peers {
            guard let key = peer.consensusKey, let index = members.index(of: key) else { continue }
            for message in lie.heard(by: index) {
                let message = NodeMessage.consensus(message)
                network.send(kind: message.kind.rawValue, message.payload, to: peer.id, priority: .urgent)
            }
        }
    }
}

extension NodeHome {
    /// As `chaind` connects from this home.
    func peers(_ genesis: Genesis, _ key: PrivateKey) throws -> PeerConfiguration {
        let configuration = try configuration()
        return PeerConfiguration(
            listenHost: configuration.peer.host, listenPort: configuration.peer.port, genesisHash: genesis.hash,
            endorser: Endorser(key, genesis: genesis.hash), masternodes: genesis.masternodes.members.map(\.consensusKey),
            dial: configuration.peers.map {
                PeerAddress(host: $0.host, port: $0.port, consensusKey: $0.consensusKey.flatMap { PublicKey(hex: $0) })
            },
            agent: "edgeproof/byzantine")
    }
}
