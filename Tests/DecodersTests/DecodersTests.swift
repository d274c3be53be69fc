import Decoders
import Foundation
import TestSupport
import Testing

/// A short fuzz of every decoder that strangers reach: the kept corpus and fresh values, whole, cut, and with bytes
/// changed by a generator whose seed is printed. `scripts/fuzz` runs the same properties under libFuzzer, for as long as
/// one likes.
@Suite(.timeLimit(.minutes(20))) struct DecodersTests {
    private static let corpus = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fuzzing/corpus")
    private static let runs = 4_000

    private func kept(_ decoder: Decoder) throws -> [[UInt8]] {
        let folder = Self.corpus.appending(path: decoder.rawValue)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return try names.sorted().map { Array(try Data(contentsOf: folder.appending(path: $0))) }
    }

    @Test(arguments: Decoder.allCases) func nothingBreaksIt(decoder: Decoder) throws {
        let seed: UInt64 = 0xdec0de
        var generator = SeededGenerator(seed: seed)
        let corpus = try kept(decoder)
        var taken = 0
        func check(_ bytes: [UInt8]) throws {
            do { if try decoder.check(bytes) { taken += 1 } } catch {
                Issue.record("\(decoder.rawValue), seed \(seed): \(error): \(bytes.map { String($0, radix: 16) }.joined(separator: " "))")
            }
        }
        for bytes in corpus { try check(bytes) }
        for run in 0..<Self.runs {
            var bytes = corpus.isEmpty || run % 2 == 0 ? decoder.seed(&generator) : corpus[generator.below(corpus.count)]
            if run % 8 != 0 { generator.mutate(&bytes) }
            try check(bytes)
        }
        #expect(taken > 0, "\(decoder.rawValue) takes nothing: its seeds are no values")
    }
}

extension SeededGenerator {
    /// One to four small changes: bits, bytes, lengths, cuts, repetitions.
    fileprivate mutating func mutate(_ bytes: inout [UInt8]) {
        for _ in 0...below(4) {
            guard !bytes.isEmpty else { return bytes.append(UInt8(below(256))) }
            let place = below(bytes.count)
            switch below(7) {
            case 0: bytes[place] ^= 1 << UInt8(below(8))
            case 1: bytes[place] = UInt8(below(256))
            case 2: bytes[place] = [0, 1, 0x7f, 0x80, 0xff][below(5)]
            case 3: for offset in 0..<4 where place + offset < bytes.count { bytes[place + offset] = 0xff }
            case 4: bytes.removeSubrange(place..<min(bytes.count, place + 1 + below(8)))
            case 5: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 1 + below(8))], at: place)
            default: bytes.removeSubrange(place...)
            }
        }
    }
}
