import Cryptography
import Dispatch
import Glibc
import Ledger
import NodeCore
import PeerNetwork
import Primitives
import StateSync
import Synchronization

/// Takes what the peers of one rank say, ahead of the node: decodes it, checks the signatures of transactions, sends
/// requests for stored blocks to those who answer them. What is left for the node's own queue is little.
///
/// Each room has a thread of its own, so that a vote never waits for a stranger's signatures. Strangers, all together, are
/// given a bounded part of the time: after a message their room rests for a multiple of what it cost, the node's time
/// included.
actor GateRoom {
    private nonisolated let executor: WorkThread
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private nonisolated let rank: PeerRank
    private let node: NodeService
    private let network: PeerNetwork
    private let check: TransactionCheck
    private let blocks: BlockServer
    private let snapshots: SnapshotServer
    /// What was given to the node.
    private nonisolated let given = Mutex(Given())
    /// Nanoseconds of rest that are due.
    private var debt: UInt64 = 0
    /// When the room came to a stranger's message that the node may be at.
    private var since: UInt64?
    private var rest: WorkThread.Alarm?
    private var isResting = false
    /// Messages of masternodes with transactions, whose signatures are to be checked together.
    private var waiting: [(peer: PeerId, transactions: [SignedTransaction])] = []
    private var waitingCount = 0
    /// Whose messages were checked the last two times: mostly all who are given transactions, before each block.
    private var company: (last: Set<PeerId>, before: Set<PeerId>) = ([], [])
    /// The last batch was large.
    private var isBusy = false
    private var alarm: WorkThread.Alarm?
    /// Until it goes off, more of them wake the room only where they are many.
    private var isAlarmSet = false

    private struct Given {
        /// Messages that the node has not come to.
        var count = 0
        /// The room goes on when it has.
        var isAwaited = false
    }

    /// Of the time of one core, strangers have one part in so many.
    static let strangerParts: UInt64 = 5
    /// Rests shorter than this wait for company.
    private static let shortestRest: UInt64 = 2_000_000
    private static let longestRest: UInt64 = 2_000_000_000
    /// Messages that may wait for the node; those of strangers one by one, since their room pays for the node's time as well.
    private var most: Int { rank == .stranger ? 1 : 4 }

    init(
        _ rank: PeerRank, node: NodeService, network: PeerNetwork, check: TransactionCheck, blocks: BlockServer,
        snapshots: SnapshotServer
    ) {
        self.rank = rank
        self.node = node
        self.network = network
        self.check = check
        self.blocks = blocks
        self.snapshots = snapshots
        executor = WorkThread("gate.\(rank)", rank == .stranger ? .patient : .prompt)
    }

    /// Takes what comes, until the network ends or the room is left.
    func start() {
        alarm = executor.alarm { [weak self] in self?.assumeIsolated { $0.alarmIsOver() } }
        rest = executor.alarm { [weak self] in self?.assumeIsolated { $0.restIsOver() } }
        // It holds the room.
        network.consume(rank) { self.goOn() }
    }

    private nonisolated func goOn() {
        executor.async { self.assumeIsolated { $0.takeEvents() } }
    }

    /// Ends once the room has done what it is at.
    func stop() {
        (alarm, rest) = (nil, nil)
        waiting = []
    }

    private func takeEvents() {
        while isNodeReady() {
            if let since {
                charge(since: since)
                self.since = nil
            }
            guard !mustRest(), let event = network.next(of: rank) else { return }
            if rank == .stranger, case .message = event { since = Self.now }
            var next: PeerEvent? = event
            while let event = next, rank == .bulk, let gossip = Gossip(event) { next = take(gossip) }
            guard let next else { continue }
            // It may be about a transaction that waits.
            takeWaiting()
            take(next)
        }
    }

    /// Whether the node may be given more. Where it may not, the room goes on when the node has come to what it was given.
    private func isNodeReady() -> Bool {
        given.withLock { given in
            given.isAwaited = given.count >= most
            return !given.isAwaited
        }
    }

    private func give(_ take: @escaping @Sendable (isolated NodeService) -> Void) {
        given.withLock { $0.count += 1 }
        node.post { node in
            take(node)
            let isAwaited = self.given.withLock { given in
                given.count -= 1
                defer { given.isAwaited = false }
                return given.isAwaited
            }
            if isAwaited { self.goOn() }
        }
    }

    /// Transactions of masternodes that wait, several messages as one batch of signatures.
    private struct Gossip {
        let peer: PeerId
        let payload: [UInt8]

        init?(_ event: PeerEvent) {
            guard case .message(let peer, NodeMessage.Kind.transactions.rawValue, let payload) = event else { return nil }
            self.peer = peer
            self.payload = payload
        }
    }

    /// Signatures are checked together up to so many transactions.
    private static let mostTogether = 512
    /// So many are worth a batch of their own; fewer wait for those that other masternodes tell of at the same time, before
    /// the same block: alone a signature costs three times what it costs in their company. Nobody else is expected once those
    /// of the last two times are here; else they wait this long.
    private static let enough = 64
    private static let companyNs: UInt64 = 2_000_000
    /// The same where another node makes the next block: it has checked them by then, and has not made the block.
    private static let otherCompanyNs: UInt64 = 1_200_000
    /// What a batch takes, and to hand it to the node: a block of this node that is due does not wait for company.
    private static let checkNs: UInt64 = 800_000
    /// Of so many transactions, about.
    private static let enoughBytes = 16_384

    /// Puts a message, and those that came after it, to the ones that wait.
    /// - Returns: what came after them and is something else.
    private func take(_ first: Gossip) -> PeerEvent? {
        var next: Gossip? = first
        var other: PeerEvent?
        while let gossip = next {
            next = nil
            do {
                guard
                    case .transactions(let transactions) = try NodeMessage(
                        kind: NodeMessage.Kind.transactions.rawValue, payload: gossip.payload)
                else { break }
                waiting.append((gossip.peer, transactions))
                waitingCount += transactions.count
            } catch { network.report(gossip.peer, .malformed, "\(error)") }
            guard waitingCount < Self.mostTogether, let event = network.next(of: rank) else { break }
            next = Gossip(event)
            if next == nil { other = event }
        }
        guard !waiting.isEmpty else { return other }
        let expected = company.last.union(company.before).subtracting(waiting.map { $0.peer })
        if waitingCount >= Self.enough || expected.isEmpty { checkNow() } else if !isAlarmSet { wait(for: expected.count) }
        return other
    }

    /// Lets more messages come first: where this node makes the next block until those that are expected are here, and no
    /// longer than there is time for a check before the block. Where another one makes it nothing hurries until it comes, and
    /// what all nodes do in the same moment takes each of them longer. Under load blocks don't wait for these, and what counts
    /// is what they cost.
    private func wait(for messages: Int) {
        let now = WorkThread.now
        let due = node.blockDue.load(ordering: .relaxed)
        let isMine = due < .max && !isBusy
        let last =
            isMine
            ? min(now &+ Self.companyNs, due - min(due, Self.checkNs))
            : now &+ (isBusy ? Self.companyNs : Self.otherCompanyNs)
        guard last > now else { return takeWaiting() }
        isAlarmSet = true
        network.letWait(
            NodeMessage.Kind.transactions.rawValue, of: rank, upTo: isMine ? messages - 1 : .max, bytes: Self.enoughBytes)
        alarm?.set(at: last)
    }

    /// Checks what waits, for whatever comes.
    private func checkNow() {
        if isAlarmSet {
            isAlarmSet = false
            alarm?.callOff()
            network.waitNoMore(rank)
        }
        takeWaiting()
    }

    /// Takes what came meanwhile, and checks all together.
    private func alarmIsOver() {
        // First: what comes from here on, and is not taken now, wakes the room.
        network.waitNoMore(rank)
        takeEvents()
        checkNow()
    }

    /// Checks the transactions that wait, and tells the node of them.
    private func takeWaiting() {
        guard !waiting.isEmpty else { return }
        let messages = waiting
        (waiting, waitingCount) = ([], 0)
        company = (Set(messages.map { $0.peer }), company.last)
        isBusy = messages.reduce(0) { $0 + $1.transactions.count } >= Self.enough
        var sound: [(message: NodeMessage, from: PeerId)] = []
        for (message, outcome) in zip(messages, check.check(messages.map { $0.transactions })) {
            switch outcome {
            case .forged: network.report(message.peer, .badSignature)
            case .sound(let transactions):
                if !transactions.isEmpty { sound.append((.transactions(transactions), message.peer)) }
            }
        }
        if !sound.isEmpty { give { [sound] in $0.take(sound) } }
    }

    private func take(_ event: PeerEvent) {
        guard case .message(let id, let raw, let payload) = event else { return give { $0.take(event) } }
        if let kind = SnapshotMessage.Kind(rawValue: raw) {
            do {
                snapshots.received(try SnapshotMessage(kind: kind, payload: payload), from: id, isStranger: rank == .stranger)
            } catch { network.report(id, .malformed, "\(error)") }
            return
        }
        let message: NodeMessage
        do { message = try NodeMessage(kind: raw, payload: payload) } catch {
            return network.report(id, .malformed, "a message of kind \(raw): \(error)")
        }
        switch message {
        case .blocks(let found) where node.healer.take(found, from: id, store: { [node] in node.heal($0, $1) }): break
        case .wantBlocks(let from, let count): blocks.received(from: from, count: count, by: id, isStranger: rank == .stranger)
        case .transactions(let transactions):
            // Of a stranger: those of masternodes are gossip, which was taken before.
            switch check.check(ofStranger: transactions) {
            case .forged: network.report(id, .badSignature)
            case .sound(let sound):
                if !sound.isEmpty { give { $0.take(.transactions(sound), from: id) } }
            }
        default: give { $0.take(message, from: id) }
        }
    }

    // MARK: Rest

    private func charge(since start: UInt64) {
        debt &+= (Self.now &- start) &* (Self.strangerParts - 1)
    }

    /// Whether the room rests now, after which it goes on.
    private func mustRest() -> Bool {
        if !isResting, debt >= Self.shortestRest {
            isResting = true
            rest?.set(afterMs: Int(min(debt, Self.longestRest) / 1_000_000))
            debt = 0
        }
        return isResting
    }

    private func restIsOver() {
        isResting = false
        takeEvents()
    }

    private static var now: UInt64 { DispatchTime.now().uptimeNanoseconds }
}

