import Cryptography
import Tensor
import Testing

import Training

func syntheticImages(count: Int, key: UInt64) throws -> ImageSet { try syntheticDataset(count: count, key: key).images }

let testSecret = SecretSeed(Digest(sha256: Array("a secret for tests".utf8)).bytes) ?? .generate()

@Suite(.timeLimit(.minutes(20))) struct DataTests {
    @Test func shardsOfTable1FitTheirData() throws {
        for fogNodes in [3, 5, 7] {
            let size = try #require(Shards.table1(fogNodes: fogNodes))
            let total = fogNodes * 6 * size.device + size.validation
            #expect(total <= 80_000 && total > 79_800)
            let shards = try Shards(fogNodes: fogNodes, devicesEach: 6, validation: size.validation, total: 80_000)
            #expect(shards.devices.count == fogNodes && shards.devices.allSatisfy { $0.count == 6 })
            #expect(shards.validation.count == 10_000)
            #expect(abs((shards.devices.first?.first?.count ?? 0) - size.device) <= 6)
        }
        #expect(Shards.table1(fogNodes: 4) == nil)
    }

    @Test func overlapsAreRefused() {
        #expect(throws: DatasetError.overlap(first: 0, second: 1, sample: 9)) {
            try Shards(devices: [[0..<10, 9..<20]], validation: 20..<30, total: 30)
        }
        #expect(throws: DatasetError.overlap(first: 1, second: 2, sample: 19)) {
            try Shards(devices: [[0..<10], [10..<20]], validation: 19..<30, total: 30)
        }
        #expect(throws: DatasetError.shard(index: 1, count: 29)) {
            try Shards(devices: [[0..<10]], validation: 20..<30, total: 29)
        }
        #expect(throws: DatasetError.self) { try Shards(fogNodes: 3, devicesEach: 6, validation: 90, total: 100) }
        #expect(throws: DatasetError.self) { try Shards(fogNodes: .max, devicesEach: 6, validation: 90, total: 100) }
    }

    @Test func normalisedSamplesHaveMeanZeroAndDeviationOne() throws {
        let images = try syntheticImages(count: 50, key: 3)
        let features = try images.features(of: Array(0..<50), input: [1, 28, 28], normalisation: .measured)
        let mean = features.values.reduce(0.0) { $0 + Double($1) } / Double(features.values.count)
        let square = features.values.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(features.values.count)
        #expect(abs(mean) < 1e-4 && abs(square - 1) < 1e-3)
        // A border is what a pixel of 0 becomes; a flat input of 1,024 is the image of 32 x 32.
        let padded = try images.features(of: [0], input: [1_024], normalisation: .unit)
        #expect(padded.values[0] == 0 && padded.stride == 1_024)
        #expect(padded.values[2 * 32 + 2] == Float(images.pixels[0]) / 255)
    }

    @Test func greyOfColour() throws {
        let image = try ImageSet(channels: 3, height: 1, width: 1, pixels: [255, 0, 0], labels: [1])
        let grey = try image.features(of: [0], input: [1, 1, 1], normalisation: .unit)
        #expect(abs(grey.values[0] - 0.299) < 1e-6)
        #expect(throws: TrainingError.self) { try image.features(of: [0], input: [2, 1, 1], normalisation: .unit) }
        #expect(throws: TrainingError.self) { try image.features(of: [1], input: [1, 1, 1], normalisation: .unit) }
    }

    @Test func aDeviceGivesAFractionBlurred() throws {
        let images = try syntheticImages(count: 40, key: 4)
        let plan = smallPlan { $0.device = DevicePlan(fraction: 500_000, noise: 10_000) }
        let sent = try DeviceStep.samples(of: images, plan: plan, device: 2, secret: testSecret)
        let again = try DeviceStep.samples(of: images, plan: plan, device: 2, secret: testSecret)
        #expect(sent.count == 20 && sent == again)
        let clean = try DeviceStep.samples(
            of: images, plan: smallPlan { $0.device = DevicePlan(fraction: 500_000, noise: 0) }, device: 2,
            secret: testSecret)
        #expect(clean.labels == sent.labels)
        let noise = zip(sent.values, clean.values).map { Double($0) - Double($1) }
        let deviation = (noise.reduce(0) { $0 + $1 * $1 } / Double(noise.count)).squareRoot()
        #expect(abs(deviation - 0.01) < 0.0005, "\(deviation)")
        let other = try DeviceStep.samples(of: images, plan: plan, device: 3, secret: testSecret)
        #expect(other.labels != sent.labels)
        #expect(throws: TrainingError.emptyDataset) {
            try DeviceStep.samples(of: images.prefix(0), plan: plan, device: 0, secret: testSecret)
        }
    }

    @Test func gaussianNumbersHaveTheirMoments() {
        var stream = GaussianStream(RandomStream(key: 9))
        let values = (0..<200_000).map { _ in Double(stream.next()) }
        let mean = values.reduce(0, +) / 200_000
        let square = values.reduce(0) { $0 + $1 * $1 } / 200_000
        let fourth = values.reduce(0) { $0 + $1 * $1 * $1 * $1 } / 200_000
        #expect(abs(mean) < 0.01 && abs(square - 1) < 0.015 && abs(fourth - 3) < 0.12)
        #expect(values.filter { abs($0) > 1.959964 }.count > 9_500 && values.filter { abs($0) > 1.959964 }.count < 10_500)
    }

    @Test func aChoiceHasEachAtMostOnce() {
        var stream = RandomStream(key: 1)
        let chosen = stream.choose(30, of: 40)
        #expect(Set(chosen).count == 30 && chosen.allSatisfy { (0..<40).contains($0) })
        #expect(stream.choose(50, of: 10).sorted() == Array(0..<10))
        #expect(stream.choose(-1, of: 10).isEmpty && stream.choose(3, of: 0).isEmpty)
    }

    @Test func projectionsKeepDistances() throws {
        let images = try syntheticImages(count: 20, key: 8)
        let features = try images.features(of: Array(0..<20), input: [784], normalisation: .measured)
        let projected = try RandomProjection(seed: testSeed, inputs: 784, outputs: 400).apply(features)
        #expect(projected.shape == [400] && projected.labels == features.labels)
        func distance(_ set: FeatureSet, _ a: Int, _ b: Int) -> Double {
            RobustMean.squaredDistance(
                Array(set.values[a * set.stride..<(a + 1) * set.stride]),
                Array(set.values[b * set.stride..<(b + 1) * set.stride]))
        }
        var ratios = 0.0
        for index in 1..<20 { ratios += distance(projected, 0, index) / distance(features, 0, index) / 19 }
        #expect(abs(ratios - 1) < 0.15, "\(ratios)")
        #expect(throws: TrainingError.self) {
            try RandomProjection(seed: testSeed, inputs: 784, outputs: 400, outputShape: [401])
        }
    }
}

