import Consensus
import Primitives

/// What silent leaders and short timers cost, measured; each function returns what it holds against the rules.
enum SilenceScenario {
    /// f masternodes die under load, stay away through an idle time, and come back.
    static func absence(seed: UInt64, masternodes: Int, rules: Rules = Rules()) -> [String] {
        var scenario = Scenario(seed: seed, masternodes: masternodes, crashes: false, rules: rules)
        // Timers that don't adapt: what is measured is rule 9 alone.
        scenario.minimumDelayMs = Cast.delta
        var cluster = Cluster(scenario)
        cluster.slowestMs = 30
        let absent = 0..<(masternodes - 1) / 3
        var findings: [String] = []
        for node in cluster.nodes.indices { cluster.start(node) }
        for time in stride(from: 1_000, to: 45_000, by: 300) as StrideTo<UInt64> { cluster.submit(at: time) }
        cluster.runUntil(11_000)
        for node in absent { cluster.leave(node) }
        cluster.runUntil(48_000)
        let slowest = cluster.report.finalityMs.filter { $0.submitted > 27_000 }.map(\.took).max() ?? .max
        if slowest >= 2 * Cast.delta { findings.append("a silent leader's view cost \(slowest) ms") }
        // Idle: one block and at most f views given up for each heartbeat, and silence in between.
        let (view, messages) = (cluster.highestView, cluster.report.messages)
        cluster.runUntil(48_000 + 4 * Cast.heartbeat)
        let views = cluster.highestView - view
        if views > UInt64(5 * (1 + absent.count)) { findings.append("\(views) views while idle") }
        if cluster.report.messages - messages > Int(views) * 8 * masternodes * masternodes {
            findings.append("\(cluster.report.messages - messages) messages while idle")
        }
        let back = cluster.now
        for node in absent { cluster.comeBack(node) }
        for time in stride(from: back + 500, to: back + 20_000, by: 300) { cluster.submit(at: time) }
        cluster.runUntil(back + 25_000)
        for node in absent where cluster.report.lastFinalOfLeader[UInt16(node)] ?? 0 < back + 15_000 {
            findings.append("\(node) came back and does not lead")
        }
        for node in cluster.honest where cluster.nodes[node].final.count < cluster.transactions {
            findings.append("\(node) has \(cluster.nodes[node].final.count) of \(cluster.transactions)")
        }
        return findings + [cluster.invariants.violation].compactMap { $0 }
    }

    /// A quick network lets timers shrink; then it becomes as slow as the genesis allows.
    static func slowdown(seed: UInt64, masternodes: Int, rules: Rules = Rules()) -> [String] {
        var scenario = Scenario(seed: seed, masternodes: masternodes, crashes: false, rules: rules)
        scenario.minimumDelayMs = 50
        var cluster = Cluster(scenario)
        cluster.slowestMs = 10
        for node in cluster.nodes.indices { cluster.start(node) }
        for time in stride(from: 1_000, to: 20_000, by: 100) as StrideTo<UInt64> { cluster.submit(at: time) }
        cluster.runUntil(20_000)
        var findings: [String] = []
        let delays = cluster.honest.compactMap { cluster.nodes[$0].machine?.delayMs }
        if delays.contains(where: { $0 > Cast.delta * 3 / 4 }) { findings.append("timers stay long: \(delays)") }
        (cluster.fastestMs, cluster.slowestMs) = (500, 700)
        for time in stride(from: 20_500, to: 40_000, by: 500) as StrideTo<UInt64> { cluster.submit(at: time) }
        cluster.runUntil(60_000)
        for node in cluster.honest where cluster.nodes[node].final.count < cluster.transactions {
            findings.append("\(node) has \(cluster.nodes[node].final.count) of \(cluster.transactions)")
        }
        return findings + [cluster.invariants.violation].compactMap { $0 }
    }

    /// A masternode that hears fewer than q waits for its timers.
    static func cutOff(rules: Rules = Rules()) throws -> [String] {
        let cast = Cast(4)
        let me = cast.leader(2)
        var node = try Dialogue(cast, me: me, rules: rules)
        _ = node.step(.start)
        _ = node.step(.workPending(true))
        var hurried: [UInt64] = []
        // Certificates come through one peer, whose votes are the only ones heard.
        for view in 1...20 as ClosedRange<UInt64> {
            let last = Cast.digest(view - 1)
            hurried += node.hear(
                .notarizeVote(cast.vote(cast.proposal(view, on: view - 1, view == 1 ? nil : last), by: node.others[0])),
                from: node.others[0]
            ).nullifyVotes
            hurried += node.notarize(cast.proposal(view)).nullifyVotes
        }
        return hurried.isEmpty ? [] : ["nullifies views \(hurried) at once though it hears fewer than q"]
    }
}
