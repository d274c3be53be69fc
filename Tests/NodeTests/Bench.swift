import Consensus
import Cryptography
import NodeCore
import Primitives
import Simulation
import Storage

/// One machine whose disk and clock the test holds in its hand.
final class Bench {
    let cast: Cast
    let store: SimulatedStore
    let machine: NodeMachine
    var journal: [JournalEntry]
    var now: UInt64 = 1_000
    /// Messages for others, in order.
    var sent: [(message: NodeMessage, to: NodePeer?)] = []
    var notes: [Note] = []
    var published: [Height] = []
    var rewritten: [JournalEntry]?
    var halts: [String] = []
    /// While set, batches wait in `commits` instead of being stored.
    var storesLater = false
    var commits: [[Commit]] = []
    /// Hash chains that the machine asked for.
    var beaconsAsked: [UInt32] = []
    /// What consensus waits for; the tests that let it wait say so by ``wait()``.
    private var due: [TimerId: UInt64] = [:]

    init(
        _ cast: Cast, masternode: UInt16? = nil, store: SimulatedStore = SimulatedStore(), journal: [JournalEntry] = Bench.home,
        rejoin: VotingStart? = nil, rules: NodeRules = NodeRules(), spacingMs: UInt64 = 0
    ) throws {
        self.cast = cast
        // The tests' clock stands still while they submit.
        var rules = rules
        rules.blockSpacingMs = spacingMs
        self.store = store
        self.journal = journal
        let role: NodeRole =
            masternode.map { .masternode(cast.identity($0)) } ?? .follower
        machine = try NodeMachine(
            genesis: cast.genesis, role: role, store: store, journal: journal, journalName: 77, rejoin: rejoin,
            signatures: KeyedHash(), rules: rules)
        handle(.start)
    }

    /// The journal of a home that has been let vote and has not voted.
    static let home: [JournalEntry] = [.opened(7), .reached(.none)]

    var clock: NodeClock {
        NodeClock(monotonic: Instant(milliseconds: now), wall: Cast.genesisTime.advanced(by: now))
    }

    func handle(_ input: NodeInput) {
        perform(machine.handle(input, at: clock))
    }

    func receive(_ message: NodeMessage, from peer: NodePeer) { handle(.message(message, from: peer)) }

    @discardableResult
    func submit(_ transaction: SignedTransaction) -> NodeMachine.Submission {
        let (submission, outputs) = machine.submit(transaction, at: clock)
        perform(outputs)
        return submission
    }

    func tick() {
        now += 1_000
        handle(.timer(.tick))
    }

    /// A tick, and the timers of consensus that have run out by then.
    func wait() {
        tick()
        for id in TimerId.allCases {
            guard let at = due[id], at <= now else { continue }
            due[id] = nil
            handle(.timer(.consensus(id)))
        }
    }

    private func perform(_ outputs: [NodeOutput]) {
        for output in outputs {
            switch output {
            case .send(let message, let peer): sent.append((message, peer))
            case .broadcast(let message, _): sent.append((message, nil))
            case .journal(let entries, let token):
                journal += entries
                handle(.journalDurable(token))
            case .rewriteJournal(let entries):
                journal = entries
                rewritten = entries
            case .commit(let blocks):
                commits.append(blocks)
                if !storesLater { storeNext() }
            case .published(let block): published.append(block.height)
            case .note(let note): notes.append(note)
            case .halt(let reason): halts.append(reason)
            case .makeBeacon(let generation): beaconsAsked.append(generation)
            case .setTimer(.consensus(let id), let at): due[id] = at.milliseconds
            case .cancelTimer(.consensus(let id)): due[id] = nil
            case .setTimer, .cancelTimer, .admit: break
            }
        }
    }

    func storeNext() {
        guard !commits.isEmpty, let last = commits[0].last else { return }
        if let problem = store.commit(commits.removeFirst()) { halts.append(problem) }
        handle(.committed(last.block.block.header.height))
    }

    func take() -> [NodeMessage] {
        defer { sent = [] }
        return sent.map(\.message)
    }

    var offences: [Offence] { notes.compactMap { if case .offence(_, let offence) = $0 { offence } else { nil } } }

    var misbehaviours: Int { notes.count { if case .offence = $0 { true } else { false } } }

    /// A chain of one masternode, with about as many blocks as asked for.
    static func chain(blocks: Int, rules: NodeRules = NodeRules()) throws -> Bench {
        let bench = try Bench(Cast.of(1, realSignatures: false), masternode: 0, rules: rules)
        var sequence: UInt64 = 0
        while bench.machine.headHeight.value < UInt64(blocks) {
            bench.now += 100
            bench.submit(try record(bench.cast, sequence: sequence))
            sequence += 1
        }
        return bench
    }

    static func record(_ cast: Cast, client: Int = 0, sequence: UInt64) throws -> SignedTransaction {
        let transaction = try Transaction(
            sender: cast.clientKeys[client].account, sequence: sequence,
            validUntil: Cast.genesisTime.advanced(by: 1_800_000), gasLimit: 1_000_000,
            serviceId: ServiceId(unchecked: Array("job".utf8)), actionId: .commitmentTask, data: [7])
        return try cast.clientKeys[client].sign(transaction, genesis: cast.genesisHash)
    }
}
