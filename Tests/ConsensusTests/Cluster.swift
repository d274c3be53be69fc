import Consensus
import Cryptography
import Encoding
import Primitives

/// Masternodes on virtual time: one seed decides every delay, loss, crash and lie.
struct Cluster {
    enum Event {
        case deliver(ConsensusMessage, from: UInt16, to: Int)
        case connected(from: UInt16, to: Int)
        case timer(TimerId, node: Int, life: Int, number: Int)
        case synced(JournalToken, node: Int, life: Int)
        case stored(Finalization, node: Int, life: Int)
        case build(View, node: Int, life: Int)
        case verdict(Proposal, node: Int, life: Int)
        case transaction(Int, node: Int)
        case crash(Int)
        case leave(Int)
        case restart(Int)
        case fault
        case lie
        case heal
        case end
    }

    let scenario: Scenario
    let cast: Cast
    var chance: Chance
    var now: UInt64 = 0
    var queue = EventQueue<Event>()
    var nodes: [SimulatedNode]
    var blocks = BlockTable()
    var invariants: Invariants
    var report = Report()
    var transactions = 0
    var healed = false
    var timersSet = 0
    /// Of transactions that are not final yet.
    var submittedAt: [Int: UInt64] = [:]
    /// Honest nodes that are down and not to come back by themselves.
    var away: Set<Int> = []

    // The network
    var lossPercent = 0
    var duplicatesPercent = 0
    var fastestMs: UInt64 = 5
    var slowestMs: UInt64 = 300
    /// Ordered pairs of identities between which nothing passes.
    var cut: Set<UInt32> = []
    /// What liars heard, to say it again.
    var overheard: [ConsensusMessage] = []

    init(_ scenario: Scenario) {
        self.scenario = scenario
        cast = Cast(
            scenario.masternodes, minimumDelayMs: scenario.minimumDelayMs, silenceViews: scenario.silenceViews)
        chance = Chance(seed: scenario.seed)
        let liars = Set((0..<UInt16(scenario.byzantine)).map { UInt16(scenario.masternodes) - 1 - $0 })
        nodes = (0..<UInt16(scenario.masternodes)).map { SimulatedNode(identity: $0, isHonest: !liars.contains($0)) }
        nodes += liars.sorted().map { SimulatedNode(identity: $0, isHonest: false) }
        blocks.borderHeight = scenario.borderHeight
        invariants = Invariants(cast: cast, byzantine: liars)
    }

    var honest: [Int] { nodes.indices.filter { nodes[$0].isHonest } }

    /// Faults, then peace, then everything that was submitted must be final.
    mutating func run() -> Report {
        for node in nodes.indices { start(node) }
        queue.add(.fault, at: 500)
        if scenario.byzantine > 0 { queue.add(.lie, at: 700) }
        for node in 0..<scenario.absent { queue.add(.leave(node), at: chance.among(100...2_000)) }
        for index in 0..<UInt64(scenario.submissions) {
            submit(at: index * scenario.faultsUntilMs / UInt64(scenario.submissions) + chance.among(0...3_000))
        }
        queue.add(.heal, at: scenario.faultsUntilMs)
        for _ in 0..<3 { submit(at: scenario.faultsUntilMs + chance.among(0...10_000)) }
        queue.add(.end, at: scenario.faultsUntilMs + UInt64(60 + 20 * scenario.byzantine) * Cast.delta)
        while invariants.violation == nil, let (time, event) = queue.next() {
            now = time
            if case .end = event {
                checkLiveness()
                break
            }
            handle(event)
            if healed, isDone { break }
        }
        report.violation = invariants.violation
        report.accused = invariants.accused
        report.views = highestView
        report.recoveryMs = now - min(now, scenario.faultsUntilMs)
        return report
    }

    /// Everything up to this time, with no faults but those asked for.
    mutating func runUntil(_ time: UInt64) {
        while let next = queue.nextTime, next <= time, let (time, event) = queue.next() {
            now = time
            handle(event)
        }
        now = time
    }

