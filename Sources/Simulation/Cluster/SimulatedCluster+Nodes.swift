import Consensus
import Cryptography
import Ledger
import NodeCore
import Primitives

/// Processes: starting, running a machine, doing what it asks, dying.
extension SimulatedCluster {
    func start(_ node: Int) {
        guard !nodes[node].isUp, !nodes[node].isGone else { return }
        nodes[node].life += 1
        nodes[node].origin = chance.among(0...1_000_000)
        nodes[node].rate = chance.among(985...1_015)
        nodes[node].skew = Int64(chance.among(0...2 * scenario.skewMs)) - Int64(scenario.skewMs)
        if isHealed { comeOnTime(node) }
        if nodes[node].kind == .liar {
            nodes[node].audience = Set((0..<UInt16(cast.keys.count)).filter { _ in chance.happens(75) })
        }
        guard mustJoin(node) ? beginJoin(node) : run(node) else { return }
        for other in nodes.indices where other != node && nodes[other].identity != nodes[node].identity {
            queue.add(.dial(node, other), at: now + chance.among(1...150))
        }
    }

    /// Starts the machine of a process on what its disk holds.
    ///
    /// - Returns: whether it runs.
    func run(_ node: Int) -> Bool {
        let identity = nodes[node].identity
        var rules = nodes[node].isHonest ? configuration.rules : NodeRules()
        if nodes[node].kind == .liar {
            rules.consensus.noticeLostVotes = false
            // Its valid blocks may stand on a parent that later blocks were notarised above.
            rules.consensus.proposeOnHighestNotarized = chance.happens(50)
        }
        rules.journalBytes = scenario.journalBytes
        rules.candidateBlocks = scenario.candidateBlocks
        rules.syncMessageBytes = scenario.syncMessageBytes
        rules.beaconReserve = scenario.beaconReserve
        rules.newestProtocol = max(rules.newestProtocol, nodes[node].newestProtocol)
        let role: NodeRole =
            nodes[node].kind == .follower
            ? .follower
            : .masternode(cast.identity(identity))
        let verifier: any NodeSignatures = scenario.realSignatures ? Ed25519Verifier() : KeyedHash()
        nodes[node].meter = trials.processor == nil ? nil : SignatureMeter(verifier)
        do {
            nodes[node].machine = try NodeMachine(
                genesis: cast.genesis, role: role, store: nodes[node].disk.store, journal: nodes[node].disk.journal,
                journalName: chance.among(1...1 << 60),
                rejoin: nodes[node].hasLostVotes && nodes[node].comesBack ? .rejoins(insists: false) : nil,
                signatures: nodes[node].meter ?? verifier, rules: rules)
        } catch NodeStartError.newerProtocol where nodes[node].newestProtocol < Self.nextProtocol
            && trials.kinds.contains(.upgrade)
        {
            install(node)
            queue.add(.restart(node), at: now + chance.among(50...6_000))
            return false
        } catch {
            if nodes[node].isHonest { fail("\(name(node)) does not start: \(error)") }
            return false
        }
        if let step = nodes[node].machine?.stepOfHead { nodes[node].disk.store.add(step) }
        // Until it has started, a machine does not say in which view it stands.
        let publishedBefore = nodes[node].published
        nodes[node].position = EpochView(epoch: .zero, view: .zero)
        nodes[node].published = nodes[node].machine?.milestone.height ?? .zero
        if nodes[node].isHonest, !nodes[node].hasLostVotes, nodes[node].published < publishedBefore {
            fail("\(name(node)) came back at height \(nodes[node].published) having told of \(publishedBefore)")
        }
        if nodes[node].isHonest { noteStored(node, after: publishedBefore) }
        if let machine = nodes[node].machine, nodes[node].kind == .honest, !nodes[node].hasLostVotes {
            invariants.recovered(identity, machine, journal: nodes[node].disk.journal, places: scenario.candidateBlocks)
        }
        opensShelf(node)
        step(node, .start)
        if let machine = nodes[node].machine, nodes[node].isHonest {
            if machine.milestone.height > .zero { invariants.reached(machine.milestone, by: name(node)) }
            if !nodes[node].hasLostVotes { invariants.restarted(name(node), identity, machine) }
            log("\(name(node)) starts at height \(machine.milestone.height), \(machine.position)")
        }
        return true
    }

    /// Blocks that a node stored, but died before it could tell of: its API shows them from the start.
    private func noteStored(_ node: Int, after publishedBefore: Height) {
        var height = publishedBefore.next
        while height <= nodes[node].published {
            guard let block = try? nodes[node].disk.store.block(at: height)?.block else {
                return fail("\(name(node)) has no block \(height) in its store")
            }
            let published = PublishedBlock(
                height: height, digest: block.header.digest(genesis: cast.genesisHash), time: block.header.time,
                transactionIds: block.transactions.map { $0.id(genesis: cast.genesisHash) })
            invariants.published(
                published, by: name(node), after: Height(height.value - 1), on: nodes[node].disk.store)
            noteFinal(published.transactionIds, at: height)
            height = height.next
        }
    }

