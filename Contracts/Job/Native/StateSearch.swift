/// An explicit search through the states of the job's own code: every order of what participants, committee and owner
/// may do or omit, and of time passing.
///
/// Time only ever moves to the next waiting call, so that two states which differ in nothing but the date are one. From
/// each state that it meets the search checks
/// - **no hang**: with nobody doing anything, time alone leads to a next round or to the end;
/// - **money**: what the contract holds is escrow, owed, bonds and what is burned; when a job is over everybody takes
///   what it has earned, once, the owner the rest, and nothing is left but what is burned;
/// - **credit**: at most one favourable finding for each participant and round, and one for everybody whose work was
///   accepted;
/// - **no false blame**: nobody is at fault who committed, revealed and opened what it was asked to open.
public struct StateSearch {
    public struct Tricks: Sendable {
        /// The lead may leave a worker out, and be silent.
        public var lyingCloud = false
        /// Worker 0 may reveal another model than it made with the others.
        public var lyingWorker = false
        public var leaving = false
        public var complaints = false
        public var late = false
        /// The owner pauses, resumes, aborts, releases, and lets the escrow run dry.
        public var owner = false
        /// Members of the committee may name another model, or worker 0 an outlier.
        public var lyingCommittee = false
        /// A second cloud, and one who stands by for a committee of one.
        public var standby = false

        public init() {}
        public static var all: Tricks {
            var tricks = Tricks()
            tricks.lyingCloud = true
            tricks.lyingWorker = true
            tricks.leaving = true
            tricks.complaints = true
            tricks.late = true
            tricks.owner = true
            tricks.lyingCommittee = true
            tricks.standby = true
            return tricks
        }
    }

    public struct Report: Sendable, CustomStringConvertible {
        public var states = 0
        public var transitions = 0
        public var roundsClosed = 0
        public var ends = 0
        public var isComplete = true
        public var violations: [String] = []

        public var description: String {
            "\(states) states, \(transitions) transitions, \(roundsClosed) rounds closed, \(ends) ends"
                + (isComplete ? "" : " (stopped at the bound)")
                + (violations.isEmpty ? "" : "; VIOLATIONS: \(violations.prefix(3).joined(separator: " | "))")
        }
    }

    /// A fault that is put into the chain under the job, to see that the search notices.
    public enum Fault: Sendable {
        case none
        /// Scheduled calls get lost.
        case losesCalls
        /// A payment takes twice the amount from the contract.
        case paysTwice
    }

    let workers: Int
    let committee: Int
    let fault: Fault
    let tricks: Tricks
    let spec: JobSpec
    let limit: Int

    public init(
        workers: Int, committee: Int, rounds: UInt32 = 2, protocol trainingProtocol: JobSpec.TrainingProtocol = .split,
        mode: JobSpec.Mode = .synchronous, tricks: Tricks, limit: Int, fault: Fault = .none
    ) {
        self.fault = fault
        self.workers = workers
        self.committee = committee
        self.tricks = tricks
        self.limit = limit
        spec = JobSpec(
            title: "search", trainingProtocol: trainingProtocol, mode: mode,
            bufferedUpdates: mode == .asynchronous ? 1 : 0, clouds: tricks.standby ? 2 : 1,
            workers: UInt16(workers), quorum: 1, rounds: rounds, stepsPerRound: 1, openTimeoutMs: 10_000,
            confirmTimeoutMs: 10_000, commitMinMs: 10_000, commitMaxMs: 10_000, revealTimeoutMs: 10_000,
            validateTimeoutMs: 10_000, challengeTimeoutMs: 10_000, pauseLimitMs: 10_000, epsilonMicro: 0,
            committee: committee == 1
                ? .validator(standingBy: tricks.standby ? [Self.account(0xB1)] : []) : .masternodes(UInt8(committee)), bond: 8, cloudPrice: 5,
            workerPrice: 3, validatorPrice: 2, plan: [])
    }

    // MARK: Who takes part