    var highestView: UInt64 { honest.compactMap { nodes[$0].machine?.view.value }.max() ?? 0 }

    var isDone: Bool {
        now >= scenario.faultsUntilMs + 10_000 && honest.allSatisfy { hasEverything(nodes[$0]) }
    }

    /// Every transaction, or every block of the epoch: then the last block has a Finalization of its own, because no
    /// other could deliver it.
    func hasEverything(_ node: SimulatedNode) -> Bool {
        scenario.borderHeight.map { blocks[node.tip]?.height == $0 } ?? (node.final.count == transactions)
    }

    private mutating func checkLiveness() {
        for node in honest where !hasEverything(nodes[node]) {
            invariants.fail(
                "\(nodes[node].identity) has \(nodes[node].final.count) of \(transactions) transactions at the end, "
                    + "at height \(blocks[nodes[node].tip]?.height ?? 0), view \(nodes[node].machine?.view.value ?? 0)")
        }
    }

    mutating func handle(_ event: Event) {
        switch event {
        case .deliver(let message, let sender, let node):
            if !nodes[node].isHonest, overheard.count < 400 { overheard.append(message) }
            step(node, .message(message, from: .masternode(sender)))
        case .connected(let sender, let node): step(node, .peerConnected(.masternode(sender)))
        case .timer(let id, let node, let life, let number):
            guard nodes[node].life == life, nodes[node].timers[id] == number || chance.happens(5) else { return }
            step(node, .timer(id))
        case .synced(let token, let node, let life):
            guard nodes[node].life == life else { return }
            while let first = nodes[node].unsynced.first, first.token <= token {
                nodes[node].journal.append(contentsOf: first.records)
                nodes[node].unsynced.removeFirst()
            }
            step(node, .journalDurable(token))
        case .stored(let finalization, let node, let life):
            guard nodes[node].life == life, finalization.view > nodes[node].floor.block.view else { return }
            nodes[node].floor = .finalized(finalization)
            // The store is synced first; a crash may come before the journal is cut.
            if chance.happens(70), let machine = nodes[node].machine { nodes[node].journal = machine.journalToKeep }
        case .build(let view, let node, let life): build(view, by: node, life)
        case .verdict(let proposal, let node, let life):
            guard nodes[node].life == life else { return }
            let verdict = blocks.isValid(proposal) ? Verdict.valid : .invalid
            step(node, .verified(view: proposal.view, digest: proposal.digest, verdict))
        case .transaction(let number, let node):
            nodes[node].known.insert(number)
            tellWork(node)
            if let asked = nodes[node].asked {
                queue.add(.build(asked.view, node: node, life: nodes[node].life), at: now + chance.among(1...40))
            }
        case .crash(let node): if !healed { crash(node) }
        case .leave(let node): leave(node)
        case .restart(let node): start(node)
        case .fault: injectFault()
        case .lie: lie()
        case .heal: heal()
        case .end: break
        }
    }

    mutating func submit(at time: UInt64) {
        transactions += 1
        submittedAt[transactions] = time
        for node in nodes.indices {
            queue.add(.transaction(transactions, node: node), at: time + chance.among(1...400))
        }
    }

    // MARK: A node

    mutating func start(_ node: Int) {
        guard nodes[node].machine == nil, !away.contains(node) else { return }
        let identity = nodes[node].identity
        nodes[node].clockOrigin = chance.among(0...1_000_000)
        nodes[node].clockRate = chance.among(980...1_020)
        nodes[node].audience = Set((0..<UInt16(cast.count)).filter { _ in chance.happens(70) })
        var rules = scenario.rules
        if !nodes[node].isHonest { rules.noticeLostVotes = false }
        do {
            nodes[node].machine = try Simplex(
                configuration: cast.configuration, role: .masternode(identity, cast.signer(identity)),
                floor: nodes[node].floor, journal: nodes[node].journal, verifier: KeyedHash(), rules: rules)
        } catch { return invariants.fail("\(identity) does not start: \(error)") }
        if nodes[node].isHonest, let view = nodes[node].machine?.view { invariants.restarted(identity, at: view) }
        for block in blocks.path(from: Cast.root, to: nodes[node].tip) ?? [] {
            nodes[node].final.formUnion(block.transactions)
        }
        step(node, .start)
        tellWork(node)
        for other in nodes.indices where nodes[other].identity != identity {
            queue.add(.connected(from: identity, to: other), at: now + chance.among(1...200))
            queue.add(.connected(from: nodes[other].identity, to: node), at: now + chance.among(1...200))
        }
    }

