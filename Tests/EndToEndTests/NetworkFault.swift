import LocalNetwork
import NIOCore
import TestSupport

/// One thing that goes wrong for a while. Hosts are indices.
enum NetworkFault: Sendable {
    /// What one sends to the other vanishes. Cuts and partitions of all shapes are made of these.
    case drop([(from: Int, to: Int)])
    case unplug(Int)
    /// All links are slow and lose pieces.
    case faulty(LinkFaults)
    /// Links of a host stand still.
    case stall(Int)
    /// Connections of these pairs end, again and again.
    case reset([(Int, Int)])
    case kill([Int])
    /// SIGSTOP, later SIGCONT: the clocks go on and the process does not notice.
    case pause([Int])

    enum Kind: CaseIterable, Sendable {
        case cutOffOne, cutInHalves, cutPair, cutAll, oneWay, unplug, faulty, stall, reset, killOne, killTwo, killAll,
            pauseOne, pauseTwo
    }

    init(_ kind: Kind, hosts: Int, _ generator: inout SeededGenerator) {
        let order = Self.shuffled(Array(0..<hosts), &generator)
        func both(_ pairs: [(Int, Int)]) -> [(from: Int, to: Int)] { pairs.flatMap { [($0, $1), ($1, $0)] } }
        func pairs(_ first: some Sequence<Int>, _ second: some Sequence<Int>) -> [(Int, Int)] {
            first.flatMap { one in second.filter { $0 != one }.map { (one, $0) } }
        }
        self =
            switch kind {
            case .cutOffOne: .drop(both(pairs(order.prefix(1), order)))
            case .cutInHalves: .drop(both(pairs(order.prefix(hosts / 2), order.dropFirst(hosts / 2))))
            case .cutPair: .drop(both([(order[0], order[1])]))
            case .cutAll: .drop(pairs(order, order))
            // It hears everybody and nobody hears it, or the other way round.
            case .oneWay: .drop(generator.below(2) == 0 ? pairs(order.prefix(1), order) : pairs(order, order.prefix(1)))
            case .unplug: .unplug(order[0])
            case .faulty:
                .faulty(LinkFaults(delay: 5...(50 + generator.below(250)), lossPercent: generator.below(20)))
            case .stall: .stall(order[0])
            case .reset: .reset(pairs(order.prefix(2), order))
            case .killOne: .kill(Array(order.prefix(1)))
            case .killTwo: .kill(Array(order.prefix(2)))
            case .killAll: .kill(order)
            case .pauseOne: .pause(Array(order.prefix(1)))
            case .pauseTwo: .pause(Array(order.prefix(2)))
            }
    }

    /// False for a cut after which nobody is left who hears a quorum and is heard by it. (Only cuts are looked at: the
    /// nodes go on, and can be asked.)
    func leavesQuorum(of hosts: Int) -> Bool {
        guard case .drop(let directions) = self else { return true }
        let quorum = hosts - (hosts - 1) / 3
        return (0..<hosts).contains { host in
            let cutOff = (0..<hosts).filter { other in
                directions.contains { ($0.from, $0.to) == (host, other) || ($0.from, $0.to) == (other, host) }
            }
            return hosts - cutOff.count >= quorum
        }
    }

    static func shuffled<Value>(_ values: [Value], _ generator: inout SeededGenerator) -> [Value] {
        var values = values
        for last in stride(from: values.count - 1, to: 0, by: -1) { values.swapAt(last, generator.below(last + 1)) }
        return values
    }
}