    func step(_ node: Int, _ input: NodeInput) {
        guard let machine = nodes[node].machine else { return }
        log("\(name(node)) <- \(Words.of(input))")
        hash.mix(now << 8 ^ UInt64(node) ^ Words.code(of: input) << 48)
        let outputs = machine.handle(input, at: nodes[node].clock(now))
        charge(node, for: input, outputs)
        perform(outputs, node)
    }

    func perform(_ outputs: [NodeOutput], _ node: Int) {
        let life = nodes[node].life
        for output in outputs {
            guard nodes[node].life == life, nodes[node].machine != nil else { return }
            if mayCrashAtOutput(node), chance.happens(perMille: crashPerMille(output)) {
                log("\(name(node)) dies before it does: \(Words.of(output))")
                count(.crashAtOutput)
                return crash(node)
            }
            hash.mix(Words.code(of: output))
            perform(output, node)
        }
        if nodes[node].isHonest, nodes[node].life == life, let machine = nodes[node].machine {
            if machine.position < nodes[node].position {
                fail("\(name(node)) went back from \(nodes[node].position) to \(machine.position)")
            }
            if machine.epoch.epoch > nodes[node].position.epoch { invariants.entered(machine.epoch, by: name(node)) }
            nodes[node].position = machine.position
            if machine.epoch.protocolVersion > nodes[node].newestProtocol {
                fail("\(name(node)) goes on by rules that its program does not know")
            }
            for pool in machine.pools where pool.count > pool.limit {
                fail("\(name(node)) holds \(pool.count) \(pool.name), the limit is \(pool.limit)")
            }
        }
    }

    private func mayCrashAtOutput(_ node: Int) -> Bool {
        scenario.crashes && !isHealed && nodes[node].isHonest && (report.faults[.crashAtOutput] ?? 0) < 40
    }

    private func crashPerMille(_ output: NodeOutput) -> Int {
        switch output {
        case .journal, .commit, .published, .rewriteJournal: 5
        case .send, .broadcast: 1
        default: 0
        }
    }

    private func perform(_ output: NodeOutput, _ node: Int) {
        let life = nodes[node].life
        switch output {
        case .send(let message, let peer):
            check(message, node)
            let said = nodes[node].kind == .liar ? falsified(message, node) : message
            for other in nodes.indices where nodes[other].peer == peer { transmit(said, from: node, to: other) }
        case .broadcast(let message, let audience):
            check(message, node)
            log("\(name(node)) says \(Words.of(message))")
            if nodes[node].kind == .liar { return speakFalsely(message, node) }
            for other in nodes.indices where nodes[other].identity != nodes[node].identity && includes(audience, other) {
                transmit(message, from: node, to: other)
            }
        case .setTimer(let timer, let instant): set(timer, instant, node)
        case .cancelTimer(let timer): nodes[node].timers[timer] = nil
        case .journal(let entries, let token):
            nodes[node].disk.write(.append(entries, token))
            if failsToWrite(node) { return }
            queue.add(.journalSynced(token, node: node, life: life), at: now + lag(node) + chance.among(1...15))
        case .rewriteJournal(let entries):
            count(.journalCut)
            nodes[node].disk.write(.rewrite(entries))
            queue.add(.rewritten(node: node, life: life), at: now + lag(node) + chance.among(1...10))
        case .commit(let commits):
            nodes[node].disk.write(commits)
            if failsToWrite(node) { return }
            guard let last = commits.last else { return }
            let slowest = max(1, configuration.slowestCommitMs ?? scenario.slowestCommitMs)
            queue.add(
                .commitSynced(last.block.block.header.height, node: node, life: life),
                at: now + lag(node) + chance.among(1...slowest))
        case .published(let block):
            guard nodes[node].isHonest else { return }
            log("\(name(node)) publishes \(block.height) \(Words.short(block.digest))")
            invariants.published(block, by: name(node), after: nodes[node].published, on: nodes[node].disk.store)
            if let context = nodes[node].machine?.context(after: block.height) {
                invariants.passed(block.height, context, on: nodes[node].disk.store)
            }
            nodes[node].published = block.height
            backUp(node)
            if !nodes[node].disk.store.isFailing, let machine = nodes[node].machine,
                machine.milestone.height == block.height
            {
                invariants.reached(machine.milestone, by: name(node))
            }
            noteFinal(block.transactionIds, at: block.height)
        case .admit: break
        case .makeBeacon(let generation):
            count(.renewal)
            queue.add(.beacon(generation, node: node, life: life), at: now + chance.among(50...1_500))
        case .note(let note): take(note, node)
        case .halt(let reason):
            if nodes[node].disk.store.isFailing || !nodes[node].isHonest { return crash(node) }
            if isOutdated(node) {
                install(node)
                return crash(node)
            }
            fail("\(name(node)) halts: \(reason)")
        }
    }

