import Cryptography
import Primitives

/// How far this machine's clock is from those of the other masternodes, by the proposals that their leaders relay: a header's
/// time is its leader's clock when the block was made. What lies between is the block's way here, so of a leader's newest
/// proposals the least difference counts; and of all leaders the middle one, which no third of liars can move beyond what
/// honest ones say.
///
/// Nothing depends on it. But a clock that is off costs everybody time, since headers of the future wait and late ones find
/// their view given up, and nobody sees why unless it is told.
struct ClockComparison {
    /// Proposals of a leader: a clock that was set shows after as many.
    private static let remembered = 8
    /// Fewer may all have been held up on their way.
    private static let enough = 3

    /// Of each leader, the oldest first, in milliseconds that this clock was ahead.
    private var differences: [PublicKey: [Int64]] = [:]

    mutating func saw(_ time: Time, of leader: PublicKey, at wall: Time) {
        // Those of sets that are long gone must not pile up.
        if differences.count >= 2 * ChainLimits.masternodes, differences[leader] == nil { differences = [:] }
        let difference =
            wall >= time ? Int64(clamping: wall.distance(since: time)) : -Int64(clamping: time.distance(since: wall))
        var newest = differences[leader] ?? []
        if newest.count >= Self.remembered { newest.removeFirst() }
        newest.append(difference)
        differences[leader] = newest
    }

    /// Milliseconds that this clock is ahead of the other members'; negative where it is behind. Nil until more of them were
    /// heard than may lie.
    func aheadMs(in set: MasternodeSet, except own: PublicKey?) -> Int64? {
        let each = set.members.filter { $0.consensusKey != own }
            .compactMap { differences[$0.consensusKey] }.filter { $0.count >= Self.enough }.compactMap { $0.min() }.sorted()
        guard each.count > set.faultTolerance, let upper = each.dropFirst(each.count / 2).first else { return nil }
        guard each.count.isMultiple(of: 2), let lower = each.dropFirst(each.count / 2 - 1).first else { return upper }
        // Between two in the middle, the one that alarms less.
        return lower.magnitude < upper.magnitude ? lower : upper
    }
}

extension NodeMachine {
    /// A leader's own proposal came from itself.
    func compareClock(_ header: Header, _ clock: NodeClock) {
        let parent = header.parent == head.digest ? head.header : pool[header.parent]?.block.header
        // One that directly follows its parent's time may have that from the parent: the leader's clock is behind it.
        guard let parent, header.time > parent.time.next, let leader = epoch.set.member(header.proposer) else { return }
        clocks.saw(header.time, of: leader.consensusKey, at: clock.wall)
    }

    /// Milliseconds that this machine's wall clock is ahead of the other masternodes', about; negative where it is behind. Nil
    /// while too few of them have proposed.
    package var clockOffsetMs: Int64? { clocks.aheadMs(in: epoch.set, except: identity?.key) }
}