/// Looks at transactions before the node does, on the published state: first at what costs nothing, then at signatures.
final class TransactionCheck: Sendable {
    enum Outcome {
        /// Those worth the node's attention.
        case sound([SignedTransaction])
        /// One has a wrong signature: nothing of such a message is taken.
        case forged
    }

    private let ledger: Ledger
    private let view: LatestView
    private let verifier: any NodeSignatures
    private let wall: @Sendable () -> Time

    init(ledger: Ledger, view: LatestView, verifier: any NodeSignatures, wall: @escaping @Sendable () -> Time) {
        self.ledger = ledger
        self.view = view
        self.verifier = verifier
        self.wall = wall
    }

    /// Signatures are checked in batches of so many: of a forged message no more than one batch is paid for.
    private static let batch = 64

    /// Those of a stranger. What the published state refuses is dropped.
    func check(ofStranger transactions: [SignedTransaction]) -> Outcome {
        let view = view.current
        let time = max(view.header.time, wall())
        var sound: [SignedTransaction] = []
        var waiting: [(transaction: SignedTransaction, id: TransactionId)] = []
        /// Whether the signatures that wait are right; those transactions are sound then.
        func checkWaiting() -> Bool {
            let answers = verifier.areAuthorized(
                waiting.map(\.transaction), ids: waiting.map(\.id), genesis: ledger.genesisHash)
            guard !answers.contains(false) else { return false }
            sound += waiting.map(\.transaction)
            waiting = []
            return true
        }
        for transaction in transactions {
            switch verdict(on: transaction, view, time, awaiting: { waiting.append((transaction, $0)) }) {
            // All but the signature is right, which waits for company.
            case .admitted, .refused(.wrongSignature):
                if waiting.count >= Self.batch, !checkWaiting() { return .forged }
            // Nil where the state can't be read: the node will find out, and say so.
            case .refused, nil: break
            }
        }
        return checkWaiting() ? .sound(sound) : .forged
    }

