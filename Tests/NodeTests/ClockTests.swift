import Consensus
import Cryptography
import NodeCore
import Primitives
import Simulation
import Testing

/// How far a masternode's clock is from the others', by what their leaders propose.
@Suite(.timeLimit(.minutes(20))) struct ClockTests {
    let cast: Cast

    init() throws { cast = try Cast.of(4, realSignatures: false) }

    /// Three proposals of this leader on the genesis, made so long before they come by its own clock, which this node's is
    /// ahead of; the first two are held up on their way.
    private func propose(_ leader: UInt16, aheadMs: Int64, to bench: Bench) throws {
        // A leader gets two bodies of a view: the third is of another one.
        let views = (1...8 as ClosedRange<UInt64>).map { View($0) }.filter { cast.leaders.leader(of: $0) == leader }
        let (first, last) = (try #require(views.first), try #require(views.last))
        for (noise, delay) in [(0, 700), (1, 40), (2, 0)] as [(UInt8, Int64)] {
            let time = Int64(bench.clock.wall.value) - aheadMs - delay
            let header = Header(
                height: Height(1), view: noise == 2 ? last : first, epoch: .zero,
                parent: bench.machine.head.digest, proposer: leader, time: Time(UInt64(time)),
                transactionsRoot: Block.transactionsRoot([]), stateRoot: Digest(sha256: [noise]), receiptsRoot: .zero,
                gasUsed: 0, reveal: .zero, randomness: .zero, activeSetHash: .zero, nextSetHash: .zero,
                parentCertificateHash: ParentCertificate.genesis.hash)
            bench.receive(
                .body(Block(header: header, parentCertificate: .genesis, transactions: [])), from: cast.peer(leader))
        }
    }

    private var others: [UInt16] {
        (1..<4 as Range<UInt16>).filter { leader in
            (1...8 as ClosedRange<UInt64>).count { cast.leaders.leader(of: View($0)) == leader } >= 2
        }
    }

    @Test func theMiddleOfTheOthersCounts() throws {
        let bench = try Bench(cast, masternode: 0)
        bench.now = 100_000
        let leaders = others
        try #require(leaders.count >= 2)
        #expect(bench.machine.clockOffsetMs == nil)
        try propose(leaders[0], aheadMs: 10_000, to: bench)
        // One may lie.
        #expect(bench.machine.clockOffsetMs == nil)
        try propose(leaders[1], aheadMs: 9_000, to: bench)
        #expect(bench.machine.clockOffsetMs == 9_000)
        guard leaders.count == 3 else { return }
        try propose(leaders[2], aheadMs: -50_000, to: bench)
        #expect(bench.machine.clockOffsetMs == 9_000)
    }

    /// A leader whose clock is behind the chain takes its time from the parent: that says nothing of its clock.
    @Test func aTimeThatFollowsTheParentsSaysNothing() throws {
        let bench = try Bench(cast, masternode: 0)
        let wall = Int64(bench.clock.wall.value)
        for leader in others {
            try propose(leader, aheadMs: wall - Int64(Cast.genesisTime.value) - 1, to: bench)
        }
        #expect(bench.machine.clockOffsetMs == nil)
    }
}
