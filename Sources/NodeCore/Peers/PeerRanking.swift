import Primitives

/// What is known of the connected nodes as sources of blocks: how far they say they are, and what came of asking them.
///
/// A head is a claim that costs nothing, so it decides only who *can* be asked. Whom to ask first is decided by what is
/// dear: blocks that were right, then a masternode's key, then nothing. Whoever comes again under a new name starts at
/// the end, behind the honest peer that stayed.
struct PeerRanking {
    /// From the best to the worst.
    enum Standing: Int, Comparable {
        /// Its last answer was right.
        case proven
        case masternode
        /// A stranger that was never asked, or a masternode that failed once.
        case unproven
        /// Failed, and has shown nothing since.
        case failed

        static func < (lhs: Standing, rhs: Standing) -> Bool { lhs.rawValue < rhs.rawValue }
    }

    struct Source {
        var head: Height
        /// Good answers in this connection.
        var good: UInt64 = 0
        /// Failures since the last good one.
        var failures: UInt64 = 0
        /// Tick before which it is not asked: who fails again and again is asked less and less.
        var restsUntil: UInt64 = 0
    }

    private static let longestRest: UInt64 = 8

    private(set) var sources: [NodePeer: Source] = [:]

    /// Ascending.
    var peers: [NodePeer] { sources.keys.sorted() }
    func isConnected(_ peer: NodePeer) -> Bool { sources[peer] != nil }
    func head(of peer: NodePeer) -> Height? { sources[peer]?.head }

    mutating func connected(_ peer: NodePeer) { sources[peer] = Source(head: .zero) }
    mutating func disconnected(_ peer: NodePeer) { sources[peer] = nil }
    mutating func says(_ height: Height, _ peer: NodePeer) { sources[peer]?.head = height }

    mutating func answeredWell(_ peer: NodePeer) {
        sources[peer]?.good &+= 1
        sources[peer]?.failures = 0
        sources[peer]?.restsUntil = 0
    }

    /// It did not answer, or not with what its head promised: the claim is forgotten until it is made again.
    mutating func failed(_ peer: NodePeer, tick: UInt64) {
        guard var source = sources[peer] else { return }
        source.failures &+= 1
        source.head = .zero
        let rest = min(Self.longestRest, 1 << min(source.failures - 1, 8))
        source.restsUntil = source.failures > 1 ? tick &+ rest : 0
        sources[peer] = source
    }

    func standing(of peer: NodePeer) -> Standing {
        guard let source = sources[peer] else { return .failed }
        if source.good > 0, source.failures < 2 { return .proven }
        if case .masternode = peer { return source.failures == 0 ? .masternode : .unproven }
        return source.failures == 0 ? .unproven : .failed
    }

    /// Whether it has something to lose, and nothing that it promised is outstanding.
    func keepsItsWord(_ peer: NodePeer) -> Bool { standing(of: peer) < .unproven && sources[peer]?.failures == 0 }

    /// Whom to ask for the block at this height, the best first.
    func candidates(for height: Height, tick: UInt64) -> [NodePeer] {
        sources.filter { $0.value.head >= height && $0.value.restsUntil <= tick }.keys
            .map { (standing(of: $0), $0) }.sorted { $0 < $1 }.map(\.1)
    }

    /// The highest head that somebody of a standing says, if any has one above this.
    func highest(above height: Height, atLeast standing: Standing = .failed) -> Height? {
        let heads = sources.filter { self.standing(of: $0.key) <= standing }.map(\.value.head)
        return heads.max().flatMap { $0 > height ? $0 : nil }
    }
}