    /// Several messages of masternodes, whose signatures are checked together. Of these alone: masternodes tell of what they
    /// admitted, which the node looks at itself on its newest state.
    func check(_ messages: [[SignedTransaction]]) -> [Outcome] {
        zip(messages, GossipCheck.areSound(messages, genesis: ledger.genesisHash, by: verifier)).map { message, isSound in
            isSound ? .sound(message) : .forged
        }
    }

    /// Which of a client's transactions have a wrong signature, of those whose signature decides anything.
    func wrong(_ transactions: [SignedTransaction]) -> [Bool] {
        let view = view.current
        let time = max(view.header.time, wall())
        var waiting: [(place: Int, id: TransactionId)] = []
        for (place, transaction) in transactions.enumerated() {
            _ = verdict(on: transaction, view, time, awaiting: { waiting.append((place, $0)) })
        }
        let answers = verifier.areAuthorized(
            waiting.map { transactions[$0.place] }, ids: waiting.map(\.id), genesis: ledger.genesisHash)
        var wrong = Array(repeating: false, count: transactions.count)
        for (one, isRight) in zip(waiting, answers) where !isRight { wrong[one.place] = true }
        return wrong
    }

    /// - Parameter signature: told the identifier of one whose signature decides; the verdict takes it for wrong.
    private func verdict(
        on transaction: SignedTransaction, _ view: ReadView, _ time: Time, awaiting signature: @escaping (TransactionId) -> Void
    ) -> AdmissionVerdict? {
        try? ledger.admit(
            transaction, state: view, time: time, parameters: view.nextParameters,
            isAuthorized: { _, id in
                signature(id)
                return false
            })
    }
}

