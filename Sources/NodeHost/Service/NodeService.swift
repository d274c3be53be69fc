import Consensus
import Cryptography
import Dispatch
import Foundation
import Ledger
import Logging
import NodeAPI
import NodeCore
import NodeHome
import PeerNetwork
import Primitives
import StateSync
import Storage
import Synchronization

/// Drives one ``NodeMachine`` with real sockets, files and clocks, and answers the API.
///
/// The machine runs on a thread of its own. The journal and the store have one each, so that a vote's fsync never waits for a
/// block's; what they finish comes back in order.
public actor NodeService {
    private nonisolated let executor = WorkThread("node")
    public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    public nonisolated let genesis: Genesis
    nonisolated let store: ChainStore
    nonisolated let ledger: Ledger
    nonisolated let logger: Logger
    nonisolated let configuration: NodeConfiguration
    nonisolated let readQueue = DispatchQueue(label: "edgeproof.read", attributes: .concurrent)
    nonisolated let intake: ClientIntake
    /// What anybody may ask for, as often as he likes.
    nonisolated let freshStatus = Fresh<NodeStatus>(age: .milliseconds(50))
    nonisolated let freshMetrics = Fresh<String>(age: .milliseconds(50))
    nonisolated let recentBlocks = RecentBlocks()
    /// For audit files, which say at their beginning how many links follow.
    nonisolated let linkCount = LinkCount()

    let machine: NodeMachine
    let network: PeerNetwork
    private let journal: JournalWriter?
    nonisolated let snapshots: SnapshotServer
    private nonisolated let blocks: BlockServer
    nonisolated let health: StoreHealth
    nonisolated let healer: BlockHealer
    private nonisolated let gate: NodeGate
    nonisolated let check: TransactionCheck
    private let commitQueue = WorkThread("commit")
    private let waitingCommits = WaitingCommits()
    private let onHalt: @Sendable (String) -> Void
    /// Makes a hash chain of this masternode; nil in a follower.
    private let makeBeacon: (@Sendable (UInt32) -> BeaconChain)?

    private var timers = TimerBook()
    private var outgoing = GossipBatch()
    /// When this node is to make a block, as alarms take it; ``UInt64/max`` where others are.
    nonisolated let blockDue = Atomic(UInt64.max)
    private var makesBlockAt: Time?
    /// What this step has queued for peers.
    private var untold = PeerNetwork.Untold()
    /// For ``timers``, and for ``outgoing``.
    private var alarm: WorkThread.Alarm?
    private var gossipAlarm: WorkThread.Alarm?
    var peerBook = PeerBook()
    private var headReaders: [UInt64: HeadReader] = [:]
    private var nextReader: UInt64 = 0
    /// The published chain, as the API and peers read it.
    nonisolated let view: LatestView
    var finality = FinalityTimes()
    let started = ContinuousClock.now
    /// When the newest block became final here.
    var lastBlock = ContinuousClock.now
    private(set) var stopped = false

    init(
        machine: sending NodeMachine, network: PeerNetwork, store: ChainStore, health: StoreHealth, journal: Journal?,
        configuration: NodeConfiguration, gate: NodeGate, verifier: any NodeSignatures, logger: Logger,
        makeBeacon: (@Sendable (UInt32) -> BeaconChain)?, onHalt: @escaping @Sendable (String) -> Void
    ) throws {
        self.makeBeacon = makeBeacon
        self.machine = machine
        self.network = network
        self.store = store
        self.journal = journal.map { JournalWriter($0) }
        self.configuration = configuration
        self.logger = logger
        self.onHalt = onHalt
        genesis = machine.genesis
        ledger = machine.ledger
        view = LatestView(ReadView(genesis: machine.genesis, snapshot: try store.snapshot(), head: machine.published))
        self.gate = gate
        self.health = health
        healer = BlockHealer(genesis: machine.genesis, view: view, health: health, logger: logger) { height, peer in
            let message = NodeMessage.wantBlocks(from: height, count: 1)
            if let answer = message.answerKind { gate.expect(answer, from: peer) }
            network.send(kind: message.kind.rawValue, message.payload, to: peer, priority: message.priority)
        }
        blocks = BlockServer(view: view, network: network, health: health)
        check = TransactionCheck(ledger: machine.ledger, view: view, verifier: verifier) { Self.clock().wall }
        intake = ClientIntake(check: check)
        snapshots = SnapshotServer(
            interval: configuration.snapshotBlocks ?? SnapshotLimits.interval, logger: logger,
            clock: { Self.clock().monotonic.milliseconds }, onUnreadable: { health.note($0) }
        ) { [network] message, peer in
            network.send(kind: message.kind.rawValue, message.payload, to: peer, priority: .bulk)
        }
        snapshots.consider(view.current.snapshot)
    }

    /// Starts consensus, then takes what peers say until the task is cancelled.
    ///
    /// - Parameter backlog: what a network that runs already has said before; nil starts the network.
    public func run(after backlog: [PeerEvent]? = nil) async throws {
        alarm = executor.alarm { [weak self] in self?.assumeIsolated { $0.wake() } }
        gossipAlarm = executor.alarm { [weak self] in self?.assumeIsolated { $0.tellGossip() } }
        handle(.start)
        let watch = Task { await self.watchLiveness() }
        defer { watch.cancel() }
        if let backlog {
            for event in backlog { take(event) }
        } else {
            try await network.start()
        }
        let rooms = [PeerRank.bulk, .stranger].map {
            GateRoom($0, node: self, network: network, check: check, blocks: blocks, snapshots: snapshots)
        }
        for room in rooms { await room.start() }
        network.consume(.urgent) { [weak self] in self?.post { $0.takeUrgent() } }
        await network.ended()
        for rank in PeerRank.allCases { network.leave(rank) }
        // What they read must not be closed before.
        for room in rooms { await room.stop() }
    }

    /// Votes, certificates and heads of masternodes, and their coming and going: they wait for nothing but each other.
    private func takeUrgent() {
        for _ in 0..<Self.urgentTurn {
            guard let event = network.next(of: .urgent) else { return }
            take(event)
        }
        // Those that wait come without a pause, and must not keep the disk's word from the node.
        post { $0.takeUrgent() }
    }

    private static let urgentTurn = 4

    public func stop() async {
        stopped = true
        (alarm, gossipAlarm) = (nil, nil)
        for reader in headReaders.values { reader.end.finish() }
        headReaders = [:]
        await network.shutdown()
        await withCheckedContinuation { continuation in
            commitQueue.async { continuation.resume() }
        }
        journal?.close()
        await snapshots.stop()
        store.close()
    }

    // MARK: Inputs

    /// Runs the body on the node's queue, after everything that was put there before.
    nonisolated func post(_ body: @escaping @Sendable (isolated NodeService) -> Void) {
        executor.async { self.assumeIsolated { body($0) } }
    }

    static func clock() -> NodeClock {
        let monotonic = (WorkThread.now &+ beat) / 1_000_000
        return NodeClock(
            monotonic: Instant(milliseconds: monotonic), wall: Time(TestClock.wall(wallNanoseconds / 1_000_000, perMs: 1)))
    }

    private static var wallNanoseconds: UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    }

    /// Nanoseconds by which the monotonic clock runs ahead of the system's, so that its milliseconds begin with those of the
    /// wall clock: an alarm for a header's time goes off when that time begins. Where somebody sets the wall clock such alarms
    /// are up to a millisecond late.
    private static let beat: UInt64 = {
        let wall = wallNanoseconds % 1_000_000
        let monotonic = WorkThread.now % 1_000_000
        return wall >= monotonic ? wall - monotonic : wall + 1_000_000 - monotonic
    }()

    /// When this instant begins, as alarms take it.
    private static func nanoseconds(of instant: Instant) -> UInt64 {
        let (nanoseconds, overflow) = instant.milliseconds.multipliedReportingOverflow(by: 1_000_000)
        return overflow ? .max : nanoseconds - min(nanoseconds, beat)
    }

    func handle(_ input: NodeInput) {
        guard !stopped else { return }
        perform(machine.handle(input, at: Self.clock()))
    }

    func take(_ event: PeerEvent) {
        switch event {
        case .connected(let identity):
            let peer = peerBook.add(identity.id, consensusKey: identity.consensusKey)
            logger.info("peer connected", metadata: ["peer": "\(peer)", "agent": "\(identity.agent)"])
            handle(.connected(peer))
        case .disconnected(let id, let reason):
            guard let peer = peerBook.remove(id) else { return }
            logger.info("peer disconnected", metadata: ["peer": "\(peer)", "reason": "\(reason)"])
            handle(.disconnected(peer))
        // The network has logged it, at a rate that strangers can't raise.
        case .refused: break
        case .message(let id, let kind, let payload):
            guard let peer = peerBook.peer(id), !machine.knows(kind, payload) else { return }
            do {
                handle(.message(try NodeMessage(kind: kind, payload: payload), from: peer))
            } catch {
                logger.warning("malformed message", metadata: ["peer": "\(peer)", "error": "\(error)"])
                network.report(id, .malformed)
            }
        }
    }

    /// What a room of the gate decoded.
    func take(_ message: NodeMessage, from id: PeerId) {
        guard let peer = peerBook.peer(id) else { return }
        handle(.message(message, from: peer))
    }

    /// The same of several messages, in one turn of the node's queue.
    func take(_ messages: [(message: NodeMessage, from: PeerId)]) {
        for (message, id) in messages { take(message, from: id) }
    }

    // MARK: Outputs

    func perform(_ outputs: [NodeOutput]) {
        for output in outputs { perform(output) }
        network.tell(&untold)
        rescheduleWake()
        noteWhetherItMakesABlock()
    }

    private func noteWhetherItMakesABlock() {
        guard machine.makesBlockAt != makesBlockAt else { return }
        makesBlockAt = machine.makesBlockAt
        let clock = Self.clock()
        blockDue.store(
            makesBlockAt.map { Self.nanoseconds(of: clock.monotonic.advanced(byMs: $0.distance(since: clock.wall))) } ?? .max,
            ordering: .relaxed)
    }

    private func perform(_ output: NodeOutput) {
        switch output {
        case .send(let message, let peer):
            guard let id = peerBook.id(peer) else { return }
            if let answer = message.answerKind { gate.expect(answer, from: id) }
            // What does not reach a peer is lost; the protocol repeats what matters.
            send(message, to: [id])
        case .broadcast(.transactions(let transactions), .masternodes): gossip(transactions)
        case .broadcast(let message, let audience): broadcast(message, to: audience)
        case .setTimer(let timer, let at): timers.set(timer, at: at)
        case .cancelTimer(let timer): timers.cancel(timer)
        case .journal(let entries, let token): write(entries, token)
        case .rewriteJournal(let entries): rewrite(entries)
        case .commit(let commits): commit(commits)
        case .published(let block): published(block)
        case .makeBeacon(let generation): make(generation)
        case .admit(let keys): admit(keys)
        case .note(let note): log(note)
        case .halt(let reason):
            stopped = true
            logger.critical("the node stops: \(reason)")
            onHalt(reason)
        }
    }

    private func make(_ generation: UInt32) {
        guard let makeBeacon else { return }
        DispatchQueue.global(qos: .utility).async { [weak self] in
            let chain = makeBeacon(generation)
            self?.post { $0.handle(.beaconMade(generation: generation, chain)) }
        }
    }

    private func admit(_ keys: [PublicKey]) {
        network.update(masternodes: keys)
    }

    private func broadcast(_ message: NodeMessage, to audience: Audience) {
        // A sketch names transactions that the others may not have heard of yet.
        if case .sketch = message { flushGossip() }
        send(message, to: peerBook.ids(audience))
    }

    private func send(_ message: NodeMessage, to peers: [PeerId]) {
        let payload = message.payload
        // A fault of this program. That it does not arrive is one message less; that it does has this node banned.
        guard payload.count <= message.kind.mostBytes ?? .max else {
            return logger.error(
                "a message is larger than its receivers take, and was not sent",
                metadata: ["kind": "\(message.kind)", "bytes": "\(payload.count)"])
        }
        network.send(kind: message.kind.rawValue, payload, to: peers, priority: message.priority, telling: &untold)
    }

    /// Tells the masternodes of transactions, many at once: each message costs its receivers more than a transaction in it,
    /// and a block takes what is there when it is made.
    private func gossip(_ transactions: [SignedTransaction]) {
        // The pool's, told again, or many of a client's: as many as one message may hold.
        guard transactions.count < GossipBatch.mostTransactions else {
            flushGossip()
            return broadcast(.transactions(transactions), to: .masternodes)
        }
        let isFirst = outgoing.isEmpty
        guard outgoing.add(transactions) else { return flushGossip() }
        guard isFirst, !outgoing.isEmpty else { return }
        let wait = GossipBatch.wait(
            at: TestClock.wall(Self.wallNanoseconds / 1_000, perMs: 1_000), nextBlock: machine.nextBlockTime,
            isExpected: machine.expectsBlock, spacingMs: machine.blockSpacingMs)
        guard wait > 0 else { return flushGossip() }
        gossipAlarm?.set(at: WorkThread.now &+ wait &* 1_000)
    }

    private func tellGossip() {
        flushGossip()
        network.tell(&untold)
    }

    private func flushGossip() {
        for message in NodeMessage.telling(of: outgoing.take()) { broadcast(message, to: .masternodes) }
    }

    private func write(_ entries: [JournalEntry], _ token: JournalToken) {
        guard let journal else { return handle(.journalDurable(token)) }
        journal.append(entries.map(\.borsh), token: token) { [weak self] in self?.journalled($0) }
    }

    private func rewrite(_ entries: [JournalEntry]) {
        journal?.rewrite(entries.map(\.borsh)) { [weak self] in self?.journalled($0) }
    }

    private nonisolated func journalled(_ outcome: JournalWriter.Outcome) {
        post { node in
            switch outcome {
            case .success(let token): node.handle(.journalDurable(token))
            case .failure(let error): node.perform([.halt("the vote journal can't be written: \(error)")])
            }
        }
    }

    private func commit(_ commits: [Commit]) {
        guard !commits.isEmpty else { return }
        // What piles up while the disk syncs goes into one batch with one sync.
        guard waitingCommits.add(commits) else { return }
        commitQueue.async { [store, snapshots, health, waitingCommits, weak self] in
            let commits = waitingCommits.takeAll()
            guard let last = commits.last else { return }
            let height = last.block.block.header.height
            do {
                try store.commit(commits)
                // Taken here, before the next commit, so that it shows exactly this height.
                let snapshot = try store.snapshot()
                snapshots.consider(snapshot)
                self?.post { $0.durable(height, snapshot) }
            } catch {
                let reason = health.writeFailed(error)
                self?.post { $0.perform([.halt("block \(height) can't be stored: \(reason)")]) }
            }
        }
    }

    private func durable(_ height: Height, _ snapshot: ChainSnapshot) {
        let outputs = machine.handle(.committed(height), at: Self.clock())
        view.current = ReadView(genesis: genesis, snapshot: snapshot, head: machine.published)
        perform(outputs)
    }

    /// Puts a block back into the store that could not be read there.
    nonisolated func heal(_ block: FinalizedBlock, _ digest: Digest) {
        // Between the commits, so that the snapshot shows what the newest of them left.
        commitQueue.async { [store, health, weak self] in
            do {
                try store.heal(block, digest: digest)
                // What lies beside it in the damaged file is found now, not when somebody asks for it: the store can be
                // written anew once all of it is back.
                let height = block.block.header.height
                for near in [height.previous, height.next].compactMap({ $0 }) {
                    do throws(StorageError) { _ = try store.block(at: near) } catch {
                        health.note(UnreadableBlock(height: near, cause: error))
                    }
                }
                let snapshot = try store.snapshot()
                let (head, hasDamagedFile) = (try snapshot.head(), try store.holdsDamage())
                self?.post { $0.healed(block.block.header.height, snapshot, head, hasDamagedFile) }
            } catch {
                health.note(error)
            }
        }
    }

    private func healed(_ height: Height, _ snapshot: ChainSnapshot, _ head: ChainHead?, _ hasDamagedFile: Bool) {
        // Else a commit has come in between, whose own snapshot has the block too.
        if head?.height == machine.published.header.height {
            view.current = ReadView(genesis: genesis, snapshot: snapshot, head: machine.published)
        }
        health.healed(height, hasDamagedFile: hasDamagedFile)
        lookAfterBlocks()
    }

    private func published(_ block: PublishedBlock) {
        lastBlock = .now
        finality.included(block.transactionIds, at: lastBlock)
        for reader in headReaders.values { reader.tell(block.height) }
        logger.debug(
            "final",
            metadata: [
                "height": "\(block.height)", "transactions": "\(block.transactionIds.count)", "digest": "\(block.digest)",
            ])
    }

    private func log(_ note: Note) {
        switch note {
        case .enteredView(let view, let leader):
            logger.trace("view", metadata: ["view": "\(view)", "leader": "\(leader)"])
        case .offence(let peer, let offence):
            logger.warning("peer misbehaved", metadata: ["peer": "\(peer)", "what": "\(offence)"])
            if let id = peerBook.id(peer) { network.report(id, PeerOffence(offence)) }
        case .evidence(let evidence):
            logger.error("a masternode contradicted itself", metadata: ["signer": "\(evidence.signer)"])
        case .observing(let reason): logger.error("this node does not vote: \(reason)")
        case .renewsBeacon(let remaining):
            logger.notice("renews this masternode's hash chain", metadata: ["links left": "\(remaining)"])
        case .asking:
            logger.notice("this node knows of no votes of its key: it asks the other masternodes where they stand before it votes")
        case .takesPart(let view): logger.notice("this node votes", metadata: ["after view": "\(view)"])
        case .rejoinRefused(let names):
            logger.error(
                "this node may not come back now: \(names.joined(separator: ", ")) lost votes too, and together they are more than the network tolerates. If all of you know that nobody voted since, start it with --rejoin --insist")
        case .rejectedProposal(let view, let reason):
            logger.warning("rejected a proposal", metadata: ["view": "\(view)", "reason": "\(reason)"])
        case .enteredEpoch(let epoch, let members, let isMember):
            logger.info(
                "epoch",
                metadata: ["epoch": "\(epoch)", "masternodes": "\(members)", "member": "\(isMember)"])
        case .upgradeAhead(let version, let epoch):
            logger.warning(
                "from epoch \(epoch) on the chain runs protocol version \(version), which this program does not know: install a newer chaind before")
        case .catchingUp(let from, let to):
            logger.info("catching up", metadata: ["from": "\(from)", "to": "\(to)"])
        }
    }

    // MARK: Timers

    /// It wakes for nothing after this time, sooner than numbers overflow.
    private static let longestWaitMs: UInt64 = 3_600_000

    private func rescheduleWake() {
        // A wake too early finds nothing due and costs less than calling it off: timers mostly move away.
        guard let next = timers.next, timers.scheduled.map({ next < $0 }) ?? true else { return }
        timers.scheduled = next
        alarm?.set(at: min(Self.nanoseconds(of: next), WorkThread.now &+ Self.longestWaitMs &* 1_000_000))
    }

    private func wake() {
        guard !stopped else { return }
        timers.scheduled = nil
        for timer in timers.takeDue(Self.clock().monotonic) { handle(.timer(timer)) }
        rescheduleWake()
    }

    // MARK: Heads

    /// Told on the node's thread: what it costs to wake another one for each block is more than what a reader does.
    private struct HeadReader {
        let tell: @Sendable (Height) -> Void
        /// Ends the reader's wait.
        let end: AsyncStream<Never>.Continuation
    }

    public func followHeads(_ tell: @escaping @Sendable (Height) -> Void) async {
        guard !stopped else { return }
        let (nothing, end) = AsyncStream.makeStream(of: Never.self)
        let number = nextReader
        nextReader &+= 1
        headReaders[number] = HeadReader(tell: tell, end: end)
        tell(machine.published.header.height)
        for await _ in nothing {}
        headReaders[number] = nil
    }
}
