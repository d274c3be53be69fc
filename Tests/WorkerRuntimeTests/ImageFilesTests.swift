import Testing
import Training
import WorkerRuntime

@Suite(.timeLimit(.minutes(20))) struct ImageFilesTests {
    private static func csv(_ labels: [Int], header: String = "label,pixels\n") -> [UInt8] {
        Array((header + labels.map { "\($0)" + String(repeating: ",\($0)", count: 784) + "\n" }.joined()).utf8)
    }

    private func failure(_ body: () throws -> Dataset) -> String {
        do {
            _ = try body()
            return "no failure"
        } catch {
            #expect(error is WorkerError, "\(error)")
            return "\(error)"
        }
    }

    @Test func partsAreFoundAndCut() throws {
        let folder = try TemporaryFolder()
        try folder.write(Self.csv([1, 2, 3]), as: "mnist_train.csv")
        try folder.write(Self.csv([4]), as: "mnist_test.csv")
        #expect(try ImageFiles.load(folder.url.path, part: .train).labels == [1, 2, 3])
        #expect(try ImageFiles.load(folder.url.path, part: .train, limit: 2).labels == [1, 2])
        #expect(try ImageFiles.load(folder.url.path, part: .test, limit: 9).labels == [4])
    }

    /// Images of one's own: of another size than MNIST's, with more classes.
    @Test func imagesOfOnesOwnAreFound() throws {
        func file(_ magic: UInt8, _ sizes: [UInt8], _ data: [UInt8]) -> [UInt8] {
            [0, 0, 8, magic] + sizes.flatMap { [0, 0, 0, $0] } + data
        }
        let folder = try TemporaryFolder()
        try folder.write(file(3, [2, 4, 5], Array(0..<40)), as: "train-images-idx3-ubyte")
        try folder.write(file(1, [2], [25, 0]), as: "train-labels-idx1-ubyte")
        let images = try ImageFiles.images(folder.url.path, kind: .idx, part: .train)
        #expect(images.height == 4 && images.width == 5 && images.labels == [25, 0] && images.pixels == Array(0..<40))
        // MNIST has one size.
        #expect(throws: WorkerError.self) { try ImageFiles.images(folder.url.path, kind: .mnist, part: .train) }
        // The reserved part is not there; and labels that belong to no image.
        #expect(throws: WorkerError.self) { try ImageFiles.images(folder.url.path, kind: .idx, part: .test) }
        try folder.write(file(1, [3], [25, 0, 1]), as: "train-labels-idx1-ubyte")
        #expect(throws: WorkerError.self) { try ImageFiles.images(folder.url.path, kind: .idx, part: .train) }
    }

    @Test func whatCannotBeUsedIsSaid() throws {
        let folder = try TemporaryFolder()
        let path = folder.url.path
        #expect(failure { try ImageFiles.load(path + "/nowhere", part: .train) }.contains("nowhere"))
        #expect(failure { try ImageFiles.load(path, part: .train) }.contains("--data"))
        try folder.write(Self.csv([1, 77]), as: "mnist_train.csv")
        #expect(failure { try ImageFiles.load(path, part: .train) }.contains("label 77"))
        try folder.write(Array(Self.csv([1, 2]).dropLast(9)), as: "mnist_train.csv")
        #expect(failure { try ImageFiles.load(path, part: .train) }.contains("line 3"))
        try folder.write([0x1f, 0x8b, 8, 0, 1, 2], as: "t10k-images-idx3-ubyte.gz")
        try folder.write([], as: "t10k-labels-idx1-ubyte.gz")
        #expect(failure { try ImageFiles.load(path, part: .test) }.contains("gzip"))
        try folder.write([0, 0, 8, 3, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 28, 0, 0, 0, 28], as: "t10k-images-idx3-ubyte.gz")
        #expect(failure { try ImageFiles.load(path, part: .test) }.contains("at most"))
    }
}
