import NIOCore
import NIOPosix

/// What a link does to the bytes that pass it.
struct LinkFaults: Sendable {
    /// Milliseconds that each piece of data is under way.
    var delay: ClosedRange<Int> = 0...0
    /// Of a hundred pieces, how many are lost the first time. Over TCP loss is a retransmission: the piece comes late,
    /// and all that follows it waits.
    var lossPercent = 0

    static let none = LinkFaults()
    static let retransmissionMs = 200...600
}

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
                links[Pair(low, high)] = ProxiedLink(
                    address: network.between(low, high), seed: seed &+ UInt64(10 * low + high), group: group)
            }
        }
        self.links = links
        do {
            for (pair, link) in links {
                for host in [pair.low, pair.high] {
                    try await link.listen(port: ports[host], target: network.address(host))
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
