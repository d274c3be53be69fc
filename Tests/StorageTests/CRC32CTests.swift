import Storage
import Testing

@Suite(.timeLimit(.minutes(20))) struct CRC32CTests {
    private static func checksum(_ bytes: [UInt8], portable: Bool) -> UInt32 {
        var sum = CRC32C(portable: portable)
        bytes.withUnsafeBytes { sum.add($0) }
        return sum.checksum
    }

    /// RFC 3720, appendix B.4, and the check value of the catalogues of such sums.
    @Test(arguments: [false, true]) func publishedVectors(portable: Bool) {
        func sum(_ bytes: [UInt8]) -> UInt32 { Self.checksum(bytes, portable: portable) }
        #expect(sum([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
        #expect(sum([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
        #expect(sum(Array(0..<32)) == 0x46dd_794e)
        #expect(sum((0..<32).reversed()) == 0x113f_db5c)
        #expect(sum(Array("123456789".utf8)) == 0xe306_9283)
        #expect(sum([]) == 0)
    }

    /// In pieces as in one, by the processor's instruction as by tables.
    @Test func piecesAndPathsAgree() {
        var random = SeededGenerator(seed: 3)
        for count in 0..<200 {
            let bytes = random.bytes(count)
            let place = Int.random(in: 0...count, using: &random)
            for portable in [false, true] {
                var sum = CRC32C(portable: portable)
                bytes[..<place].withUnsafeBytes { sum.add($0) }
                bytes[place...].withUnsafeBytes { sum.add($0) }
                #expect(sum.checksum == Self.checksum(bytes, portable: true), "\(count) bytes, cut at \(place)")
            }
        }
    }
}
