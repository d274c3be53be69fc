import Cryptography
import NodeCore
import Primitives
import Synchronization

/// What a node's work costs, by what was done and never by a clock: messages, bytes, signatures, transactions and gas.
struct ProcessorModel {
    /// Microseconds on the reference machine, times this.
    let slowness: UInt64

    // Of the same order as what `Docs/performance.md` measures on one core.
    private static let input: UInt64 = 20
    private static let message: UInt64 = 15
    private static let kilobyte: UInt64 = 4
    private static let signature: UInt64 = 40
    private static let executed: UInt64 = 20
    private static let stored: UInt64 = 8
    /// Gas is a nanosecond of the reference machine.
    private static let gasInMicrosecond: UInt64 = 1_000

    /// Virtual microseconds.
    /// - Parameter audience: nodes that a broadcast goes to.
    func cost(of input: NodeInput?, _ outputs: [NodeOutput], signatures: UInt64, audience: Int) -> UInt64 {
        var cost = Self.input + signatures * Self.signature
        if case .message(let message, _) = input { cost += UInt64(message.payload.count) * Self.kilobyte / 1_024 }
        for output in outputs {
            switch output {
            case .send: cost += Self.message
            case .broadcast: cost += Self.message * UInt64(audience)
            case .journal(let entries, _):
                // Each block that was executed comes by here once; its header has the gas of its parent.
                for case .body(let block) in entries {
                    cost += UInt64(block.transactions.count) * Self.executed
                    cost += block.header.gasUsed / Self.gasInMicrosecond
                }
            case .commit(let commits):
                for commit in commits { cost += UInt64(commit.transactionIds.count) * Self.stored }
            default: break
            }
        }
        return cost * slowness
    }
}

/// Counts the signatures that a node checks.
final class SignatureMeter: NodeSignatures {
    private let verifier: any NodeSignatures
    private let checked = Mutex<UInt64>(0)

    init(_ verifier: any NodeSignatures) { self.verifier = verifier }

    /// How many were checked since the last call.
    func take() -> UInt64 {
        checked.withLock { checked in
            defer { checked = 0 }
            return checked
        }
    }

    func isValid(_ signature: Signature, of key: PublicKey, message: [UInt8]) -> Bool {
        checked.withLock { $0 += 1 }
        return verifier.isValid(signature, of: key, message: message)
    }

    func isAuthorized(_ transaction: SignedTransaction, id: TransactionId, genesis: Digest) -> Bool {
        checked.withLock { $0 += 1 }
        return verifier.isAuthorized(transaction, id: id, genesis: genesis)
    }

    func areAuthorized(_ transactions: [SignedTransaction], ids: [TransactionId], genesis: Digest) -> [Bool] {
        checked.withLock { $0 += UInt64(transactions.count) }
        return verifier.areAuthorized(transactions, ids: ids, genesis: genesis)
    }
}

/// One core for each node: while it works, what comes waits in line, and what it says leaves it when the work is done.
struct SimulatedProcessor {
    /// Virtual microseconds at which the work that was begun is done.
    var freeAt: UInt64 = 0
    /// What came meanwhile, oldest first, with the time at which it came.
    var inbox: [(event: SimulatedCluster.Event, since: UInt64)] = []
    /// So many times as slow as it was, until then.
    var times: UInt64 = 1
    var starvedUntil: UInt64 = 0

    func isBusy(at now: UInt64) -> Bool { freeAt >= (now + 1) * 1_000 }

    /// The process died, and what it was about with it.
    mutating func stop() { (freeAt, inbox) = (0, []) }

    /// Whatever a turn is about, it ends: what was begun while the processor was starved must not last for minutes after.
    private static let longestTurn: UInt64 = 2_000_000

    mutating func work(_ cost: UInt64, at now: UInt64) {
        freeAt = max(freeAt, now * 1_000) + min(Self.longestTurn, cost * (starvedUntil > now ? times : 1))
    }
}

extension SimulatedCluster {
    /// Waiting for longer than this is being late.
    private static let lateMs: UInt64 = 200

    /// The work of one turn of a node's machine.
    func charge(_ node: Int, for input: NodeInput?, _ outputs: [NodeOutput]) {
        guard let model = trials.processor else { return }
        let cost = model.cost(
            of: input, outputs, signatures: nodes[node].meter?.take() ?? 0, audience: nodes[node].connections.count)
        nodes[node].processor.work(cost, at: now)
        hash.mix(cost)
    }

    /// Milliseconds until what a node says now leaves it, or reaches its disks.
    func lag(_ node: Int) -> UInt64 {
        let free = nodes[node].processor.freeAt / 1_000
        return free > now ? free - now : 0
    }

    /// Whether the event has to wait until its node has done what came before.
    func waitsInLine(_ event: Event, _ node: Int) -> Bool {
        guard trials.processor != nil else { return false }
        let isFirst = nodes[node].processor.inbox.isEmpty
        guard nodes[node].processor.isBusy(at: now) || (!isFirst && !takesUp) else { return false }
        if isFirst {
            queue.add(.work(node: node, life: nodes[node].life), at: max(now, nodes[node].processor.freeAt / 1_000))
        }
        nodes[node].processor.inbox.append((event, now))
        return true
    }

    /// A node is free again, and takes what waits.
    func takeUp(_ node: Int, life: Int) {
        while nodes[node].life == life, !nodes[node].processor.isBusy(at: now), !nodes[node].processor.inbox.isEmpty {
            let (event, since) = nodes[node].processor.inbox.removeFirst()
            if now > since + Self.lateMs { count(.late) }
            takesUp = true
            handle(event)
            takesUp = false
        }
        guard nodes[node].life == life, !nodes[node].processor.inbox.isEmpty else { return }
        queue.add(.work(node: node, life: life), at: max(now, nodes[node].processor.freeAt / 1_000))
    }

    /// Something else takes the processor of a node, or of all, for a while.
    func starve() {
        queue.add(.trial(.processor), at: now + trials.chance.among(500...4_000))
        count(.starved)
        let victims =
            trials.chance.happens(25) ? Array(nodes.indices) : trials.chance.pick(Array(nodes.indices)).map { [$0] } ?? []
        let times: UInt64 = trials.chance.pick([8, 40]) ?? 8
        let until = now + trials.chance.among(300...4_000)
        for node in victims { (nodes[node].processor.times, nodes[node].processor.starvedUntil) = (times, until) }
        log("\(victims.map { name($0) }.joined(separator: " ")) is \(times) times as slow until \(until)")
    }
}
