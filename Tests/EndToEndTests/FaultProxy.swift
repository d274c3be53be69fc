import LocalNetwork
import NIOCore
import NIOPosix
import Synchronization
import TestSupport

/// The links between hosts. Every connection of a pair of hosts, whichever of them made it, goes through the pair's
/// ``ProxiedLink``.
final class FaultProxy: Sendable {
    struct Pair: Hashable, Sendable {
        let low: Int
        let high: Int

        init(_ first: Int, _ second: Int) {
            low = min(first, second)
            high = max(first, second)
        }
    }

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let links: [Pair: ProxiedLink]

    /// - Parameter ports: where each host takes connections of its peers; the link's ends are the same ports.
    init(_ network: NetworkNamespaces, ports: [Int], seed: UInt64) async throws {
        var links: [Pair: ProxiedLink] = [:]
        for low in 0..<network.hosts {
            for high in 0..<network.hosts where high > low {
                let generator = SharedGenerator(seed: seed &+ UInt64(10 * low + high))
                links[Pair(low, high)] = ProxiedLink(address: network.between(low, high), group: group) { generator.next() }
            }
        }
        self.links = links
        do {
            for (pair, link) in links {
                for host in [pair.low, pair.high] {
                    let target = try SocketAddress(ipAddress: network.address(host), port: ports[host])
                    try await link.listen(port: ports[host], target: target)
                }
            }
        } catch {
            await close()
            throw error
        }
    }

    func link(_ first: Int, _ second: Int) -> ProxiedLink? { links[Pair(first, second)] }
    func all(_ body: (ProxiedLink) -> Void) { for link in links.values { body(link) } }
    func heal() { all { $0.set(.none) } }

    func close() async {
        for link in links.values { await link.close() }
        try? await group.shutdownGracefully()
    }
}

/// A generator that a link draws from, on whichever thread it runs.
private final class SharedGenerator: Sendable {
    private let state: Mutex<SeededGenerator>

    init(seed: UInt64) { state = Mutex(SeededGenerator(seed: seed)) }

    func next() -> UInt64 { state.withLock { $0.next() } }
}
