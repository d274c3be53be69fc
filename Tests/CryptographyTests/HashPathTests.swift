import CSHA256
import Crypto
import TestSupport
import Testing

/// SHA-256 by the processor's instructions and without them gives what swift-crypto gives, whatever the pieces.
@Suite(.timeLimit(.minutes(20))) struct HashPathTests {
    private func digest(_ path: csha_path, _ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        csha_digest_by(path, bytes, bytes.count, &digest)
        return digest
    }

    @Test func allPathsAgree() {
        let seed: UInt64 = 0x5a
        var generator = SeededGenerator(seed: seed)
        for count in Array(0...300) + [4_095, 4_096, 100_003] {
            let bytes = generator.bytes(count)
            let expected = Array(SHA256.hash(data: bytes))
            #expect(digest(csha_path_portable, bytes) == expected, "seed \(seed), \(count) bytes")
            #expect(digest(csha_widest_path(), bytes) == expected, "seed \(seed), \(count) bytes")
        }
    }

    @Test func piecesMakeNoDifferenceAndAHashCanGoOn() {
        let seed: UInt64 = 0x5b
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            let bytes = generator.bytes(generator.below(500))
            var hasher = csha_hasher()
            csha_begin(&hasher)
            var end = 0
            while end < bytes.count {
                let next = min(bytes.count, end + generator.below(140))
                bytes[end..<next].withUnsafeBytes { csha_update(&hasher, $0.baseAddress, $0.count) }
                end = next
                // In between and at the end, twice.
                for _ in 0..<2 {
                    var digest = [UInt8](repeating: 0, count: 32)
                    csha_finish(&hasher, &digest)
                    #expect(digest == Array(SHA256.hash(data: bytes[..<end])), "seed \(seed)")
                }
            }
        }
    }
}