    static func account(_ byte: UInt8) -> Account { Account([UInt8](repeating: byte, count: 32)) ?? .zero }
    static func digest(_ text: String) -> Digest { Digest(sha256: Array(text.utf8)) }
    static let owner = account(0x0E)
    static let contract = account(0xC0)
    /// Clouds have the first slots.
    var clouds: [Account] { (0..<(tricks.standby ? 2 : 1)).map { Self.account(0xA0 + UInt8($0)) } }
    var edges: [Account] { (0..<workers).map { Self.account(0xE0 + UInt8($0)) } }
    var people: [Account] { clouds + edges }
    /// The committee, or the one validator and who stands by for it.
    var judges: [Account] {
        (0..<(committee == 1 && tricks.standby ? 2 : committee)).map { Self.account(0xB0 + UInt8($0)) }
    }

    /// A state of the job with what the search remembers of how it came about.
    struct World {
        var chain: JobChain
        var state: JobState
        /// What each slot, in the running round, was seen to do.
        var committed: UInt64 = 0
        var revealed: UInt64 = 0
        /// Slots that owe an opening.
        var accused: UInt64 = 0
        /// Slots with a favourable finding in the running round.
        var credited: UInt64 = 0
        /// Which lie each slot's work holds, and each seat's score: 0 none.
        var lies: [UInt8]
        var bids: [UInt8]
        var funded: UInt128
        var restFunds = 1
    }

    // MARK: Search

    public func run() -> Report {
        var report = Report()
        var seen: Set<Fingerprint> = []
        var open: [World] = []
        /// For each state by number: the number of the state that time leads to, and whether that step is progress.
        var numbers: [Fingerprint: Int] = [:]
        var successors: [Int] = []
        var progress: [Bool] = []
        guard let start = beginning(&report) else { return report }

        func enter(_ world: World) -> Int {
            let print = fingerprint(world)
            if let number = numbers[print] { return number }
            numbers[print] = successors.count
            successors.append(-1)
            progress.append(false)
            if seen.insert(print).inserted { open.append(world) }
            return successors.count - 1
        }
        _ = enter(start)
        var next = 0
        while next < open.count {
            let world = open[next]
            // The queue is walked, not kept: a world holds its storage.
            open[next] = start
            if report.violations.count > 10 {
                report.isComplete = false
                break
            }
            if successors.count >= limit {
                report.isComplete = false
                break
            }
            let number = next
            next += 1
            if world.state.phase.isOver {
                report.ends += 1
                settleAll(world, &report)
            }
            for action in actions(world) {
                guard let after = perform(action, in: world, &report) else { continue }
                report.transitions += 1
                _ = enter(after)
            }
            if let later = passTime(world, &report) {
                report.transitions += 1
                successors[number] = enter(later)
                progress[number] = later.state.phase.isOver || later.state.round > world.state.round
            } else if !world.state.phase.isOver {
                report.violations.append("nothing is waited for in \(world.state.phase) of round \(world.state.round)")
            }
            if world.state.phase.isOver { progress[number] = true }
        }
        report.states = successors.count
        if report.isComplete { checkProgress(successors, progress, &report) }
        return report
    }

    /// Time alone ends every round: each chain of successors comes to a step that is progress.
    private func checkProgress(_ successors: [Int], _ progress: [Bool], _ report: inout Report) {
        // 0 unknown, 1 on the way, 2 good
        var marks = [UInt8](repeating: 0, count: successors.count)
        for first in successors.indices where marks[first] == 0 {
            var path: [Int] = []
            var state = first
            while true {
                if progress[state] || marks[state] == 2 { break }
                if marks[state] == 1 || successors[state] < 0 {
                    if report.violations.count < 10 { report.violations.append("time alone leads nowhere") }
                    break
                }
                marks[state] = 1
                path.append(state)
                state = successors[state]
            }
            marks[state] = 2
            for state in path { marks[state] = 2 }
        }
    }

    struct Fingerprint: Hashable {
        let high: UInt64
        let low: UInt64
    }

