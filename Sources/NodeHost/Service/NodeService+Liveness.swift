import NodeAPI
import Primitives

/// Whether the chain moves. A node that stands still because others are missing is not broken, but its operator, its
/// clients and whatever watches it must be told, and by whom it waits.
extension NodeService {
    static let livenessInterval = Duration.seconds(5)
    /// A stall that lasts is told again after this time.
    static let stallRepeatMs: UInt64 = 60_000
    /// So is a clock that is off, after as many looks.
    private static let clockRepeat = 12

    func liveness(_ facts: ChainFacts) -> Liveness {
        let connected = peerBook.masternodes
        let own = machine.identity?.key
        let elapsed = lastBlock.duration(to: .now).components
        return Liveness(
            sinceBlockMs: UInt64(max(0, elapsed.seconds)) * 1_000 + UInt64(max(0, elapsed.attoseconds)) / 1_000_000_000_000_000,
            parameters: facts.parameters, masternodes: facts.set.count,
            reachable: facts.set.members.count { connected.contains($0.consensusKey) || $0.consensusKey == own },
            quorum: facts.set.quorum)
    }

    /// Has a block fetched again that the store can't read, where there is one.
    func lookAfterBlocks() {
        guard !stopped else { return }
        let masternodes = peerBook.ids(.masternodes)
        healer.look(among: masternodes.isEmpty ? peerBook.ids(.everyone) : masternodes)
    }

    /// Logs that this machine's clock is off, and that it is right again.
    ///
    /// - Parameter looks: since when it is off; 0 where it was right.
    private func watchClock(_ looks: Int) -> Int {
        guard let offset = machine.clockOffsetMs, offset.magnitude >= NodeStatus.clockToleranceMs else {
            if looks > 0 { logger.notice("this machine's clock agrees with those of the other masternodes") }
            return 0
        }
        if looks.isMultiple(of: Self.clockRepeat) {
            logger.warning(
                "this machine's clock is off",
                metadata: [
                    "ahead_ms": "\(offset)",
                    "what_to_do": "let it be synchronised (NTP): headers of the future wait, and late votes find their view given up",
                ])
        }
        return looks + 1
    }

    /// Logs when the chain comes to stand still, while it does, and when it goes on. Until the task is cancelled.
    func watchLiveness() async {
        var toldAtMs: UInt64?
        var looks = 0
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.livenessInterval)
            if !Task.isCancelled {
                looks = watchClock(looks)
                lookAfterBlocks()
            }
            guard !Task.isCancelled, let facts = await chainFacts() else { continue }
            let liveness = liveness(facts)
            if liveness.isStalled, !machine.isCatchingUp {
                guard toldAtMs.map({ liveness.sinceBlockMs >= $0 + Self.stallRepeatMs }) ?? true else { continue }
                toldAtMs = liveness.sinceBlockMs
                logger.warning(
                    "the chain stands still",
                    metadata: [
                        "since_block_s": "\(liveness.sinceBlockMs / 1_000)", "reachable": "\(liveness.reachable)",
                        "masternodes": "\(liveness.masternodes)", "quorum": "\(liveness.quorum)",
                        "what_to_do":
                            liveness.reachable < liveness.quorum
                            ? "start the missing masternodes, or look at this node's connections"
                            : "look at the masternodes' logs and clocks",
                    ])
            } else if !liveness.isStalled, toldAtMs != nil {
                toldAtMs = nil
                logger.notice("the chain goes on", metadata: ["height": "\(machine.published.header.height)"])
            }
        }
    }
}
