import Cryptography
import Dispatch
import Logging
import NodeCore
import PeerNetwork
import Primitives
import Storage
import Synchronization

/// Fetches bodies of final blocks again that the store can't read any more, one after the other, from whatever peer has
/// them. No peer is trusted: the block above names the digest, the header binds the body, and a Finalization that comes
/// with it is checked by the set that the links lead to.
final class BlockHealer: Sendable {
    /// A peer has this long to answer before another one is asked.
    private static let patience = Duration.seconds(4)
    /// Blocks that one look goes up, where those above can't be read either.
    private static let mostSteps = 1_024

    private struct Asked {
        let height: Height
        let peer: PeerId
        let since: ContinuousClock.Instant
    }

    private struct State {
        var asked: Asked?
        var turn = 0
    }

    private let genesis: Genesis
    private let view: LatestView
    private let health: StoreHealth
    private let logger: Logger
    private let ask: @Sendable (Height, PeerId) -> Void
    private let queue = DispatchQueue(label: "edgeproof.heal", qos: .utility)
    private let state = Mutex(State())

    /// - Parameter ask: sends a peer the request for the block of this height.
    init(
        genesis: Genesis, view: LatestView, health: StoreHealth, logger: Logger,
        ask: @escaping @Sendable (Height, PeerId) -> Void
    ) {
        self.genesis = genesis
        self.view = view
        self.health = health
        self.logger = logger
        self.ask = ask
    }

    /// Asks one of the peers for a block that can't be read, if there is one and no answer is awaited.
    func look(among peers: [PeerId]) {
        guard !peers.isEmpty, let damaged = health.highestBlock else { return }
        queue.async { [self] in
            guard let height = fetchable(from: damaged) else { return }
            let peer: PeerId? = state.withLock { state in
                if let asked = state.asked, ContinuousClock.now - asked.since < Self.patience { return nil }
                let peer = peers[state.turn % peers.count]
                state.turn = (state.turn + 1) % 1_000_000
                state.asked = Asked(height: height, peer: peer, since: .now)
                return peer
            }
            if let peer { ask(height, peer) }
        }
    }

    /// - Parameter store: given the block with its digest once it is known to be the one.
    /// - Returns: whether the blocks answer a request of this healer.
    func take(
        _ blocks: [FinalizedBlock], from peer: PeerId, store: @escaping @Sendable (FinalizedBlock, Digest) -> Void
    ) -> Bool {
        guard let first = blocks.first else { return false }
        let height = first.block.header.height
        let isAnswer = state.withLock { state in
            guard let asked = state.asked, asked.peer == peer, asked.height == height else { return false }
            state.asked = nil
            return true
        }
        guard isAnswer else { return false }
        queue.async { [self] in
            do {
                if let digest = try digest(of: first, at: height) { return store(first, digest) }
                logger.warning("a peer's block is not the one that the store lacks", metadata: ["height": "\(height)"])
            } catch {
                health.note(error)
                logger.warning(
                    "a block that the store lacks can't be checked", metadata: ["height": "\(height)", "reason": "\(error)"])
            }
        }
        return true
    }

    /// The first height from here on up whose digest is known, since the block above it can be read.
    private func fetchable(from damaged: Height) -> Height? {
        var height = damaged
        for _ in 0..<Self.mostSteps {
            do { return try expected(at: height) == nil ? nil : height } catch {
                guard health.note(error), let above = (error as? UnreadableBlock)?.height, above > height else { return nil }
                height = above
            }
        }
        return nil
    }

    /// The digest of the final block of this height, as the store says without it.
    private func expected(at height: Height) throws -> Digest? {
        let view = view.current
        if let head = try view.snapshot.head(), head.height == height { return head.digest }
        return try view.block(at: height.next)?.block.header.parent
    }

    /// The digest of the block if it is the final one of this height.
    private func digest(of found: FinalizedBlock, at height: Height) throws -> Digest? {
        let header = found.block.header
        let digest = header.digest(genesis: genesis.hash)
        guard header.height == height, found.block.isBoundByHeader, try expected(at: height) == digest else { return nil }
        if let finalization = found.finalization {
            var trusted = TrustedSet(genesis: genesis)
            for link in try view.current.snapshot.links() where link.header.height < height { try trusted.follow(link) }
            try trusted.check(header, finalization: finalization)
        }
        return digest
    }
}
