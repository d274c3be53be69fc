import Audit
import NodeHost
import Primitives
import Storage
import Testing

/// A chain whose newest block is the last of an epoch after which the set of masternodes is another one, on the disk: the
/// step that this block proves is stored with it, and is no part of what proves the block itself.
@Suite(.timeLimit(.minutes(20))) struct BorderTests {
    /// A chain of so many blocks, whose epochs end at the same heights whatever its length.
    private static func chain(_ blocks: UInt64) throws -> SnapshotChain {
        try SnapshotChain(blocks: blocks, accounts: 6, longest: 40) { plan in
            plan.masternodes = 5
            plan.parameters.epochBlocks = 8
            plan.parameters.epochMs = 400
            plan.hasOneLeave = true
        }
    }

    private static func audit(_ account: Account, of chain: SnapshotChain, links: LinkCount) throws -> AuditFile {
        let snapshot = try chain.store.snapshot()
        let pieces = try #require(
            try AuditPieces(of: account, in: snapshot, genesisHash: chain.genesis.hash, links: links))
        var bytes: [UInt8] = []
        while let piece = try pieces.next(in: snapshot) { bytes += piece }
        return try AuditFile(bytes: bytes)
    }

    @Test func theHeadOfAnEpochsBorderIsProvable() throws {
        let longest = try Self.chain(40)
        let link = try #require(try longest.store.links().first, "one of five masternodes left")
        #expect(link.nextSet.count == 4)
        let border = link.header.height.value
        let sender = try #require(try longest.store.block(at: Height(2))?.block.transactions.first).transaction.sender

        for blocks in [border - 1, border, border + 1] {
            let chain = try Self.chain(blocks)
            #expect(try chain.store.head()?.height == Height(blocks))
            let stored = try chain.store.links()
            #expect(stored.map(\.header.height) == (blocks < border ? [] : [link.header.height]), "stored with its block")
            let counted = LinkCount()
            // Counted by what came before, and counted anew.
            for _ in 0..<2 {
                let file = try Self.audit(sender, of: chain, links: counted)
                #expect(file.header.height == Height(blocks))
                #expect(file.links.count == (blocks > border ? 1 : 0), "at \(blocks) of \(border)")
                #expect(!file.entries.isEmpty)
                _ = try file.verify(genesis: chain.genesis)
            }
        }
    }
}
