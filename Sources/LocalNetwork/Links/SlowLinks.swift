import Foundation
import NIOCore
import NIOPosix
import NodeHome

/// Lines between the masternodes of a network on loopback: each has one line of a given rate, in each direction, that all its
/// connections with the others share, and what passes it is a given time under way. The nodes notice nothing of it: they
/// find the others at ports of this process.
///
/// What a node sends waits in its line's queue, then in the sockets before it, then in the node: as with real lines. What
/// clients say to nodes is not held up.
public final class SlowLinks: Sendable {
    /// Each has a port for each other one.
    public static let mostMasternodes = 32
    private static let host = "127.0.0.1"

    private let group: MultiThreadedEventLoopGroup
    private let link: ProxiedLink
    /// By masternode.
    private let lines: [AccessLine]

    private init(_ speed: LinkSpeed, masternodes: Int) {
        lines = (0..<masternodes).map { _ in AccessLine(bytesPerSecond: speed.bytesPerSecond) }
        group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        // What is under way on the line, four times, besides what waits at its ends.
        let onTheWay = speed.bytesPerSecond / 1_000 * speed.delayMs
        link = ProxiedLink(address: Self.host, window: 1_000_000 + 4 * onTheWay, group: group)
        link.set(LinkFaults(delay: speed.delayMs...speed.delayMs))
    }

    /// Puts lines between the masternodes of a prepared network whose nodes are not started yet.
    public static func lay(_ speed: LinkSpeed, between plan: DevnetPlan) async throws -> SlowLinks {
        let links = SlowLinks(speed, masternodes: plan.masternodes)
        do { try await links.lay(between: plan) } catch {
            await links.close()
            throw error
        }
        return links
    }

    /// Bytes that masternodes have sent to each other, all together.
    public var bytes: Int { lines.reduce(0) { $0 + $1.up.bytes } }

    private func lay(between plan: DevnetPlan) async throws {
        // Nobody listens at the last one. A node tells others where it listens; there they would go past the lines.
        var ports = try FreePorts.take(plan.masternodes * (plan.masternodes - 1) + 1)
        let nowhere = ports.removeLast()
        for index in 0..<plan.masternodes {
            var configuration = try plan.home(index).configuration()
            configuration.advertise = "\(Self.host):\(nowhere)"
            let others = (0..<plan.masternodes).filter { $0 != index }
            for (place, other) in others.enumerated() {
                let port = ports.removeLast()
                try await link.listen(
                    port: port, target: try SocketAddress(ipAddress: plan.hosts[other], port: plan.peerPorts[other]),
                    between: lines[index], and: lines[other])
                configuration.peers[place].host = Self.host
                configuration.peers[place].port = port
            }
            try plan.home(index).write(configuration)
        }
    }

    /// The nodes have ended, or lose each other.
    public func close() async {
        await link.close()
        try? await group.shutdownGracefully()
    }
}
