import CZlib
import Foundation
import Tensor
import Testing

import Training

/// Writes MAT-files, to have damaged ones.
private struct MatWriter {
    var bytes: [UInt8] = Array(repeating: 0x20, count: 124) + [0, 1, 0x49, 0x4D]

    static func word(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }

    static func element(_ type: Int, _ body: [UInt8]) -> [UInt8] {
        word(type) + word(body.count) + body + Array(repeating: 0, count: (8 - body.count % 8) % 8)
    }

    static func matrix(
        _ name: String, _ dimensions: [Int], _ values: [UInt8], type: Int = 2, kind: UInt8 = 9
    ) -> [UInt8] {
        element(
            14,
            element(6, [kind, 0, 0, 0, 0, 0, 0, 0]) + element(5, dimensions.flatMap { word($0) })
                + element(1, Array(name.utf8)) + element(type, values))
    }

    static func compressed(_ body: [UInt8]) -> [UInt8] {
        var size = compressBound(UInt(body.count))
        var target = [UInt8](repeating: 0, count: Int(size))
        _ = compress(&target, &size, body, UInt(body.count))
        return word(15) + word(Int(size)) + target[..<Int(size)]
    }

    mutating func add(_ element: [UInt8]) { bytes += element }
}

private func digits(_ count: Int) -> (x: [UInt8], y: [UInt8]) {
    var stream = RandomStream(key: 5)
    return (
        (0..<count * 3_072).map { _ in UInt8(truncatingIfNeeded: stream.nextWord()) },
        (0..<count).map { UInt8($0 % 10 + 1) }
    )
}

@Suite(.timeLimit(.minutes(20))) struct MatFileTests {
    @Test func readsPlainAndCompressedDigits() throws {
        let (x, y) = digits(12)
        for isCompressed in [false, true] {
            var writer = MatWriter()
            for element in [MatWriter.matrix("X", [32, 32, 3, 12], x), MatWriter.matrix("y", [12, 1], y)] {
                writer.add(isCompressed ? MatWriter.compressed(element) : element)
            }
            let images = try SVHN.images(mat: writer.bytes)
            #expect(images.count == 12 && images.channels == 3 && images.height == 32 && images.width == 32)
            #expect(images.labels == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2])
            // Row 2, column 7 of channel 1 of sample 3, in MATLAB's order.
            let (row, column, channel, sample) = (2, 7, 1, 3)
            let here: Int = ((sample * 3 + channel) * 32 + row) * 32 + column
            let there: Int = row + 32 * (column + 32 * (channel + 3 * sample))
            #expect(images.pixels[here] == x[there])
        }
    }

    @Test func labelsMayBeDoubles() throws {
        let (x, y) = digits(2)
        var writer = MatWriter()
        writer.add(MatWriter.matrix("X", [32, 32, 3, 2], x))
        let doubles = y.flatMap { byte in (0..<8).map { UInt8(truncatingIfNeeded: Double(byte).bitPattern >> (8 * $0)) } }
        writer.add(MatWriter.matrix("y", [2, 1], doubles, type: 9, kind: 6))
        #expect(try SVHN.images(mat: writer.bytes).labels == [1, 2])
    }

    @Test func everyTruncationIsRefused() throws {
        let (x, y) = digits(1)
        var writer = MatWriter()
        writer.add(MatWriter.compressed(MatWriter.matrix("X", [32, 32, 3, 1], x)))
        writer.add(MatWriter.compressed(MatWriter.matrix("y", [1, 1], y)))
        let whole = writer.bytes
        #expect(try SVHN.images(mat: whole).count == 1)
        for count in stride(from: 0, to: whole.count, by: 7) {
            #expect(throws: DatasetError.self) { try SVHN.images(mat: Array(whole[..<count])) }
        }
    }

    @Test func wrongShapesTypesAndLabelsAreNamed() throws {
        let (x, y) = digits(2)
        func file(_ elements: [[UInt8]]) -> [UInt8] {
            var writer = MatWriter()
            for element in elements { writer.add(element) }
            return writer.bytes
        }
        let good = MatWriter.matrix("X", [32, 32, 3, 2], x)
        func refusal(_ elements: [[UInt8]]) -> String {
            do { return "\(try SVHN.images(mat: file(elements)).count)" } catch { return "\(error)" }
        }
        #expect(refusal([good]).contains("no array y"))
        #expect(refusal([good, MatWriter.matrix("y", [3, 1], y + [1])]).contains("has 2 samples"))
        #expect(refusal([good, MatWriter.matrix("y", [2, 1], [1, 11])]).contains("label 11"))
        #expect(refusal([good, MatWriter.matrix("y", [2, 1], [0, 1])]).contains("label 0"))
        #expect(refusal([MatWriter.matrix("X", [32, 16, 6, 2], x), MatWriter.matrix("y", [2, 1], y)]).contains("shape"))
        #expect(refusal([MatWriter.matrix("X", [32, 32, 3, 20_000_000], x)]).contains("declares"))
        #expect(refusal([MatWriter.matrix("X", [-1, 32, 3, 2], x)]).contains("size of -1"))
        #expect(refusal([MatWriter.matrix("X", [32, 32, 3, 2], x, kind: 4)]).contains("class 4"))
        #expect(refusal([MatWriter.matrix("X", [32, 32, 3, 2], x, type: 12)]).contains("type 12"))
        #expect(refusal([MatWriter.word(99) + MatWriter.word(0)]).contains("type 99"))
        #expect(throws: DatasetError.self) { try MatFile(Array("not a matlab file".utf8)) }
    }

    @Test func aBombIsStopped() {
        let bomb = MatWriter.matrix("X", [1 << 22, 1], [UInt8](repeating: 0, count: 1 << 22))
        var writer = MatWriter()
        writer.add(MatWriter.compressed(bomb))
        #expect(throws: DatasetError.tooLarge(limit: 1 << 20)) { try MatFile(writer.bytes, limit: 1 << 20) }
    }

    @Test func damageNeverTraps() {
        let (x, y) = digits(1)
        var writer = MatWriter()
        writer.add(MatWriter.matrix("X", [32, 32, 3, 1], x))
        writer.add(MatWriter.matrix("y", [1, 1], y))
        var stream = RandomStream(key: 11)
        for _ in 0..<500 {
            var damaged = writer.bytes
            for _ in 0..<3 {
                // Where the structure is.
                let place = stream.nextIndex(below: 2) == 0
                    ? 124 + stream.nextIndex(below: 72) : damaged.count - 1 - stream.nextIndex(below: 80)
                damaged[place] = UInt8(truncatingIfNeeded: stream.nextWord())
            }
            _ = try? SVHN.images(mat: damaged)
        }
    }

    @Test func theRealFilesAreRead() throws {
        guard let folder = ProcessInfo.processInfo.environment["SVHN_DIR"],
            let file = try? Data(contentsOf: URL(filePath: folder).appending(path: "test_32x32.mat"))
        else { return }
        let images = try SVHN.images(mat: Array(file))
        #expect(images.count >= 1_999)
        #expect(Set(images.labels) == Set(0...9))
    }
}
