import Cryptography
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(20))) struct TableHashTests {
    private func hash(_ bytes: [UInt8], seed: Int = 1) -> Int { bytes.withUnsafeBytes { TableHash.of($0, seed: seed) } }

    /// What a dictionary asks of a key that it knows as no more than that.
    private func asked<Key: Hashable>(_ key: Key, _ seed: Int) -> Int { key._rawHashValue(seed: seed) }

    /// Keys that differ in few bits at one place, as counters and names do.
    @Test(arguments: 0..<32)
    func keysAlikeAreSpread(place: Int) throws {
        var places = [Int](repeating: 0, count: 256)
        var ofBytes = places
        for number in 0..<4_096 {
            var bytes = [UInt8](repeating: 0, count: 32)
            bytes[place] = UInt8(truncatingIfNeeded: number)
            bytes[(place + 1) % 32] = UInt8(number >> 8)
            let key = try #require(Digest(bytes))
            // Of a full table the low bits tell the place.
            places[asked(key, 1) & 255] += 1
            ofBytes[hash([97] + bytes) & 255] += 1
        }
        // Sixteen each on average; by chance one has sixty in no lifetime.
        #expect((places.max() ?? 0) < 60 && (ofBytes.max() ?? 0) < 60)
    }

    @Test func whatDiffersIsToldApart() {
        var generator = SeededGenerator(seed: 3)
        var seen: Set<Int> = []
        var count = 0
        for length in 0...70 {
            // Zeros of any number, and one bit set anywhere.
            seen.insert(hash([UInt8](repeating: 0, count: length)))
            count += 1
            for place in 0..<length {
                var bytes = [UInt8](repeating: 0, count: length)
                bytes[place] = 1 << UInt8(generator.below(8))
                seen.insert(hash(bytes))
                count += 1
            }
        }
        #expect(seen.count == count)
        #expect(hash([1, 2, 3], seed: 1) != hash([1, 2, 3], seed: 2))
        #expect(Set((0..<100).map { asked(Digest.zero, $0) }).count == 100)
    }

    @Test func equalKeysMeet() {
        var generator = SeededGenerator(seed: 4)
        var table: [Digest: Int] = [:]
        let keys = (0..<1_000).map { _ in Digest(generator.bytes(32)) ?? .zero }
        for (number, key) in keys.enumerated() { table[key] = number }
        for (number, key) in keys.enumerated() { #expect(table[Digest(key.bytes) ?? .zero] == number) }
        #expect(table.count == keys.count)
    }
}