@Suite(.timeLimit(.minutes(20))) struct OwnImagesTests {
    private func idx(_ magic: UInt32, _ sizes: [UInt32], _ data: [UInt8]) -> [UInt8] {
        ([magic] + sizes).flatMap { word in (0..<4).reversed().map { UInt8(truncatingIfNeeded: word >> (8 * UInt32($0))) } } + data
    }

    @Test func imagesOfAnySizeAreRead() throws {
        let images = try ImageSet(
            idxImages: idx(0x0803, [3, 4, 5], Array(0..<60)), idxLabels: idx(0x0801, [3], [7, 0, 25]))
        #expect(images.count == 3 && images.height == 4 && images.width == 5 && images.labels == [7, 0, 25])
        #expect(throws: DatasetError.label(25, sample: 2)) { try images.checkLabels(classes: 10) }
        try images.checkLabels(classes: 26)
    }

    @Test func lyingHeadersAreRefused() {
        let labels = idx(0x0801, [3], [1, 2, 3])
        #expect(throws: DatasetError.tooLarge(limit: ImageSet.maximumBytes)) {
            try ImageSet(idxImages: idx(0x0803, [1 << 20, .max, .max], []), idxLabels: labels)
        }
        #expect(throws: DatasetError.truncated(expected: 76, found: 75)) {
            try ImageSet(idxImages: idx(0x0803, [3, 4, 5], Array(0..<59)), idxLabels: labels)
        }
        #expect(throws: DatasetError.trailingBytes(1)) {
            try ImageSet(idxImages: idx(0x0803, [3, 4, 5], Array(0..<61)), idxLabels: labels)
        }
        #expect(throws: DatasetError.counts(images: 2, labels: 3)) {
            try ImageSet(idxImages: idx(0x0803, [2, 1, 1], [1, 2]), idxLabels: labels)
        }
        #expect(throws: DatasetError.magic(expected: 0x0803, found: 0x0801)) { try ImageSet(idxImages: labels, idxLabels: labels) }
        #expect(throws: DatasetError.imageSize(rows: 0, columns: 5)) {
            try ImageSet(idxImages: idx(0x0803, [3, 0, 5], []), idxLabels: labels)
        }
    }
}
