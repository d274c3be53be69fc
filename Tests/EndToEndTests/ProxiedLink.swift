import NIOCore
import NIOPosix
import Synchronization
import TestSupport

/// What lies between two hosts: takes the connections of each and makes them go on to the other.
final class ProxiedLink: Sendable {
    /// Bytes on their way in one direction of a connection, above which its sender is not read from.
    static let window = 1_000_000

    private struct State {
        var faults = LinkFaults.none
        var stalledUntil = NIODeadline.uptimeNanoseconds(0)
        var generator: SeededGenerator
        var channels: [ObjectIdentifier: any Channel] = [:]
        var servers: [any Channel] = []
    }

    let address: String
    private let group: any EventLoopGroup
    private let state: Mutex<State>

    init(address: String, seed: UInt64, group: any EventLoopGroup) {
        self.address = address
        self.group = group
        state = Mutex(State(generator: SeededGenerator(seed: seed)))
    }

    func set(_ faults: LinkFaults) { state.withLock { $0.faults = faults } }

    /// Nothing moves for this time, in either direction; nothing is lost.
    func stall(_ time: TimeAmount) { state.withLock { $0.stalledUntil = .now() + time } }

    /// Ends all connections in the rudest way.
    func reset() {
        for channel in state.withLock({ Array($0.channels.values) }) {
            guard let options = channel as? any SocketOptionProvider else { continue }
            options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in channel.close(promise: nil) }
        }
    }

    /// Takes connections at the port and makes each go on to the target's same port.
    func listen(port: Int, target: String) async throws {
        let target = try SocketAddress(ipAddress: target, port: port)
        let server = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Relay(self, target: target))
                }
            }
            .bind(host: address, port: port).get()
        state.withLock { $0.servers.append(server) }
    }

    func close() async {
        let (servers, channels) = state.withLock { ($0.servers, Array($0.channels.values)) }
        for channel in servers + channels { try? await channel.close().get() }
    }

    func opened(_ channel: any Channel) {
        state.withLock { $0.channels[ObjectIdentifier(channel)] = channel }
    }

    func closed(_ channel: any Channel) {
        state.withLock { $0.channels[ObjectIdentifier(channel)] = nil }
    }

    var stalledUntil: NIODeadline { state.withLock { $0.stalledUntil } }

    /// When a piece of data that came now arrives.
    func arrival() -> NIODeadline {
        state.withLock { state in
            func pick(_ range: ClosedRange<Int>) -> Int { range.lowerBound + state.generator.below(range.count) }
            var wait = pick(state.faults.delay)
            if state.generator.below(100) < state.faults.lossPercent { wait += pick(LinkFaults.retransmissionMs) }
            return .now() + .milliseconds(Int64(wait))
        }
    }
}
