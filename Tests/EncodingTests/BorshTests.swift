import Encoding
import TestSupport
import Testing

/// A value with every kind of field that Borsh has here.
private struct Sample: BorshCodable, Equatable {
    var flag: Bool
    var small: UInt8
    var medium: UInt32
    var large: UInt128
    var blob: [UInt8]
    var text: String
    var list: [UInt16]
    var maybe: UInt64?

    init(_ generator: inout SeededGenerator) {
        flag = generator.below(2) == 1
        small = UInt8(generator.below(256))
        medium = UInt32(truncatingIfNeeded: generator.next())
        large = UInt128(generator.next()) << 64 | UInt128(generator.next())
        blob = generator.bytes(generator.below(20))
        text = String(String.UnicodeScalarView((0..<generator.below(6)).compactMap { _ in Unicode.Scalar(UInt32(0x20 + generator.below(0x2000))) }))
        list = (0..<generator.below(5)).map { _ in UInt16(truncatingIfNeeded: generator.next()) }
        maybe = generator.below(2) == 1 ? generator.next() : nil
    }

    func encode(to encoder: inout BorshEncoder) {
        encoder.bool(flag)
        encoder.integer(small)
        encoder.integer(medium)
        encoder.integer(large)
        encoder.variable(blob)
        encoder.string(text)
        encoder.array(list)
        encoder.optional(maybe)
    }

    init(from decoder: inout BorshDecoder) throws(BorshError) {
        flag = try decoder.bool()
        small = try decoder.integer()
        medium = try decoder.integer()
        large = try decoder.integer()
        blob = try decoder.variable(limit: 64)
        text = try decoder.string(limit: 64)
        list = try decoder.array(limit: 16, smallestElement: 2)
        maybe = try decoder.optional()
    }
}

@Suite(.timeLimit(.minutes(20))) struct BorshTests {
    @Test func goldenBytes() {
        var encoder = BorshEncoder()
        encoder.integer(UInt8(0xab))
        encoder.integer(UInt16(0x0102))
        encoder.integer(UInt32(0x0102_0304))
        encoder.integer(UInt64(1))
        encoder.integer(UInt128(1) << 120)
        encoder.bool(true)
        encoder.variable([9, 8])
        encoder.string("é")
        encoder.fixed([7, 7])
        encoder.array([UInt16(1), 2])
        encoder.optional(UInt8?.none)
        encoder.optional(UInt8(5))
        #expect(
            Hexadecimal.encode(encoder.bytes)
                == "ab" + "0201" + "04030201" + "0100000000000000" + "00000000000000000000000000000001" + "01"
                + "020000000908" + "02000000c3a9" + "0707" + "0200000001000200" + "00" + "0105")
    }

    @Test func roundTripsTruncationsAndTrailingBytes() throws {
        let seed: UInt64 = 0xb0_25
        var generator = SeededGenerator(seed: seed)
        for round in 0..<300 {
            let value = Sample(&generator)
            let bytes = value.borsh
            #expect(try Sample(borsh: bytes) == value, "seed \(seed), round \(round)")
            let accepted = (0..<bytes.count).filter { (try? Sample(borsh: Array(bytes.prefix($0)))) != nil }
            #expect(accepted.isEmpty, "seed \(seed), round \(round)")
            #expect(throws: BorshError(.trailingBytes(1), at: bytes.count)) { try Sample(borsh: bytes + [0]) }
        }
    }

    /// Whatever the bytes: an error, or a value that encodes to exactly these bytes.
    @Test func decodingIsCanonical() {
        let seed: UInt64 = 0xca_70
        var generator = SeededGenerator(seed: seed)
        for round in 0..<20_000 {
            var bytes = Sample(&generator).borsh
            for _ in 0...generator.below(3) { bytes[generator.below(bytes.count)] = UInt8(generator.below(256)) }
            if let value = try? Sample(borsh: bytes), value.borsh != bytes {
                Issue.record("seed \(seed), round \(round): not canonical")
            }
        }
    }

    /// A length costs nothing before the bytes are there: these would be up to 32 GiB.
    @Test func lengthsBeyondTheInputAreRefusedBeforeAllocation() {
        let hostile: [UInt8] = [0xff, 0xff, 0xff, 0xff, 1, 2, 3]
        var decoder = BorshDecoder(hostile)
        #expect(throws: BorshError(.truncated(needed: 0xffff_ffff, available: 3), at: 0)) {
            try decoder.variable(limit: .max)
        }
        decoder = BorshDecoder(hostile)
        #expect(throws: BorshError(.truncated(needed: 0xffff_ffff * 8, available: 3), at: 0)) {
            try decoder.array(of: UInt64.self, limit: .max, smallestElement: 8)
        }
        decoder = BorshDecoder(hostile)
        #expect(throws: BorshError.self) { try decoder.array(of: UInt64.self, limit: .max, smallestElement: .max) }
        decoder = BorshDecoder(hostile)
        #expect(throws: BorshError(.lengthOverLimit(length: 0xffff_ffff, limit: 10), at: 0)) {
            try decoder.string(limit: 10)
        }
        decoder = BorshDecoder(hostile)
        #expect(throws: BorshError.self) { try decoder.fixed(-1) }
        #expect(throws: BorshError.self) { try decoder.fixed(.max) }
    }

    @Test func tagsAndTextAreChecked() {
        var decoder = BorshDecoder([2])
        #expect(throws: BorshError(.unknownTag(2), at: 0)) { try decoder.bool() }
        decoder = BorshDecoder([255, 1])
        #expect(throws: BorshError(.unknownTag(255), at: 0)) { try decoder.optional(UInt8.self) }
        // A lone continuation byte, an overlong slash, a surrogate, and a sequence that is cut off.
        for text: [UInt8] in [[0x80], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xe2, 0x82]] {
            decoder = BorshDecoder([UInt8(text.count), 0, 0, 0] + text)
            #expect(throws: BorshError(.invalidUTF8, at: 0)) { try decoder.string(limit: 8) }
        }
    }
}

@Suite(.timeLimit(.minutes(20))) struct HexadecimalTests {
    @Test func roundTripsAndRefusals() {
        let all = (0...255).map { UInt8($0) }
        let text = Hexadecimal.encode(all)
        #expect(text.hasPrefix("000102") && text.hasSuffix("fdfeff") && text.count == 512)
        #expect(Hexadecimal.decode(text) == all)
        #expect(Hexadecimal.decode(text.uppercased()) == all)
        #expect(Hexadecimal.decode("") == [])
        for bad in ["0", "0g", "g0", " 0", "0x00", "é", "00 00", "٠٠"] { #expect(Hexadecimal.decode(bad) == nil, "\(bad)") }
    }
}
