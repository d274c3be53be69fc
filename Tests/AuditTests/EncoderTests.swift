import Audit
import Cryptography
import Encoding
import Primitives
import Testing

/// The file of a long history is written a page at a time, and is the same file.
@Suite(.timeLimit(.minutes(20))) struct EncoderTests {
    @Test(arguments: [1, 2, 3, 100]) func piecesOfAnySizeAreTheFile(page: Int) throws {
        var chain = try Chain()
        chain.descendants = 2
        let file = try chain.file()
        let links = try (0..<5).map { number in
            EpochLink(
                header: file.header, finalization: file.finalization,
                nextSet: try MasternodeSet(
                    chain.keys.prefix(number + 1).map {
                        Masternode(name: "m\(number)", consensusKey: $0.publicKey, owner: Account($0.publicKey), beaconTip: .zero)
                    }))
        }
        // As Docs/protocol.md has it, section 8.
        var whole = BorshEncoder()
        whole.fixed(Array("EDGEPROOF-AUDIT".utf8))
        whole.integer(UInt8(2))
        whole.value(file.genesisHash)
        whole.value(file.account)
        whole.array(links)
        whole.value(file.header)
        whole.array(file.descendants)
        whole.value(file.finalization)
        whole.value(file.record)
        whole.array(file.entries)
        for proven in file.reputation { whole.value(proven) }
        let expected = whole.bytes + Digest(sha256: whole.bytes).bytes

        var encoder = AuditFileEncoder()
        var bytes = encoder.start(genesisHash: file.genesisHash, account: file.account, linkCount: links.count)
        for start in stride(from: 0, to: links.count, by: page) {
            bytes += encoder.links(Array(links[start..<min(start + page, links.count)]))
        }
        bytes += encoder.body(
            header: file.header, descendants: file.descendants, finalization: file.finalization, record: file.record,
            entryCount: file.entries.count)
        for start in stride(from: 0, to: file.entries.count, by: page) {
            bytes += encoder.entries(Array(file.entries[start..<min(start + page, file.entries.count)]))
        }
        bytes += encoder.end(reputation: file.reputation)
        #expect(bytes == expected)
        #expect(try AuditFile(bytes: bytes).links == links)
        #expect(try AuditFile(bytes: bytes).bytes == bytes)
    }
}
