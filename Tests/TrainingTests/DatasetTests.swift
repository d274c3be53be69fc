import Testing
import Training

@Suite(.timeLimit(.minutes(20))) struct DatasetTests {
    private let pixels: [UInt8] = (0..<3 * 784).map { UInt8(truncatingIfNeeded: $0 * 7) }
    private let labels: [UInt8] = [3, 0, 9]

    private func bigEndian(_ value: Int) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    private func images(count: Int = 3, rows: Int = 28, columns: Int = 28, magic: Int = 0x803) -> [UInt8] {
        bigEndian(magic) + bigEndian(count) + bigEndian(rows) + bigEndian(columns) + pixels
    }

    private func labelFile(count: Int = 3, magic: Int = 0x801, _ values: [UInt8]? = nil) -> [UInt8] {
        bigEndian(magic) + bigEndian(count) + (values ?? labels)
    }

    /// A gzip member with stored blocks (RFC 1951, 3.2.4) and its checksum.
    private func gzip(_ data: [UInt8]) -> [UInt8] {
        var crc: UInt32 = .max
        for byte in data {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        func littleEndian(_ value: UInt32) -> [UInt8] {
            [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: value >> $0) }
        }
        let length = UInt16(data.count)
        let header: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3]
        let block = [1] + littleEndian(UInt32(length)).prefix(2) + littleEndian(UInt32(~length)).prefix(2) + data
        return header + block + littleEndian(~crc) + littleEndian(UInt32(data.count))
    }

    private func csv(_ header: Bool, lineEnd: String = "\n") -> [UInt8] {
        var lines = header ? ["label," + (0..<784).map { "p\($0)" }.joined(separator: ",")] : []
        for (sample, label) in labels.enumerated() {
            let fields = [label] + pixels[sample * 784..<(sample + 1) * 784]
            lines.append(fields.map(String.init).joined(separator: ","))
        }
        return Array(lines.joined(separator: lineEnd).utf8)
    }

    @Test func allFormsGiveTheSameDataset() throws {
        let expected = try Dataset(pixels: pixels, labels: labels)
        #expect(try Dataset(idxImages: images(), idxLabels: labelFile()) == expected)
        #expect(try Dataset(idxImages: gzip(images()), idxLabels: gzip(labelFile())) == expected)
        #expect(try Dataset(csv: csv(true)) == expected)
        #expect(try Dataset(csv: csv(false) + [0x0A]) == expected)
        #expect(try Dataset(csv: csv(true, lineEnd: "\r\n") + [0x0D, 0x0A]) == expected)
        #expect(try Dataset(csv: gzip(csv(false))) == expected)
        #expect(try Dataset(csv: []).count == 0)
    }

    @Test func damagedIDXIsRefused() {
        let cases: [([UInt8], [UInt8], DatasetError)] = [
            ([], labelFile(), .truncated(expected: 4, found: 0)),
            (labelFile(), labelFile(), .magic(expected: 0x803, found: 0x801)),
            (images(), images(), .magic(expected: 0x801, found: 0x803)),
            (images(count: 4), labelFile(), .truncated(expected: 16 + 4 * 784, found: 16 + 3 * 784)),
            (images(count: 2), labelFile(), .trailingBytes(784)),
            (images(count: -1), labelFile(), .tooMany(0xFFFF_FFFF, limit: Dataset.maximumCount)),
            (images(rows: 0x7FFF_FFFF), labelFile(), .imageSize(rows: 0x7FFF_FFFF, columns: 28)),
            (images(), labelFile(count: 2, [1, 2]), .counts(images: 3, labels: 2)),
            (images(), labelFile([1, 10, 2]), .label(10, sample: 1)),
        ]
        for (images, labels, error) in cases {
            #expect(throws: error) { try Dataset(idxImages: images, idxLabels: labels) }
        }
    }

    @Test func damagedGzipIsRefused() {
        let good = gzip(images())
        var wrongChecksum = good
        wrongChecksum[good.count - 6] ^= 1
        for bad in [Array(good.dropLast(9)), wrongChecksum, good + [0], [0x1F, 0x8B], [0x1F, 0x8B, 9, 0, 0, 0]] {
            #expect(throws: DatasetError.self) { try Dataset(idxImages: bad, idxLabels: labelFile()) }
        }
    }

    @Test func damagedCSVIsRefused() {
        let text = String(decoding: csv(false), as: UTF8.self)
        let broken: [(String, Int)] = [
            ("label", 1), ("a\n1,2", 2), (text + ",1", 3), (text + "\n5", 4), (text + "\n\n", 4),
            (text.replacing("3,", with: "256,", maxReplacements: 1), 1),
            (text.replacing("3,", with: "-3,", maxReplacements: 1), 1),
            (text.replacing("3,", with: "3;", maxReplacements: 1), 1),
            (text.replacing("\n", with: ",", maxReplacements: 1), 1),
            (text + "\n00000000003,", 4),
        ]
        for (file, line) in broken {
            do {
                _ = try Dataset(csv: Array(file.utf8))
                Issue.record("taken: \(file.suffix(12))")
            } catch DatasetError.csv(let found, _) {
                #expect(found == line, "\(file.suffix(12))")
            } catch {
                Issue.record("\(error)")
            }
        }
        #expect(throws: DatasetError.label(11, sample: 0)) {
            try Dataset(csv: Array(("11" + text.dropFirst()).utf8))
        }
    }

    @Test func shardsPartitionTheSamples() throws {
        let data = try Dataset(pixels: [UInt8](repeating: 0, count: 784 * 10), labels: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        #expect(try (0..<3).map { try data.shard($0, of: 3).labels } == [[0, 3, 6, 9], [1, 4, 7], [2, 5, 8]])
        #expect(try data.shard(11, of: 12).count == 0)
        for (index, count) in [(0, 0), (3, 3), (-1, 3), (0, -1)] {
            #expect(throws: DatasetError.shard(index: index, count: count)) { try data.shard(index, of: count) }
        }
        #expect(try data.prefix(4).labels == [0, 1, 2, 3])
        #expect(try data.prefix(99) == data)
    }

    @Test func batchesArePaddedAndNormalised() throws {
        let data = try Dataset(pixels: pixels, labels: labels)
        let (images, labels) = try data.batch([2, 0])
        #expect(images.shape == [2, 1, 32, 32])
        #expect(labels == [9, 3])
        func normalised(_ pixel: UInt8) -> Float { (Float(pixel) / 255 - 0.1307) / 0.3081 }
        #expect(images.elements[0] == normalised(0))
        #expect(images.elements[2 * 32 + 2] == normalised(pixels[2 * 784]))
        #expect(images.elements[29 * 32 + 29] == normalised(pixels[3 * 784 - 1]))
        #expect(images.elements[1024 + 3 * 32 + 4] == normalised(pixels[28 + 2]))
        #expect(throws: TrainingError.emptyDataset) { try data.batch([]) }
        #expect(throws: TrainingError.emptyDataset) { try data.batch([3]) }
    }
}
