import NIOCore
import NIOPosix
import Synchronization

/// What lies between two hosts: takes the connections of each and makes them go on to the other.
package final class ProxiedLink: Sendable {
    /// Of the sockets that this process reads, where a line limits the rate: what waits there waits in no queue of a line.
    static let socketBytes = 131_072

    private struct State {
        var faults = LinkFaults.none
        var stalledUntil = NIODeadline.uptimeNanoseconds(0)
        var channels: [ObjectIdentifier: any Channel] = [:]
        var servers: [any Channel] = []
    }

    let address: String
    /// Bytes on their way in one direction of a connection, above which its sender is not read from.
    let window: Int
    private let group: any EventLoopGroup
    private let random: @Sendable () -> UInt64
    private let state = Mutex(State())

    /// - Parameter random: what faults are drawn from.
    package init(
        address: String, window: Int = 1_000_000, group: any EventLoopGroup,
        random: @escaping @Sendable () -> UInt64 = { 0 }
    ) {
        self.address = address
        self.window = window
        self.group = group
        self.random = random
    }

    package func set(_ faults: LinkFaults) { state.withLock { $0.faults = faults } }

    /// Nothing moves for this time, in either direction; nothing is lost.
    package func stall(_ time: TimeAmount) { state.withLock { $0.stalledUntil = .now() + time } }

    /// Ends all connections in the rudest way.
    package func reset() {
        for channel in state.withLock({ Array($0.channels.values) }) {
            guard let options = channel as? any SocketOptionProvider else { continue }
            options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in channel.close(promise: nil) }
        }
    }

    /// Takes connections at the port and makes each go on to the target.
    ///
    /// - Parameters:
    ///   - dialler: line of the host that connects to the port; nil where nothing limits the rate.
    ///   - listener: line of the target.
    package func listen(
        port: Int, target: SocketAddress, between dialler: AccessLine? = nil, and listener: AccessLine? = nil
    ) async throws {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Relay(self, target: target, near: dialler, far: listener))
                }
            }
        if dialler != nil {
            _ = bootstrap.serverChannelOption(.socketOption(.so_rcvbuf), value: Self.socketBytes)
                .childChannelOption(.maxMessagesPerRead, value: 1)
        }
        let server = try await bootstrap.bind(host: address, port: port).get()
        state.withLock { $0.servers.append(server) }
    }

    package func close() async {
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

    /// When a piece of data that left its sender's line at that time arrives at the receiver's.
    func arrival(of time: NIODeadline) -> NIODeadline {
        func below(_ bound: Int) -> Int { Int(random() % UInt64(bound)) }
        func pick(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }
        let faults = state.withLock { $0.faults }
        var wait = pick(faults.delay)
        if below(100) < faults.lossPercent { wait += pick(LinkFaults.retransmissionMs) }
        return time + .milliseconds(Int64(wait))
    }
}
