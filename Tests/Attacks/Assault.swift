import ChainClient
import Foundation
import Primitives
import Synchronization

/// What became of the attacker's attempts.
public final class Tally: Sendable {
    private let mutex = Mutex((taken: 0, refused: 0))
    public init() {}

    public var counts: (taken: Int, refused: Int) { mutex.withLock { $0 } }
    func note(_ taken: Bool) { mutex.withLock { if taken { $0.taken += 1 } else { $0.refused += 1 } } }
}

/// One attack, over all nodes in turn.
public struct Assault: Sendable {
    private let attacker: Attacker
    private let clients: [ChainClient]
    private let pause: Duration
    private let tally: Tally

    /// - Parameter pause: after each attempt.
    public init(attacker: Attacker, clients: [ChainClient], pause: Duration, tally: Tally) {
        self.attacker = attacker
        self.clients = clients
        self.pause = pause
        self.tally = tally
    }

    public func run(_ attack: Attack, until end: ContinuousClock.Instant) async {
        var index = 0
        var sequence: UInt64 = 0
        var asked = ContinuousClock.now - .seconds(1)
        while ContinuousClock.now < end {
            let client = clients[index % clients.count]
            index += 1
            if attack == .queries {
                tally.note((try? await client.query(attacker.own("spin"), input: [])) != nil)
                continue
            }
            if ContinuousClock.now - asked > .milliseconds(300) {
                asked = .now
                sequence = max(sequence, (try? await client.account(attacker.account)?.sequence) ?? sequence)
            }
            let now = UInt64(Date().timeIntervalSince1970 * 1_000)
            guard let signed = try? attacker.transaction(attack, index, sequence: sequence, now: now) else { continue }
            if (try? await client.submit(signed)) != nil {
                tally.note(true)
                if signed.transaction.sender == attacker.account, signed.transaction.sequence == sequence { sequence += 1 }
            } else {
                tally.note(false)
                sequence = (try? await client.account(attacker.account)?.sequence) ?? sequence
            }
            try? await Task.sleep(for: pause)
        }
    }
}