    private func includes(_ audience: Audience, _ other: Int) -> Bool {
        switch audience {
        case .masternodes: nodes[other].kind != .follower
        case .followers: nodes[other].kind == .follower
        case .everyone: true
        }
    }

    /// A host stops when its disk fails; the work that failed may have reached the disk or not.
    private func failsToWrite(_ node: Int) -> Bool {
        guard scenario.diskErrors, !isHealed, nodes[node].isHonest, chance.happens(perMille: 3) else { return false }
        count(.diskError)
        log("\(name(node)) stops: its disk failed")
        crash(node)
        return true
    }

    private func set(_ timer: NodeTimer, _ instant: Instant, _ node: Int) {
        // As a host does: of several askers for a call, the earliest counts.
        if timer == .due, let known = nodes[node].timers[.due], known.at <= instant { return }
        timersSet += 1
        nodes[node].timers[timer] = (instant, timersSet)
        let time = max(now, nodes[node].simulatedTime(instant))
        queue.add(.timer(timer, node: node, life: nodes[node].life, number: timersSet), at: time)
    }

    private func check(_ message: NodeMessage, _ node: Int) {
        guard case .consensus(let message) = message, nodes[node].isHonest else { return }
        // In one epoch nobody comes back by a resume.
        if nodes[node].mustAsk, configuration.epochs == 1, invariants.isOwnVote(message, nodes[node].identity) {
            fail("\(name(node)) votes though it lost votes and has asked nobody")
        }
        invariants.sent(message, by: nodes[node].identity, disk: nodes[node].disk)
    }

    private func take(_ note: Note, _ node: Int) {
        if case .enteredView = note {} else { log("\(name(node)) notes \(note)") }
        guard nodes[node].isHonest else { return }
        switch note {
        case .evidence(let evidence):
            if let offender = invariants.evidence(evidence, of: name(node)) {
                accusations.append(Accusation(offender: offender, node: node, life: nodes[node].life))
            }
        case .observing(let reason):
            if !nodes[node].hasLostVotes { fail("\(name(node)) may no longer vote: \(reason)") }
        case .rejectedProposal(let view, let reason):
            if let context = nodes[node].machine?.epoch,
                invariants.isHonest(context.leaders.leader(of: view), in: context.set),
                !invariants.isCopied(context.leaders.leader(of: view), in: context.set)
            {
                fail("\(name(node)) rejects an honest leader's proposal of view \(view): \(reason)")
            }
        case .offence(let peer, _) where Self.isStranger(peer): break
        // What is sent to its key reaches both homes: also what the other one asked for.
        case .offence where nodes[node].kind == .second || trials.copied.contains(node): break
        // Links lose requests and answers: silence is nobody's fault here.
        case .offence(_, .silence): break
        case .offence(.masternode(let key), let what):
            if invariants.isHonest(key), !invariants.isCopied(key) { fail("\(name(node)) says that an honest masternode (\(key)) \(what)") }
        case .offence(.follower, let what): fail("\(name(node)) says that the honest follower \(what)")
        case .enteredView, .enteredEpoch, .upgradeAhead, .catchingUp, .asking, .renewsBeacon: break
        case .takesPart: nodes[node].mustAsk = false
        case .rejoinRefused(let names): log("\(name(node)) may not come back beside \(names)")
        }
    }

    func crash(_ node: Int) {
        guard nodes[node].isUp else { return }
        log("\(name(node)) dies")
        nodes[node].machine = nil
        endJoin(node)
        nodes[node].life += 1
        nodes[node].timers = [:]
        nodes[node].processor.stop()
        nodes[node].pausedUntil = 0
        if let problem = nodes[node].disk.crash(&chance), nodes[node].isHonest { fail("\(name(node)): \(problem)") }
        loseVotes(node)
        breakConnections(node)
        queue.add(.restart(node), at: now + chance.among(50...6_000))
    }

    /// Its process is gone: the others notice.
    func breakConnections(_ node: Int) {
        for (other, connection) in nodes[node].connections.sorted(by: { $0.key < $1.key }) {
            queue.add(.broken(other, node, connection: connection), at: now + chance.among(1...400))
        }
        nodes[node].connections = [:]
    }
}