/// Answers requests for final blocks, on a thread for masternodes and one for strangers: reading for others never holds
/// up the node. What waits is bounded, and whoever does not take its answers gets no more.
final class BlockServer: Sendable {
    private static let perPeer = 4
    private static let ofMasternodes = 256
    /// Of strangers, two for each follower that there may be: none of them can keep another one out, nor a masternode.
    private static let perStranger = 2
    private static let ofStrangers = 64
    /// Bytes that may wait for a peer before it gets more: for a masternode what its slow line takes some seconds for, beside
    /// all that it is told unasked, else it would never catch up under load.
    private static let (masternodesBacklog, strangersBacklog) = (16_000_000, 4_000_000)
    /// Strangers have one part in so many of their thread's time.
    private static let strangerParts: UInt64 = 3

    private let view: LatestView
    private let network: PeerNetwork
    private let queues: [Bool: DispatchQueue] = [
        false: DispatchQueue(label: "edgeproof.blocks", qos: .userInitiated),
        true: DispatchQueue(label: "edgeproof.blocks.strangers", qos: .utility),
    ]
    private let places = Mutex(RequestPlaces())

    private let health: StoreHealth

    init(view: LatestView, network: PeerNetwork, health: StoreHealth) {
        self.view = view
        self.network = network
        self.health = health
    }

    func received(from: Height, count: UInt16, by peer: PeerId, isStranger: Bool) {
        let isAdmitted = places.withLock {
            isStranger
                ? $0.enter(peer, isStranger: true, most: Self.perStranger, inAll: Self.ofStrangers)
                : $0.enter(peer, isStranger: false, most: Self.perPeer, inAll: Self.ofMasternodes)
        }
        guard isAdmitted else { return }
        queues[isStranger]?.async { [self] in
            let start = DispatchTime.now().uptimeNanoseconds
            answer(from, count, peer, isStranger: isStranger)
            places.withLock { $0.leave(peer, isStranger: isStranger) }
            guard isStranger else { return }
            let spent = DispatchTime.now().uptimeNanoseconds - start
            usleep(UInt32(clamping: min(spent * (Self.strangerParts - 1) / 1_000, 1_000_000)))
        }
    }

    private func answer(_ from: Height, _ count: UInt16, _ peer: PeerId, isStranger: Bool) {
        guard network.waitingBytes(for: peer) <= (isStranger ? Self.strangersBacklog : Self.masternodesBacklog) else { return }
        let view = view.current
        let blocks = SyncAnswer.blocks(from: from, count: count, through: view.header.height) { height in
            do { return try view.block(at: height) } catch {
                health.note(error)
                return nil
            }
        }
        let message = NodeMessage.blocks(blocks)
        network.send(kind: message.kind.rawValue, message.payload, to: peer, priority: message.priority)
    }
}
