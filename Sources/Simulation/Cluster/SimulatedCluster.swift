import Consensus
import Cryptography
import NodeCore
import Primitives
import StateSync

/// A network of nodes on virtual time: one seed decides everything that happens.
public final class SimulatedCluster {
    enum Event {
        case deliver(NodeMessage, from: Int, to: Int, connection: Int)
        case timer(NodeTimer, node: Int, life: Int, number: Int)
        case journalSynced(JournalToken, node: Int, life: Int)
        case commitSynced(Height, node: Int, life: Int)
        case committed(Height, node: Int, life: Int)
        case dial(Int, Int)
        case broken(Int, Int, connection: Int)
        case client(Int)
        case nuisance
        case crash(Int)
        case restart(Int)
        case rewritten(node: Int, life: Int)
        case stranger(UInt64)
        case beacon(UInt32, node: Int, life: Int)
        case work(node: Int, life: Int)
        case trial(Trial)
        case copyStarts(SimulatedDisk, of: Int, isSecond: Bool)
        case copyEnds(Int, of: Int)
        /// On its way from one node to another, and the answer that a node has looked up.
        case snapshot(SnapshotMessage, from: Int, to: Int, connection: Int)
        case lookedUp(SnapshotMessage, node: Int, life: Int, to: Int, connection: Int)
        case joinTick(node: Int, life: Int)
        /// The joined store is in its place.
        case joined(node: Int, life: Int)
        case offerer(OffererAct)
        case fault, lie, lastPartition, heal, end
    }

    let seed: UInt64
    let configuration: SimulationConfiguration
    let cast: Cast
    let scenario: Scenario
    var chance: Chance
    var now: UInt64 = 0
    var queue = EventQueue<Event>()
    var nodes: [SimulatedNode]
    var clients: [Client]
    var network = NetworkFaults()
    var invariants: Invariants
    var accusations: [Accusation] = []
    var report: SeedReport
    var hash = EventHash()

    var isHealed = false
    var healedAt: UInt64 = 0
    /// The nodes that must finalise everything once the cluster is healed.
    var survivors: [Int] = []
    var connectionsMade = 0
    var timersSet = 0
    var nuisanceSequence: UInt64 = 0
    /// Masternodes that lost votes: each counts among those that a set tolerates.
    var lostVotes = 0
    var trials: Trials
    /// A node takes what waited while it worked.
    var takesUp = false
    /// What liars heard, to say it again.
    var overheard: [NodeMessage] = []

    /// - Throws: where the cast can't be made: no masternodes, or too many.
    public init(seed: UInt64, configuration: SimulationConfiguration) throws {
        self.seed = seed
        self.configuration = configuration
        var chance = Chance(seed: seed)
        scenario = Scenario(&chance, byzantine: configuration.byzantine)
        self.chance = chance
        trials = Trials(configuration.trials, seed: seed)
        let cast = try Cast.of(
            configuration.masternodes, realSignatures: scenario.realSignatures, hasEpochs: configuration.epochs > 1)
        self.cast = cast
        let honest = UInt16(configuration.masternodes - min(configuration.byzantine, configuration.masternodes))
        let all = UInt16(configuration.masternodes)
        nodes = (0..<honest).map { SimulatedNode(identity: $0, kind: .honest, cast: cast) }
        for candidate in cast.candidates {
            nodes.append(SimulatedNode(identity: UInt16(candidate), kind: .honest, cast: cast))
        }
        if scenario.hasFollower {
            nodes.append(SimulatedNode(identity: UInt16(cast.keys.count), kind: .follower, cast: cast))
        }
        for joiner in 0..<trials.joinerCount {
            trials.joiners.append(nodes.count)
            nodes.append(SimulatedNode(identity: UInt16(cast.keys.count + 1 + joiner), kind: .follower, cast: cast))
        }
        for liar in honest..<all {
            for _ in 0..<2 { nodes.append(SimulatedNode(identity: liar, kind: .liar, cast: cast)) }
        }
        clients = cast.clientKeys.map { Client(key: $0) }
        if configuration.epochs > 1 { clients.append(Client(key: cast.owner)) }
        report = SeedReport(seed: seed)
        invariants = Invariants(cast: cast, liars: honest..<all, rules: configuration.rules)
    }

