import ChainClient
import Foundation
import LocalNetwork
import NIOCore
import NodeHost
import Synchronization
import TestSupport
import Testing

/// Four masternodes in namespaces, and the hand that breaks what lies between and beneath them.
final class FaultyNetwork: Sendable {
    private static let hosts = 4

    let network: TestNetwork
    private let namespaces: NetworkNamespaces
    private let proxy: FaultProxy
    private let seed: UInt64

    init(seed: UInt64) async throws {
        self.seed = seed
        namespaces = try NetworkNamespaces(hosts: Self.hosts)
        do { network = try Self.network(on: namespaces, seed: seed) } catch {
            namespaces.close()
            throw error
        }
        do {
            proxy = try await FaultProxy(namespaces, ports: network.plan.peerPorts, seed: seed)
            for index in 0..<Self.hosts { try Self.routePeers(of: index, in: network.plan, namespaces) }
        } catch {
            await network.close()
            namespaces.close()
            throw error
        }
    }

    private static func network(on namespaces: NetworkNamespaces, seed: UInt64) throws -> TestNetwork {
        let clocks = Mutex(SeededGenerator(seed: seed ^ 0xc10c))
        return try TestNetwork(masternodes: hosts, hosts: (0..<hosts).map(namespaces.address)) { plan, index in
            let limit = Int(TestClock.largestOffsetMs)
            let offset = clocks.withLock { $0.below(2 * limit + 1) - limit }
            return try start(plan, index, on: namespaces, clockOffset: offset)
        }
    }

    /// The network's processes have ended.
    func close() async {
        await proxy.close()
        namespaces.close()
    }

    private static func start(
        _ plan: DevnetPlan, _ index: Int, on namespaces: NetworkNamespaces, clockOffset: Int
    ) throws -> ChildProcess {
        let command = try plan.command(index)
        let (program, arguments) = try namespaces.command(on: index, command.program.path, command.arguments)
        return try ChildProcess(
            name: "node\(index)", program: program, arguments: arguments, logFile: command.logFile,
            environment: command.environment.merging([
                TestClock.permissionVariable: TestClock.permission, TestClock.offsetVariable: "\(clockOffset)",
            ]) { $1 })
    }

    /// A node finds the others at the proxy.
    private static func routePeers(of index: Int, in plan: DevnetPlan, _ namespaces: NetworkNamespaces) throws {
        var configuration = try plan.home(index).configuration()
        let others = (0..<plan.masternodes).filter { $0 != index }
        for (place, other) in others.enumerated() {
            configuration.peers[place].host = namespaces.between(index, other)
        }
        try plan.home(index).write(configuration)
    }

    // MARK: Faults

    /// One fault after the other, each kind in turn, with a while of peace after it. All is healed at the end.
    func run(rounds: Int) async throws {
        var generator = SeededGenerator(seed: seed)
        let start = ContinuousClock.now
        var deck: [NetworkFault.Kind] = []
        for _ in 0..<rounds {
            if deck.isEmpty { deck = NetworkFault.shuffled(NetworkFault.Kind.allCases, &generator) }
            let fault = NetworkFault(deck.removeLast(), hosts: Self.hosts, &generator)
            print("\((ContinuousClock.now - start).components.seconds) s: \(fault)")
            try await cause(fault)
            let height = try await fault.leavesQuorum(of: Self.hosts) ? nil : highest()
            try await endure(fault, .milliseconds(Int64(1_000 + generator.below(2_000))))
            if let height {
                // What was under way may still come to its end; without a cut there would be many more blocks.
                let grown = try await highest() - height
                #expect(grown <= 3, "\(grown) blocks were finalised without a quorum: \(fault), seed \(seed)")
            }
            try await end(fault)
            try await Task.sleep(for: .milliseconds(1_000 + generator.below(1_500)))
            for index in 0..<Self.hosts {
                guard await network.process("node\(index)")?.isRunning == true else { throw NodeEnded(index: index) }
            }
        }
        try namespaces.heal()
        proxy.heal()
        for index in 0..<Self.hosts { try await network.untilReady(index) }
    }

    /// The highest final block that any node has. A node that a fault has just started anew may not listen yet.
    private func highest() async throws -> UInt64 {
        var height: UInt64 = 0
        for index in 0..<Self.hosts {
            try await network.withClient([index]) { client in
                try await eventually("node\(index) tells its head") {
                    guard let status = try? await client.status() else { return false }
                    height = max(height, status.head.height)
                    return true
                }
            }
        }
        return height
    }

    private func cause(_ fault: NetworkFault) async throws {
        switch fault {
        case .drop(let directions):
            for (from, to) in directions { try namespaces.drop(true, from: from, towards: to) }
        case .unplug(let host): try namespaces.plug(host, false)
        case .faulty(let faults): proxy.all { $0.set(faults) }
        case .stall, .reset: break
        case .kill(let hosts): for host in hosts { await network.kill(host) }
        case .pause(let hosts): for host in hosts { await network.signal(host, SIGSTOP) }
        }
    }

    private func endure(_ fault: NetworkFault, _ time: TimeAmount) async throws {
        switch fault {
        case .stall(let host):
            for other in 0..<Self.hosts where other != host { proxy.link(host, other)?.stall(time) }
        case .reset(let pairs):
            for _ in 0..<3 {
                for (first, second) in pairs { proxy.link(first, second)?.reset() }
                try await Task.sleep(for: .nanoseconds(time.nanoseconds / 3))
            }
            return
        default: break
        }
        try await Task.sleep(for: .nanoseconds(time.nanoseconds))
    }

    private func end(_ fault: NetworkFault) async throws {
        switch fault {
        case .drop(let directions):
            for (from, to) in directions { try namespaces.drop(false, from: from, towards: to) }
        case .unplug(let host): try namespaces.plug(host, true)
        case .faulty: proxy.heal()
        case .stall, .reset: break
        case .kill(let hosts): for host in hosts { try await network.start(host) }
        case .pause(let hosts): for host in hosts { await network.signal(host, SIGCONT) }
        }
    }
}

struct NodeEnded: Error, CustomStringConvertible {
    let index: Int
    var description: String { "node\(index) ended by itself" }
}