    mutating func step(_ node: Int, _ input: Input) {
        guard nodes[node].machine != nil else { return }
        let before = nodes[node].machine?.view ?? .zero
        let clock = nodes[node].localTime(now)
        let effects = nodes[node].machine?.step(input, now: clock) ?? []
        if let after = nodes[node].machine?.view, after < before, nodes[node].isHonest {
            invariants.fail("\(nodes[node].identity) went back from view \(before) to \(after)")
        }
        report.fingerprint =
            (report.fingerprint ^ UInt64(effects.count) ^ now << 8 ^ UInt64(node) << 56) &* 0x100_0000_01B3
        for effect in effects where nodes[node].machine != nil { perform(effect, node) }
    }

    private mutating func perform(_ effect: Effect, _ node: Int) {
        let life = nodes[node].life
        switch effect {
        case .journal(let records, let token):
            nodes[node].unsynced.append((token, records))
            queue.add(.synced(token, node: node, life: life), at: now + chance.among(1...20))
            // A crash at any effect: at this one, or shortly after, before or after the records are durable.
            if !healed, scenario.crashes, nodes[node].isHonest, chance.happens(2) {
                if chance.happens(20) { crash(node) } else { queue.add(.crash(node), at: now + chance.among(0...20)) }
            }
        case .send(let message, .masternode(let identity)): send(message, from: node, to: identity)
        case .send(_, .follower): break
        case .broadcast(let message):
            for identity in 0..<UInt16(cast.count) where identity != nodes[node].identity {
                send(message, from: node, to: identity)
            }
        case .setTimer(let id, let instant):
            timersSet += 1
            nodes[node].timers[id] = timersSet
            var time = max(now, nodes[node].simulatedTime(instant))
            if chance.happens(5) { time = max(now, time - min(time, 2)) }
            queue.add(.timer(id, node: node, life: life, number: timersSet), at: time)
        case .cancelTimer(let id): nodes[node].timers[id] = nil
        case .propose(let request):
            if !nodes[node].isHonest, chance.happens(40) {
                return proposeFalsely(request.view, by: nodes[node].identity)
            }
            nodes[node].asked = request
            let due = nodes[node].hasWork ? now : max(now, nodes[node].simulatedTime(request.heartbeatAt))
            queue.add(.build(request.view, node: node, life: life), at: due + chance.among(1...40))
        case .verify(let proposal, let certificate):
            if nodes[node].isHonest,
                !certificate.proves(
                    epoch: cast.configuration.epoch, view: proposal.parentView, digest: proposal.parentDigest),
                scenario.rules.justifyParent
            {
                invariants.fail("the certificate does not prove the parent of view \(proposal.view)")
            }
            if healed || !chance.happens(lossPercent) {
                queue.add(
                    .verdict(proposal, node: node, life: life), at: now + chance.among(1...(healed ? 60 : slowestMs)))
            }
        case .notarized, .epochAhead, .misbehaviour: break
        case .enteredView(let view, _):
            nodes[node].asked = nil
            log("enters", node, view)
        case .finalized(let finalization): finalize(finalization, node)
        case .evidence(let evidence):
            if nodes[node].isHonest { invariants.evidence(evidence, of: nodes[node].identity) }
        case .takesPart, .rejoinRefused: break
        case .observing(let reason):
            if nodes[node].isHonest { invariants.fail("\(nodes[node].identity) may no longer vote: \(reason)") }
        }
    }