    var honestMasternodes: [Int] { nodes.indices.filter { nodes[$0].kind == .honest } }
    var liars: [Int] { nodes.indices.filter { nodes[$0].kind == .liar } }

    /// Faults, then peace, in which everything that clients want must become final.
    public func run() -> SeedReport {
        beginTrials()
        let late = scenario.hasLateJoiner && nodes.count > 1 ? chance.pick(honestMasternodes) : nil
        for node in nodes.indices {
            if trials.joiners.contains(node) {
                queue.add(.restart(node), at: trials.chance.among(3_000...scenario.faultsUntilMs + 2_000))
            } else if node == late {
                count(.lateStart)
                nodes[node].joinsBySnapshot = mayJoin()
                queue.add(.restart(node), at: chance.among(4_000...scenario.faultsUntilMs))
            } else {
                start(node)
            }
        }
        queue.add(.fault, at: chance.among(300...1_500))
        if !liars.isEmpty { queue.add(.lie, at: chance.among(300...1_500)) }
        for client in clients.indices { queue.add(.client(client), at: chance.among(50...800)) }
        if scenario.hasNuisance { queue.add(.nuisance, at: chance.among(500...2_000)) }
        if scenario.hasStrangers { queue.add(.stranger(0), at: chance.among(300...3_000)) }
        if scenario.partitions, chance.happens(30) {
            queue.add(.lastPartition, at: scenario.faultsUntilMs - chance.among(500...6_000))
        }
        queue.add(.heal, at: scenario.faultsUntilMs)
        queue.add(
            .end,
            at: scenario.faultsUntilMs + SimulationLimits.healingMs
                + UInt64(configuration.byzantine) * SimulationLimits.healingPerLiarMs
                + (trials.kinds.contains(.joiners) ? SimulationLimits.joiningMs : 0) - SimulationLimits.progressMs)
        var before: (height: Height, ends: Int)?
        while invariants.violation == nil, let (time, event) = queue.next() {
            now = time
            report.events += 1
            if case .end = event {
                // Where a quorum needs everybody and some messages are lost, views are lost with them: slow is not standing still.
                let height = invariants.height
                let isSlow = before.map { $0.height < height && $0.ends < SimulationLimits.longestHealing } ?? true
                guard isSlow else {
                    checkLiveness()
                    break
                }
                before = (height, (before?.ends ?? -1) + 1)
                queue.add(.end, at: now + SimulationLimits.progressMs)
                continue
            }
            if report.events > SimulationLimits.events { fail("more than \(SimulationLimits.events) events: a livelock") }
            handle(event)
            if isHealed, isDone { break }
            if isOutsideOfModel { break }
        }
        if invariants.violation == nil {
            checkConservation()
            checkPunishments()
        }
        finishReport()
        return report
    }

    private func finishReport() {
        report.violation = invariants.violation.map { "\(now) ms: \($0)" }
        if let violation = report.violation { log("VIOLATION \(violation)") }
        report.digest = hash.value
        report.accused = invariants.accused
        report.virtualMs = now
        report.healedAfterMs = isHealed ? now - healedAt : 0
        report.height = invariants.height.value
        report.epoch = invariants.epoch.value
        report.isCutShort = isOutsideOfModel
        report.view = nodes.compactMap { $0.machine?.view.value }.max() ?? 0
        report.transactions = clients.reduce(0) { $0 + $1.finalCount }
    }

