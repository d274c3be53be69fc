import NodeCore
import PeerNetwork
import Primitives
import StateSync
import Synchronization

/// Who may say what to this node at the moment, from a frame's kind, length and sender alone.
///
/// Nobody sends large things unasked but the leaders of consensus: a stranger's body, or blocks and parts of a state that
/// were not asked for, are skipped unread and are an offence. What may come is remembered when a request is sent.
package final class NodeGate: FrameGate {
    /// Requests for parts of a state: some hashes and numbers.
    private static let requestBytes = 128
    /// How long an answer may take before its sender is to blame for it. Much longer than this node waits.
    private static let patienceMs: UInt64 = 120_000
    /// Answers that one peer may owe. A node has far fewer requests under way.
    private static let mostOwed = 256

    private struct Owed {
        var count = 0
        var until: UInt64 = 0
    }

    private let owed = Mutex<[PeerId: [UInt8: Owed]]>([:])
    private let clock: @Sendable () -> UInt64

    /// - Parameter clock: milliseconds that never go back.
    package init(clock: @escaping @Sendable () -> UInt64) { self.clock = clock }

    /// A request is about to be sent: one message of the answer's kind may come.
    package func expect(_ kind: UInt8, from peer: PeerId) {
        let now = clock()
        owed.withLock { owed in
            var known = owed[peer]?[kind] ?? Owed()
            known.count = min(Self.mostOwed, known.count + 1)
            known.until = now &+ Self.patienceMs
            owed[peer, default: [:]][kind] = known
        }
    }

    package func ended(_ peer: PeerId) { owed.withLock { $0[peer] = nil } }

    private func takeOwed(_ kind: UInt8, _ peer: PeerId) -> Bool {
        let now = clock()
        return owed.withLock { owed in
            guard let known = owed[peer]?[kind], known.count > 0, known.until > now else { return false }
            owed[peer]?[kind]?.count -= 1
            return true
        }
    }

    package func judge(kind raw: UInt8, length: Int, from peer: PeerIdentity) -> FrameJudgement {
        let isMasternode = peer.consensusKey != nil
        let rank: PeerRank = isMasternode ? .bulk : .stranger
        func limited(_ most: Int?, _ rank: PeerRank) -> FrameJudgement {
            length <= most ?? .max ? .take(rank) : .refuse(.malformed)
        }
        if let kind = SnapshotMessage.Kind(rawValue: raw) {
            if kind.isRequest { return limited(Self.requestBytes, rank) }
            return takeOwed(raw, peer.id) ? .take(.bulk) : .refuse(.unwanted)
        }
        guard let kind = NodeMessage.Kind(rawValue: raw) else { return .refuse(.malformed) }
        switch kind {
        case .consensus, .head: return limited(kind.mostBytes, isMasternode ? .urgent : .stranger)
        case .wantBody, .wantBlocks, .wantParts, .transactions: return limited(kind.mostBytes, rank)
        case .parts: return takeOwed(raw, peer.id) ? .take(.bulk) : .refuse(.unwanted)
        case .sketch:
            guard isMasternode else { return .refuse(.unwanted) }
            return limited(kind.mostBytes, rank)
        case .blocks: return takeOwed(raw, peer.id) ? .take(.bulk) : .refuse(.unwanted)
        case .body:
            let isOwed = takeOwed(raw, peer.id)
            return isOwed || isMasternode ? .take(.bulk) : .refuse(.unwanted)
        }
    }
}

extension NodeMessage {
    /// The kind of the message that answers it, where it asks for one.
    var answerKind: UInt8? {
        switch self {
        case .wantBody: Kind.body.rawValue
        case .wantBlocks: Kind.blocks.rawValue
        case .wantParts: Kind.parts.rawValue
        case .consensus, .body, .transactions, .head, .blocks, .sketch, .parts: nil
        }
    }
}
