import ChainClient
import Cryptography
import Foundation
import LocalNetwork
import NIOCore
import NodeHost
import Primitives
import Synchronization
import TestSupport
import Testing

/// Four real masternodes on real networks that break.
///
/// Each masternode is a `chaind` in a network namespace of its own, with an address of its own (``NetworkNamespaces``).
/// What they say to each other goes through a proxy of this test (``FaultProxy``), which delays, stalls and resets;
/// partitions are blackhole routes of the kernel, or a link that is down. Processes are killed, and stopped and woken.
/// The wall clocks are up to 3 s apart, which is more than a header's time may be ahead of its voter's; a node that is
/// started again has another clock. All faults come from one seed, which is printed: it fixes which faults come, and
/// where; when exactly each packet goes is the kernel's business.
///
/// In all this two clients submit through whichever node answers, and remember what the chain promised. When all is
/// healed, what was promised is on every node at the height that was told, and the nodes have one state.
///
/// `EDGEPROOF_FAULT_SEED` repeats a seed's faults, `EDGEPROOF_FAULT_ROUNDS` makes it longer than one of each kind.
@Suite(.timeLimit(.minutes(20))) struct NetworkFaultTests {
    @Test(.enabled(if: NetworkNamespaces.isPossible, "network namespaces can't be made here; the output says why"))
    func nothingThatWasPromisedIsLost() async throws {
        let environment = ProcessInfo.processInfo.environment
        let seed = environment["EDGEPROOF_FAULT_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 0..<1_000_000)
        let rounds = environment["EDGEPROOF_FAULT_ROUNDS"].flatMap { Int($0) } ?? NetworkFault.Kind.allCases.count
        print("network faults: EDGEPROOF_FAULT_SEED=\(seed)")
        let faulty = try await FaultyNetwork(seed: seed)
        do {
            try await faulty.network.use { network in
                let clients = try ["alice", "bob"].map { try RecordingClient(network, key: $0) }
                let told = try await withThrowingTaskGroup(of: Promises.self) { group in
                    for client in clients { group.addTask { try await client.run() } }
                    group.addTask {
                        defer { for client in clients { client.finish() } }
                        try await faulty.run(rounds: rounds)
                        return Promises()
                    }
                    return try await group.reduce(into: Promises()) { $0.add($1) }
                }
                print("\(told.final.count) records were final, \(told.accepted.count) more accepted")
                #expect(told.final.count > clients.count && !told.accepted.isEmpty, "seed \(seed)")
                try await network.expect(told)
                try await network.expectSameRoots()
                network.expectNobodyAccused()
            }
        } catch {
            print("network faults: this was EDGEPROOF_FAULT_SEED=\(seed)")
            await faulty.close()
            throw error
        }
        await faulty.close()
    }
}

/// What the chain has said to a client.
struct Promises: Sendable {
    /// The height of the finalised block that holds it.
    var final: [TransactionId: UInt64] = [:]
    /// A node took it, and no other record of this client can have its sequence.
    var accepted: Set<TransactionId> = []

    mutating func add(_ other: Promises) {
        final.merge(other.final) { $1 }
        accepted.formUnion(other.accepted)
    }
}

/// Submits records until told to finish; then once more, in peace.
private final class RecordingClient: Sendable {
    private let network: TestNetwork
    private let key: PrivateKey
    private let isFinishing = Mutex(false)

    init(_ network: TestNetwork, key name: String) throws {
        self.network = network
        key = try network.key(name)
    }

    func finish() { isFinishing.withLock { $0 = true } }

    func run() async throws -> Promises {
        var limits = ChainClient.Limits()
        limits.connect = .seconds(1)
        limits.request = .seconds(4)
        let client = ChainClient(
            nodes: try network.serving.map { try NodeAddress(network.plan.apiURL($0)) }, limits: limits)
        do {
            let sender = TransactionSender(client: client, key: key, genesis: network.genesis.hash)
            let promises = try await submit(sender)
            try await client.shutdown()
            return promises
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    private func submit(_ sender: TransactionSender) async throws -> Promises {
        var promises = Promises()
        var count = 0
        func record() -> TransactionRequest {
            count += 1
            return TransactionRequest(
                service: ServiceId(unchecked: Array("log".utf8)), action: .applicationTask,
                data: Array("\(count)".utf8))
        }
        func promise(timeout: Duration) async throws {
            let done = try await sender.perform(record(), timeout: timeout)
            promises.final[done.transaction.id] = done.inclusion?.height
        }
        // Of a record whose answer was lost, or that was given up, nobody knows whether a node has it. The next one may get
        // the same sequence, and the chain takes one of them: that a node took it promises nothing until both are past.
        var roundsInDoubt = 0
        while !isFinishing.withLock({ $0 }) {
            do {
                // Two that nobody waits for, behind them one that tells when all three are final.
                for _ in 0..<2 {
                    let id = try await sender.send(record())
                    if roundsInDoubt == 0 { promises.accepted.insert(id) }
                }
                try await promise(timeout: .seconds(30))
                roundsInDoubt = max(0, roundsInDoubt - 1)
                try await Task.sleep(for: .milliseconds(150))
            } catch is ClientError {
                // Nobody answered, or too late: nothing was promised.
                roundsInDoubt = 2
                try await Task.sleep(for: .milliseconds(200))
            }
        }
        // The last one comes after all that was accepted, and takes along what a killed node has forgotten. Nodes that have
        // just come back may answer too late once more.
        for _ in 0..<4 {
            do {
                try await promise(timeout: .seconds(90))
                return promises
            } catch is ClientError { try await Task.sleep(for: .seconds(1)) }
        }
        try await promise(timeout: .seconds(90))
        return promises
    }
}

extension TestNetwork {
    /// Every node has what was promised, where it was promised.
    fileprivate func expect(_ promises: Promises) async throws {
        for index in serving {
            try await withClient([index]) { client in
                for id in promises.accepted.union(promises.final.keys) {
                    try await eventually("node\(index) has \(id)") {
                        (try await client.transaction(id))?.inclusion != nil
                    }
                    let height = try await client.transaction(id)?.inclusion?.height
                    if let promised = promises.final[id] { #expect(height == promised, "\(id) on node\(index)") }
                }
            }
        }
    }

    /// No honest node contradicts itself, forgets a vote or sends what another must refuse, however it was killed and
    /// whatever its clock says. Silence is no such thing: what a cut network loses is not answered.
    fileprivate func expectNobodyAccused() {
        let accusations = ["contradicted itself", "does not vote", "misbehaved", "malformed", "rejected a proposal"]
        for index in serving {
            let lines = wholeLog(index).split(separator: "\n")
            let accusing = lines.filter { line in
                accusations.contains { line.contains($0) } && !line.contains("does not answer requests")
            }
            #expect(accusing.isEmpty, "node\(index)")
            // The clocks were apart indeed.
            #expect(lines.contains { $0.contains("ms off by \(TestClock.offsetVariable)") }, "node\(index)")
        }
    }
}