    /// All of a state but its date and what is history.
    private func fingerprint(_ world: World) -> Fingerprint {
        var state = world.state
        let now = world.chain.now
        state.since = now &- state.since < 10_000 ? now &- state.since : 10_000
        if state.deadline > 0 { state.deadline = state.deadline > now ? state.deadline - now : 1 }
        state.wakes = state.wakes.counted(from: now)
        state.arrivals = Arrivals()
        var encoder = BorshEncoder(reserving: 2_048)
        encoder.value(state)
        for time in world.chain.queue { encoder.integer(time &- now) }
        encoder.integer(world.committed)
        encoder.integer(world.revealed)
        encoder.integer(world.accused)
        encoder.integer(world.credited)
        encoder.variable(world.lies)
        encoder.variable(world.bids)
        encoder.integer(UInt8(world.restFunds))
        for key in world.chain.storage.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            // What a round that is over left behind decides nothing any more.
            if key.starts(with: Array("history/".utf8)) || isStale(key, world) { continue }
            encoder.variable(key)
            encoder.variable(world.chain.storage[key] ?? [])
        }
        let words = Digest(sha256: encoder.bytes).bytes
        let (high, low) = (words.prefix(8), words[8..<16])
        return Fingerprint(
            high: high.reduce(0) { $0 << 8 | UInt64($1) }, low: low.reduce(0) { $0 << 8 | UInt64($1) })
    }

    private func isStale(_ key: [UInt8], _ world: World) -> Bool {
        func names(_ family: String) -> UInt8? { key.starts(with: Array(family.utf8)) ? key.last : nil }
        if let slot = names("work/") { return !(world.state.committed | world.state.late).contains(slot) }
        if let slot = names("complaint/") { return !world.state.complained.contains(slot) }
        if let seat = names("bid/") { return !world.state.bids.contains(seat) }
        if let seat = names("score/") { return !world.state.scores.contains(seat) }
        if key == Array("committee".utf8) {
            switch world.state.phase {
            case .validate, .score, .challenge: return false
            default: return true
            }
        }
        return false
    }

    // MARK: Steps

    private func machine(_ world: World) -> RoundMachine {
        RoundMachine(chain: world.chain, spec: spec, state: world.state)
    }

    /// The roster is complete; the first round is about to begin.
    private func beginning(_ report: inout Report) -> World? {
        var chain = JobChain(
            now: 1_000_000, contract: Self.contract, owner: Self.owner, validator: judges.first)
        chain.drawable = committee == 1 ? [] : judges
        chain.fault = fault
        do throws(Refusal) {
            let machine = try RoundMachine.initialize(chain, spec)
            var world = World(
                chain: machine.chain, state: machine.state, lies: [UInt8](repeating: 0, count: people.count),
                bids: [UInt8](repeating: 0, count: judges.count), funded: 0)
            world = settle(world, &report)
            for (index, person) in people.enumerated() {
                let role: Role = index < clouds.count ? .cloud : spec.workerRole
                let kem = KEMPublicKey([UInt8](repeating: UInt8(index + 1), count: 32)) ?? .zero
                for act in [
                    (5, JobApplication(role: role, samples: 1).borsh, spec.bond),
                    (2, JobIdentity(kemPublicKey: kem, endpoint: "h:1").borsh, 0),
                ] as [(UInt32, [UInt8], UInt128)] {
                    world = try apply(act.0, by: person, act.1, value: act.2, to: world)
                }
            }
            // One round is paid for at first.
            let money = spec.roundPrice * (tricks.owner ? 1 : UInt128(spec.rounds))
            world = try apply(8, by: Self.owner, [], value: money, to: world)
            if !tricks.owner { world.restFunds = 0 }
            for person in people { world = try apply(4, by: person, [], to: world) }
            return settle(world, &report)
        } catch {
            report.violations.append("the job does not begin: \(error)")
            return nil
        }
    }

    private func apply(
        _ action: UInt32, by caller: Account, _ data: [UInt8], post: String = "", value: UInt128 = 0, to world: World
    ) throws(Refusal) -> World {
        var after = world
        after.chain.balance += value
        after.funded += value
        let machine = machine(after)
        try machine.perform(
            JobAct(
                caller: caller, actionId: action, post: Array(post.utf8), data: data, value: value,
                balance: after.chain.balance))
        after.chain = machine.chain
        after.state = machine.state
        return after
    }

    /// Runs the calls that are due, and checks what they did.
    private func settle(_ world: World, _ report: inout Report) -> World {
        var world = world
        var budget = 100
        while let due = world.chain.queue.first, due <= world.chain.now, budget > 0 {
            budget -= 1
            world.chain.queue.removeFirst()
            let machine = machine(world)
            machine.run()
            world = judge(before: world, machine, &report)
        }
        if budget == 0 { report.violations.append("scheduled calls without end") }
        return world
    }

    private func passTime(_ world: World, _ report: inout Report) -> World? {
        guard let due = world.chain.queue.first, !world.state.phase.isOver else { return nil }
        var later = world
        later.chain.now = max(due, later.chain.now)
        return settle(later, &report)
    }

    private func slot(_ account: Account) -> UInt8? {
        people.firstIndex(of: account).map { UInt8($0) }
    }

    private func judge(before: World, _ machine: RoundMachine, _ report: inout Report) -> World {
        var after = before
        after.chain = machine.chain
        after.state = machine.state
        for verdict in machine.chain.verdicts {
            guard let slot = slot(verdict.account) else { continue }
            let bit: UInt64 = 1 << UInt64(slot)
            let did = before.committed & before.revealed & bit != 0 && before.accused & bit == 0
            switch verdict.finding {
            case .accepted, .auditedMatch, .lateButUsed:
                if after.credited & bit != 0 { report.violations.append("slot \(slot) is credited twice in a round") }
                after.credited |= bit
                if !did { report.violations.append("slot \(slot) is credited for what it did not do") }
                if before.lies[Int(slot)] != 0, slot >= clouds.count {
                    report.violations.append("slot \(slot) is credited for a lie")
                }
            case .absent, .committedNotRevealed:
                if did { report.violations.append("slot \(slot) did what it owed and is blamed: \(verdict.finding)") }
            case .outlier:
                if before.bids.allSatisfy({ $0 != 2 }) { report.violations.append("an outlier that nobody named") }
            }
        }
        for round in machine.chain.closed {
            report.roundsClosed += 1
            if round.outcome == .accepted, round.credited == 0, round.paid > 0, round.paid > spec.roundPrice {
                report.violations.append("round \(round.round) costs more than its price")
            }
            if round.paid > spec.roundPrice { report.violations.append("round \(round.round) costs more than its price") }
            after.committed = 0
            after.revealed = 0
            after.accused = 0
            after.credited = 0
            for index in after.lies.indices where !after.state.committed.contains(UInt8(index)) { after.lies[index] = 0 }
            for slot in after.state.committed { after.committed |= 1 << UInt64(slot) }
            after.bids = [UInt8](repeating: 0, count: judges.count)
        }
        // A round that begins anew after a pause has forgotten its complaints.
        if after.state.complained.isEmpty { after.accused = 0 }
        after.chain.verdicts = []
        after.chain.closed = []
        check(after, &report)
        return after
    }

    /// Everybody takes what is due, then the owner the rest.
    private func settleAll(_ world: World, _ report: inout Report) {
        var world = world
        for person in people + judges {
            guard let paid = try? apply(9, by: person, [], to: world) else { continue }
            world = paid
            if (try? apply(9, by: person, [], to: world)) != nil { report.violations.append("somebody is paid twice") }
        }
        if let settled = try? apply(8, by: Self.owner, [], to: world) { world = settled }
        if world.chain.balance != world.state.burned || world.chain.paidOut + world.chain.balance != world.funded {
            report.violations.append("of \(world.funded) paid in \(world.chain.balance) are left")
        }
    }

    private func check(_ world: World, _ report: inout Report) {
        let state = world.state
        let held = state.escrow + state.owed + state.bonds + state.burned
        if held != world.chain.balance {
            report.violations.append("the books say \(held), the contract holds \(world.chain.balance)")
        }
        if world.funded != world.chain.balance + world.chain.paidOut {
            report.violations.append("money was made or lost")
        }
    }

    // MARK: Actions

    struct Action {
        let id: UInt32
        let caller: Account
        var post = ""
        var data: [UInt8] = []
        var value: UInt128 = 0
        /// The lie that the work or score holds.
        var lie: UInt8 = 0
    }

    private func perform(_ action: Action, in world: World, _ report: inout Report) -> World? {
        var after: World
        do throws(Refusal) {
            after = try apply(
                action.id, by: action.caller, action.data, post: action.post, value: action.value, to: world)
        } catch { return nil }
        let slot = slot(action.caller)
        if action.id == 6, let letter = action.post.last {
            let bit: UInt64 = slot.map { 1 << UInt64($0) } ?? 0
            switch letter {
            case "c":
                if let slot {
                    after.lies[Int(slot)] = action.lie
                    if after.state.committed.contains(slot) { after.committed |= bit }
                }
            case "r": after.revealed |= bit
            case "f": after.accused |= 1 << UInt64(after.state.lead)
            case "o": after.accused &= ~bit
            case "e", "v":
                if let seat = judges.firstIndex(of: action.caller) { after.bids[seat] = action.lie }
            default: break
            }
        }
        if action.id == 8, action.value > 0 { after.restFunds -= 1 }
        check(after, &report)
        return settle(after, &report)
    }

    private func work(_ slot: UInt8, _ base: UInt32, lie: UInt8, lead: UInt8, _ world: World) -> JobReveal {
        let isCloud = Int(slot) < clouds.count
        let salt = Self.digest("salt \(slot)")
        guard isCloud else {
            let artifact = spec.trainingProtocol == .fog ? "difference \(slot)" : lie == 1 ? "false front" : "front"
            return JobReveal(
                stepsRoot: Self.digest("steps \(slot) \(base)"), artifact: Self.digest(artifact), lossMicro: 1,
                location: "", salt: salt)
        }
        // It names whom it heard: the places of workers are their order here.
        var partners: [JobPartner] = []
        for index in 0..<workers where !(lie == 1 && index == 0) {
            let partner = UInt8(clouds.count + index)
            guard world.chain.get(Keys.slot(of: edges[index])) != nil,
                (world.state.active | world.state.committed).contains(partner)
            else { continue }
            let participant = world.chain.get(Keys.participant(partner))
            let base = world.chain.get(Keys.work(partner)).map {
                world.state.committed.contains(partner) ? $0.base : base
            } ?? base
            partners.append(
                JobPartner(
                    index: participant?.place ?? UInt16(index), envelopes: 1,
                    root: Self.digest("steps \(partner) \(base)"), use: .used))
        }
        partners.sort { $0.index < $1.index }
        return JobReveal(
            stepsRoot: Self.digest("steps \(slot)"), artifact: Self.digest("back"), partners: partners, lossMicro: 1,
            location: "", salt: salt)
    }

    private func score(_ lie: UInt8) -> JobValidation {
        let honest =
            spec.trainingProtocol == .fog
            ? Self.digest("back") : jobCheckpoint(front: Self.digest("front"), back: Self.digest("back"))
        return JobValidation(
            metricMicro: 500_000, lossMicro: 1, checkpoint: lie == 1 ? Self.digest("another") : honest,
            outliers: JobSlots(bits: lie == 2 ? 1 << UInt64(clouds.count) : 0))
    }

    private func actions(_ world: World) -> [Action] {
        let state = world.state
        guard !state.phase.isOver else { return [] }
        let round = state.round
        var actions: [Action] = []
        for (index, person) in people.enumerated() {
            let slot = UInt8(index)
            let isCloud = index < clouds.count
            if state.suspended.contains(slot) { actions.append(Action(id: 4, caller: person)) }
            let mayCommit = !(state.committed | state.late).contains(slot) && state.active.contains(slot)
            var commits = mayCommit && state.phase == .commit
            if tricks.late, mayCommit, !isCloud, slot == UInt8(people.count - 1) {
                switch state.phase {
                case .reveal, .validate, .score, .challenge: commits = true
                default: break
                }
            }
            if commits, !isCloud || slot == state.lead {
                let canLie = isCloud ? tricks.lyingCloud : tricks.lyingWorker && index == clouds.count
                for lie: UInt8 in canLie ? [0, 1] : [0] {
                    let reveal = work(slot, round, lie: lie, lead: state.lead, world)
                    actions.append(
                        Action(
                            id: 6, caller: person, post: "r\(round)/c",
                            data: reveal.commitment(job: Self.contract, round: round, sender: person).borsh, lie: lie))
                }
            }
            if state.phase == .reveal, state.committed.contains(slot), !state.revealed.contains(slot) {
                let base = world.chain.get(Keys.work(slot))?.base ?? round
                // What was committed to is one of these; the others are refused.
                for lie: UInt8 in [0, 1] where lie == world.lies[index] {
                    let reveal = work(slot, base, lie: lie, lead: state.lead, world)
                    actions.append(Action(id: 6, caller: person, post: "r\(base)/r", data: reveal.borsh))
                }
            }
            if tricks.leaving, index == clouds.count, world.chain.get(Keys.slot(of: person)) != nil {
                actions.append(Action(id: 7, caller: person))
            }
        }
        if tricks.complaints, state.phase == .commit || state.phase == .reveal, state.lead < 64 {
            actions += complaint(world)
        }
        if state.unopened > 0, state.lead < 64, Int(state.lead) < clouds.count { actions.append(opening(world)) }
        actions += judgements(world)
        if tricks.owner { actions += ownersActions(world) }
        return actions
    }

    private func judgements(_ world: World) -> [Action] {
        let state = world.state
        var actions: [Action] = []
        let lies: [UInt8] = tricks.lyingCommittee ? [0, 1, 2] : [0]
        for (seat, judge) in judges.enumerated() {
            let place = UInt8(seat)
            switch state.phase {
            case .validate where committee == 1:
                for lie in lies {
                    actions.append(
                        Action(id: 6, caller: judge, post: "r\(state.round)/v", data: score(lie).borsh, lie: lie))
                }
            case .validate where !state.bids.contains(place):
                // One of three may lie: two are the majority.
                for lie in seat == 0 ? lies : [0] {
                    let commitment = score(lie).commitment(job: Self.contract, round: state.round, sender: judge)
                    actions.append(
                        Action(id: 6, caller: judge, post: "r\(state.round)/e", data: commitment.borsh, lie: lie))
                }
            case .score where state.bids.contains(place) && !state.scores.contains(place):
                let lie = world.bids[seat]
                actions.append(
                    Action(id: 6, caller: judge, post: "r\(state.round)/v", data: score(lie).borsh, lie: lie))
            default: break
            }
        }
        return actions
    }

    private func ownersActions(_ world: World) -> [Action] {
        var actions = [Action(id: 258, caller: Self.owner)]
        actions.append(Action(id: world.state.phase == .paused ? 257 : 256, caller: Self.owner))
        if world.restFunds > 0 { actions.append(Action(id: 8, caller: Self.owner, value: spec.roundPrice)) }
        return actions
    }

    /// Worker 0 says that it can't open what the lead sent.
    private func complaint(_ world: World) -> [Action] {
        guard let edge = edges.first, let lead = people.indices.contains(Int(world.state.lead)) ? people[Int(world.state.lead)] : nil,
            let slot = slot(edge), let participant = world.chain.get(Keys.participant(slot))
        else { return [] }
        var context = BorshEncoder()
        context.value(Digest.zero)
        context.value(Self.contract)
        context.integer(world.state.round)
        context.integer(UInt32(0))
        context.value(lead)
        context.value(participant.kemPublicKey)
        let digest = jobDigest("edgeproof/envelope/1") { $0.fixed(context.bytes) }
        let complaint = JobComplaint(
            sender: lead, step: 0, envelope: envelope(digest), context: context.bytes, sealed: .zero,
            signatureStart: jobDigest(of: lead), signatureEnd: .zero)
        return [Action(id: 6, caller: edge, post: "r\(world.state.round)/f", data: complaint.borsh)]
    }

    private func envelope(_ context: Digest) -> Digest {
        Digest(sha256: context.bytes + Self.digest("payload").bytes + Self.digest("salt").bytes)
    }

    private func opening(_ world: World) -> Action {
        let opening = JobOpening(
            complainer: edges.first ?? .zero, payload: Self.digest("payload"), salt: Self.digest("salt"))
        return Action(
            id: 6, caller: people[Int(world.state.lead)], post: "r\(world.state.round)/o", data: opening.borsh)
    }
}