    func handle(_ event: Event) {
        switch event {
        case .deliver(let message, let sender, let node, let connection):
            guard nodes[node].connections[sender] == connection, !defer_(event, node) else { return }
            if nodes[node].kind == .liar { overhear(message) }
            if nodes[node].join != nil { return setAside(message, from: sender, at: node) }
            if case .consensus(.notarization) = message,
                nodes[node].machine?.knows(message.kind.rawValue, message.payload) == true
            {
                return
            }
            step(node, .message(message, from: nodes[sender].peer))
        case .timer(let timer, let node, let life, let number):
            guard nodes[node].life == life, nodes[node].timers[timer]?.number == number, !defer_(event, node) else {
                return
            }
            nodes[node].timers[timer] = nil
            step(node, .timer(timer))
        case .journalSynced(let token, let node, let life):
            guard nodes[node].life == life, !defer_(event, node) else { return }
            nodes[node].disk.syncJournal(through: token)
            step(node, .journalDurable(token))
        case .commitSynced(let height, let node, let life):
            guard nodes[node].life == life else { return }
            if let problem = nodes[node].disk.syncCommits(through: height) { fail("\(name(node)): \(problem)") }
            considerSnapshot(node)
            queue.add(.committed(height, node: node, life: life), at: now + chance.among(0...8))
        case .committed(let height, let node, let life):
            guard nodes[node].life == life, !defer_(event, node) else { return }
            step(node, .committed(height))
        case .rewritten(let node, let life):
            guard nodes[node].life == life else { return }
            nodes[node].disk.syncRewrite()
            checkPromises(node)
        case .dial(let a, let b): dial(a, b)
        case .broken(let a, let b, let connection): disconnect(a, b, connection)
        case .client(let client): act(client)
        case .nuisance: annoy()
        case .stranger(let number): meetStranger(number)
        case .beacon(let generation, let node, let life):
            guard nodes[node].life == life, !defer_(event, node) else { return }
            step(node, .beaconMade(generation: generation, Cast.beacon(Int(nodes[node].identity), generation: generation)))
        case .work(let node, let life): takeUp(node, life: life)
        case .trial(let trial): goOn(with: trial)
        case .copyStarts(let disk, let node, let isSecond): startCopy(disk, of: node, isSecond: isSecond)
        case .copyEnds(let place, let node): endCopy(place, of: node)
        case .snapshot(let message, let sender, let node, let connection):
            receive(message, from: sender, at: node, connection)
        case .lookedUp(let request, let node, let life, let asker, let connection):
            answer(request, node, life: life, to: asker, connection)
        case .joinTick(let node, let life): tickJoin(node, life: life)
        case .joined(let node, let life): completeJoin(node, life: life)
        case .offerer(let act): go(on: act)
        case .crash(let node): crash(node)
        case .restart(let node): start(node)
        case .fault: injectFault()
        case .lie: lie()
        case .lastPartition: partition()
        case .heal: heal()
        case .end: break
        }
    }

    /// Bodies that this node's votes promise, and that it needs again if it dies now, are on its disk.
    func checkPromises(_ node: Int) {
        guard nodes[node].kind == .honest, let machine = nodes[node].machine, !nodes[node].disk.store.isFailing else {
            return
        }
        invariants.keeps(machine.finalNotStored, nodes[node].identity, disk: nodes[node].disk)
    }

    /// A paused process takes its inputs when it goes on, and one that works when it is free.
    private func defer_(_ event: Event, _ node: Int) -> Bool {
        guard nodes[node].machine != nil else { return false }
        guard nodes[node].pausedUntil > now else { return waitsInLine(event, node) }
        queue.add(event, at: nodes[node].pausedUntil)
        return true
    }

    // MARK: What is told

    func count(_ fault: Fault) { report.faults[fault, default: 0] += 1 }

    func fail(_ reason: String) { invariants.fail(reason) }

    func name(_ node: Int) -> String {
        switch nodes[node].kind {
        case .honest: "m\(nodes[node].identity)"
        case .follower:
            trials.joiners.firstIndex(of: node).map { "joiner \($0)" } ?? "follower"
        case .liar: "liar m\(nodes[node].identity)/\(node)"
        case .second: "second m\(nodes[node].identity)/\(node)"
        }
    }

    func log(_ line: @autoclosure () -> String) {
        guard configuration.isVerbose else { return }
        report.log.append("\(now) \(line())")
    }
}

/// FNV-1a over the words of all events.
struct EventHash {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func mix(_ word: UInt64) {
        value = (value ^ word) &* 0x100_0000_01B3
        value ^= value >> 29
    }
}
