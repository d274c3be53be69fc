import NodeHost
import Primitives
import Testing

/// The newest blocks are read once, however many ask; older ones are not kept, nor too many bytes of them.
@Suite(.timeLimit(.minutes(20))) struct RecentBlocksTests {
    private final class Reads {
        var heights: [UInt64] = []
        let chain: SnapshotChain

        init(_ chain: SnapshotChain) { self.chain = chain }

        func read(_ height: UInt64) throws -> (FinalizedBlock, [Receipt])? {
            heights.append(height)
            return try chain.store.block(at: Height(height)).map { ($0, []) }
        }
    }

    @Test func aBlockIsReadOnce() throws {
        let reads = Reads(try SnapshotChain(blocks: 20, accounts: 8))
        let recent = RecentBlocks()
        for _ in 0..<3 {
            let entry = try recent.entry(at: Height(20)) { try reads.read(20) }
            #expect(entry?.block.block.header.height == Height(20))
        }
        #expect(reads.heights == [20])
        #expect(try recent.entry(at: Height(21)) { try reads.read(21) } == nil)
        for height in 1...20 as ClosedRange<UInt64> {
            #expect(recent.keeps(Height(height), head: Height(20)) == (height >= 5), "\(height)")
        }
    }

    @Test func fullBlocksPushOutOthersForGood() throws {
        let reads = Reads(try SnapshotChain(blocks: 20, accounts: 8))
        let bytes = try #require(try reads.chain.store.block(at: Height(18))).block.transactions.reduce(0) { $0 + $1.byteCount }
        let recent = RecentBlocks(mostBytes: bytes * 2 + bytes / 2)
        for height in 17...20 as ClosedRange<UInt64> { _ = try recent.entry(at: Height(height)) { try reads.read(height) } }
        #expect(reads.heights == [17, 18, 19, 20])
        #expect((17...20 as ClosedRange<UInt64>).map { recent.keeps(Height($0), head: Height(20)) } == [false, false, true, true])
        for height in 19...20 as ClosedRange<UInt64> { _ = try recent.entry(at: Height(height)) { try reads.read(height) } }
        #expect(reads.heights.count == 4)
        // One that is longer than all that may be kept is kept, since all want it.
        let small = RecentBlocks(mostBytes: 1)
        for height in [19, 20, 20] as [UInt64] { _ = try small.entry(at: Height(height)) { try reads.read(height) } }
        #expect(reads.heights.suffix(2) == [19, 20])
    }
}
