import Foundation
import TestSupport

/// Ten patterns that a small network learns at once: a bright block whose place is the label, in noise.
enum BlockImages {
    /// Makes the folder `images` with a training and a test part, as a worker's `--data` reads them.
    static func folder(in parent: URL, train: Int, test: Int) throws -> URL {
        let images = parent.appending(path: "images", directoryHint: .isDirectory)
        try FileManager.default.createDirectory(at: images, withIntermediateDirectories: true)
        try Data(csv(count: train, seed: 1)).write(to: images.appending(path: "mnist_train.csv"))
        try Data(csv(count: test, seed: 2)).write(to: images.appending(path: "mnist_test.csv"))
        return images
    }

    private static func csv(count: Int, seed: UInt64) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        var lines = ["label" + (0..<784).map { ",pixel\($0)" }.joined()]
        for sample in 0..<count {
            let label = sample % 10
            var fields = ["\(label)"]
            for row in 0..<28 {
                for column in 0..<28 {
                    let isInside = row / 14 == label / 5 && column / 6 == label % 5
                    fields.append("\((isInside ? 150 : 0) + generator.next() % 100)")
                }
            }
            lines.append(fields.joined(separator: ","))
        }
        return Array((lines.joined(separator: "\n") + "\n").utf8)
    }
}
