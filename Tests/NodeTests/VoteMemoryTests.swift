import Consensus
import Cryptography
import NodeCore
import Primitives
import Simulation
import Testing

/// A restart can't lie: a home that no longer knows what its key has voted says so, does not vote, and has a way back.
@Suite(.timeLimit(.minutes(20))) struct VoteMemoryTests {
    private func grows(_ bench: Bench, client: Int = 1, sequence: UInt64 = 0) throws -> Bool {
        let before = bench.machine.headHeight
        bench.submit(try Bench.record(bench.cast, client: client, sequence: sequence))
        for _ in 0..<10 { bench.tick() }
        return bench.machine.headHeight > before
    }

    private func advice(_ bench: Bench) -> [String] {
        bench.notes.compactMap { if case .observing(let text) = $0 { text } else { nil } }
    }

    @Test func theJournalOfBeforeIsKnown() throws {
        let first = try Bench.chain(blocks: 6)
        #expect(try first.store.voteMark()?.journal == 7)
        let again = try Bench(first.cast, masternode: 0, store: first.store, journal: first.journal)
        #expect(again.machine.notVoting == nil)
        #expect(try grows(again))
    }

    @Test func aMissingJournalIsRecognisedAtEveryStart() throws {
        let first = try Bench.chain(blocks: 6)
        let second = try Bench(first.cast, masternode: 0, store: first.store, journal: [])
        #expect(try #require(second.machine.notVoting).contains("journal that holds these votes is gone"))
        #expect(advice(second).count == 1)
        #expect(try !grows(second))
        #expect(!second.sent.contains { if case .consensus = $0.message { true } else { false } })
        // What it wrote meanwhile does not make it forget.
        let third = try Bench(first.cast, masternode: 0, store: first.store, journal: second.journal)
        #expect(third.machine.notVoting != nil && advice(third).count == 1)
        #expect(try !grows(third))
        // Neither does an operator who removes the journal again.
        let fourth = try Bench(first.cast, masternode: 0, store: first.store, journal: [])
        #expect(fourth.machine.notVoting != nil)
    }

    /// Home and journal are lost, and what the state knows of the key's votes can't be read: that is no sign that there
    /// were none.
    @Test func aStateThatCannotBeReadIsNoSign() throws {
        let first = try Bench.chain(blocks: 6)
        let identity = first.cast.identity(0)
        func start(hole: StateKey?) throws -> NodeMachine {
            let machine = try NodeMachine(
                genesis: first.cast.genesis, role: .masternode(identity), store: HomelessStore(first.store, hole: hole),
                journal: [], journalName: 78, rejoin: nil, signatures: KeyedHash(), rules: NodeRules())
            _ = machine.handle(.start, at: first.clock)
            return machine
        }
        #expect(try start(hole: nil).notVoting != nil)
        #expect(throws: (any Error).self) { try start(hole: .masternode(identity.key)) }
    }

    @Test func anOlderCopyIsRecognised() throws {
        let first = try Bench.chain(blocks: 3)
        let copy = first.journal
        var sequence: UInt64 = 100
        while first.machine.headHeight < Height(8) {
            first.now += 100
            first.submit(try Bench.record(first.cast, client: 2, sequence: sequence - 100))
            sequence += 1
        }
        let second = try Bench(first.cast, masternode: 0, store: first.store, journal: copy)
        #expect(try #require(second.machine.notVoting).contains("older copy"))
        #expect(try !grows(second))
    }

    @Test func aCutJournalStillReachesItsLastVote() throws {
        var rules = NodeRules()
        rules.journalBytes = 0
        let first = try Bench.chain(blocks: 6, rules: rules)
        _ = try #require(first.rewritten)
        let again = try Bench(first.cast, masternode: 0, store: first.store, journal: first.journal)
        #expect(again.machine.notVoting == nil)
        #expect(try grows(again))
    }

    /// Alone it has nobody to ask: it goes on above the view where it stands.
    @Test func theOperatorBringsItBack() throws {
        let first = try Bench.chain(blocks: 6)
        let second = try Bench(
            first.cast, masternode: 0, store: first.store, journal: [], rejoin: .rejoins(insists: false))
        #expect(second.machine.notVoting == nil)
        #expect(second.notes.contains { if case .takesPart = $0 { true } else { false } })
        // A restart before anything new is stored finds the old mark, and what the journal says of the way back.
        let between = try Bench(first.cast, masternode: 0, store: first.store, journal: second.journal)
        #expect(between.machine.notVoting == nil)
        // In the view where it stands it may only nullify: the block comes in the next, once a timer has run out.
        #expect(try !grows(second))
        for _ in 0..<3 { second.wait() }
        #expect(second.machine.headHeight > first.machine.headHeight)
        // And it stays so, without the command.
        let third = try Bench(first.cast, masternode: 0, store: first.store, journal: second.journal)
        #expect(third.machine.notVoting == nil)
        third.now = second.now
        #expect(try grows(third, client: 2))
    }

    /// A copy of a journal that reaches as far as the store knows shows only by an unknown vote that it is one. Whoever was
    /// started with the command comes back then as well, as long as it has not voted on that copy.
    @Test(arguments: [nil, VotingStart.rejoins(insists: false)])
    func aCopyThatNothingTellsFromTheJournalComesBackToo(_ rejoin: VotingStart?) throws {
        let cast = try Cast.of(4, realSignatures: false)
        let bench = try Bench(cast, masternode: 0, rejoin: rejoin)
        #expect(bench.machine.notVoting == nil)
        let unknown = try cast.keys[0].vote(Nullify(epoch: .zero, view: View(3)), by: 0, genesis: cast.genesisHash)
        bench.receive(.consensus(.nullifyVote(unknown)), from: cast.peer(1))
        #expect(try #require(bench.machine.notVoting).contains("does not know"))
        bench.wait()
        let hasAsked = bench.sent.contains { sent in
            if case .consensus(.wantPosition(_, isRejoin: true)) = sent.message { true } else { false }
        }
        #expect(hasAsked == (rejoin != nil))
    }

    /// A new home of four asks the others first, and votes once two of the three have answered.
    @Test func aHomeWithoutMemoryAsksFirst() throws {
        let cast = try Cast.of(4, realSignatures: false)
        let bench = try Bench(cast, masternode: 0, journal: [])
        #expect(try #require(bench.machine.notVoting).contains("asks the other masternodes"))
        #expect(try !grows(bench))
        func answer(_ place: UInt16) {
            bench.handle(.connected(cast.peer(place)))
            bench.receive(.consensus(.position(epoch: .zero, view: View(1), returned: [])), from: cast.peer(place))
        }
        answer(1)
        #expect(bench.machine.notVoting != nil)
        // Who claims a view that no certificate leads to has not answered.
        bench.receive(.consensus(.position(epoch: .zero, view: View(9), returned: [])), from: cast.peer(2))
        #expect(bench.machine.notVoting != nil)
        answer(3)
        #expect(bench.machine.notVoting == nil)
        bench.sent = []
        for _ in 0..<10 { bench.tick() }
        let again = try Bench(cast, masternode: 0, store: bench.store, journal: bench.journal)
        #expect(again.machine.notVoting == nil)
    }

    /// Two of four that lost votes are more than the set tolerates, unless both operators say that they know better.
    @Test func twoAtOnceAreRefused() throws {
        let cast = try Cast.of(4, realSignatures: false)
        for insists in [false, true] {
            let lost: [JournalEntry] = [.opened(7), .reached(.none), .observing(.zero, .journalMissing)]
            let bench = try Bench(cast, masternode: 0, journal: lost, rejoin: .rejoins(insists: insists))
            for place in [1, 2] as [UInt16] {
                bench.handle(.connected(cast.peer(place)))
                bench.receive(.consensus(.position(epoch: .zero, view: View(1), returned: [3])), from: cast.peer(place))
            }
            let isRefused = bench.notes.contains { if case .rejoinRefused = $0 { true } else { false } }
            #expect(isRefused == !insists)
            #expect((bench.machine.notVoting == nil) == insists)
        }
    }

    @Test func aHashChainIsRenewedBeforeItEnds() throws {
        let cast = try Cast.of(1, realSignatures: false, hasEpochs: true)
        var rules = NodeRules()
        rules.beaconReserve = 1_015
        let bench = try Bench(cast, masternode: 0, rules: rules)
        var sequence: UInt64 = 0
        var made: [UInt32] = []
        func renewal() -> BeaconRenewal? {
            (try? bench.store.value(.beaconRenewal(cast.keys[0].publicKey))).flatMap { $0 }.flatMap { try? BeaconRenewal(borsh: $0) }
        }
        for _ in 0..<400 where renewal()?.isInForce != true {
            bench.now += 250
            bench.submit(try Bench.record(cast, sequence: sequence))
            sequence += 1
            bench.tick()
            for generation in bench.beaconsAsked {
                made.append(generation)
                bench.handle(.beaconMade(generation: generation, Cast.beacon(0, generation: generation)))
            }
            bench.beaconsAsked = []
        }
        let found = try #require(renewal())
        #expect(found.isInForce && found.generation == 1 && made == [1])
        #expect(found.tip == Cast.beacon(0, generation: 1).tip)
        #expect(try grows(bench))
        // A node that starts later finds out which of its chains is in force.
        let again = try Bench(cast, masternode: 0, store: bench.store, journal: bench.journal)
        again.now = bench.now
        again.submit(try Bench.record(cast, client: 3, sequence: 0))
        #expect(again.beaconsAsked == [1])
        again.handle(.beaconMade(generation: 1, Cast.beacon(0, generation: 1)))
        #expect(try grows(again, client: 4) && again.halts.isEmpty)
    }
}

/// A store that was fetched from others: it knows nothing of the node's own votes. One of its values can't be read.
private final class HomelessStore: NodeStore {
    private let full: SimulatedStore
    private let hole: StateKey?

    private struct Unreadable: Error {}

    init(_ full: SimulatedStore, hole: StateKey?) {
        self.full = full
        self.hole = hole
    }

    func head() throws -> ChainHead? { try full.head() }
    func block(at height: Height) throws -> FinalizedBlock? { try full.block(at: height) }
    func height(of digest: Digest) throws -> Height? { try full.height(of: digest) }
    func voteMark() throws -> VoteMark? { nil }
    func page(_ key: [UInt8]) throws -> [UInt8]? { try full.page(key) }

    func value(_ key: StateKey) throws -> [UInt8]? {
        if key == hole { throw Unreadable() }
        return try full.value(key)
    }
}