    private mutating func finalize(_ finalization: Finalization, _ node: Int) {
        let (tip, identity) = (nodes[node].tip, nodes[node].identity)
        log("finalises", node, finalization.view)
        if nodes[node].isHonest {
            report.finalized += 1
            invariants.delivered(finalization, after: tip, by: identity, blocks: blocks)
        }
        for block in blocks.path(from: tip, to: finalization.subject.digest) ?? [] {
            nodes[node].final.formUnion(block.transactions)
            guard nodes[node].isHonest else { continue }
            report.lastFinalOfLeader[cast.leader(block.view.value)] = now
            for transaction in block.transactions {
                guard let submitted = submittedAt.removeValue(forKey: transaction) else { continue }
                report.finalityMs.append((submitted, now - min(now, submitted)))
            }
        }
        nodes[node].tip = finalization.subject.digest
        queue.add(.stored(finalization, node: node, life: nodes[node].life), at: now + chance.among(1...60))
        tellWork(node)
    }

    private mutating func tellWork(_ node: Int) {
        guard nodes[node].machine != nil, nodes[node].hasWork != nodes[node].toldWork else { return }
        nodes[node].toldWork = nodes[node].hasWork
        step(node, .workPending(nodes[node].hasWork))
    }

    private mutating func build(_ view: View, by node: Int, _ life: Int) {
        guard nodes[node].life == life, let request = nodes[node].asked, request.view == view else { return }
        nodes[node].asked = nil
        if let parent = blocks[request.parent.digest], blocks.isBorder(parent) {
            return step(node, .proposed(view: view, digest: parent.digest))
        }
        let ancestors = blocks.path(from: nodes[node].tip, to: request.parent.digest) ?? []
        let waiting = nodes[node].known.subtracting(nodes[node].final).subtracting(ancestors.flatMap(\.transactions))
        let digest = blocks.make(on: request.parent.digest, view: view, transactions: waiting.sorted())
        step(node, .proposed(view: view, digest: digest))
    }

    mutating func crash(_ node: Int) {
        guard nodes[node].machine != nil else { return }
        log("crashes", node)
        report.crashes += 1
        nodes[node].crash(chance: &chance)
        queue.add(.restart(node), at: min(now + chance.among(100...8_000), max(now, scenario.faultsUntilMs)))
    }

    /// Death, until ``comeBack(_:)``.
    mutating func leave(_ node: Int) {
        guard !healed, away.insert(node).inserted else { return }
        log("leaves", node)
        if nodes[node].machine != nil { nodes[node].crash(chance: &chance) }
    }

    mutating func comeBack(_ node: Int) {
        away.remove(node)
        start(node)
    }

    // MARK: The network

    private mutating func send(_ message: ConsensusMessage, from node: Int, to identity: UInt16) {
        let sender = nodes[node].identity
        if nodes[node].isHonest {
            invariants.sent(message, by: sender, blocks: blocks)
        } else if !nodes[node].audience.contains(identity) || (healed && scenario.liarsFallSilent) {
            return
        }
        transmit(message, from: sender, to: identity)
    }

    mutating func transmit(_ message: ConsensusMessage, from sender: UInt16, to identity: UInt16) {
        report.messages += 1
        guard !cut.contains(UInt32(sender) << 16 | UInt32(identity)) else { return }
        for node in nodes.indices where nodes[node].identity == identity {
            guard nodes[node].isHonest || nodes[node].audience.contains(sender) else { continue }
            if chance.happens(lossPercent) { continue }
            queue.add(.deliver(message, from: sender, to: node), at: now + chance.among(fastestMs...slowestMs))
            if chance.happens(duplicatesPercent) {
                let late = chance.among(fastestMs...(4 * slowestMs))
                queue.add(.deliver(message, from: sender, to: node), at: now + late)
            }
        }
    }

    /// Kept out of the way of the seeds that pass: switched on to read a failing one.
    static let isLogging = false
    private mutating func log(_ what: StaticString, _ node: Int, _ view: View = .zero) {
        if Self.isLogging { report.log.append("\(now) node \(node) \(what) \(view)") }
    }
}
