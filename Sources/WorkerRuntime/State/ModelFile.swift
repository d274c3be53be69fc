import Cryptography
import Foundation
import ProgramSupport
import Training

/// The files that a cloud leaves: the last accepted model, and beside it, with `.best` in its name, the accepted one of
/// the highest accuracy. They are safetensors (`SavedModel`), which PyTorch opens.
public enum ModelFile {
    /// Finds out before any work is done whether the file can be written in the end.
    package static func check(_ file: URL) throws {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: file.path, isDirectory: &isFolder), isFolder.boolValue {
            throw WorkerError.cannotWrite(file.path, "it is a folder; --model takes the name of a file")
        }
        let probe = file.deletingLastPathComponent().appending(path: ".\(file.lastPathComponent).\(UUID().uuidString)")
        let descriptor = open(probe.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw WorkerError.cannotWrite(file.path, "in its folder, " + InputFile.reason(errno))
        }
        close(descriptor)
        unlink(probe.path)
    }

    package static func best(beside file: URL) -> URL {
        let name = file.deletingPathExtension().lastPathComponent + ".best"
        let folder = file.deletingLastPathComponent()
        return folder.appending(path: file.pathExtension.isEmpty ? name : "\(name).\(file.pathExtension)")
    }

    public static func read(_ file: URL) throws -> Model {
        let bytes: Data
        do { bytes = try Data(contentsOf: file) } catch {
            throw WorkerError.unusableModel(
                file.path, FileManager.default.fileExists(atPath: file.path) ? "it can't be read" : "there is no such file")
        }
        do { return Model(saved: try SavedModel(file: Array(bytes))) } catch {
            throw WorkerError.unusableModel(file.path, "it is no model as 'chain-worker run --model' writes it: \(error)")
        }
    }

    static func write(_ model: JobModel, to file: URL) throws {
        let saved: SavedModel
        switch model {
        case .split(let checkpoint): saved = try SavedModel(checkpoint)
        case .whole(let network): saved = try SavedModel(network)
        case .front: throw WorkerError.cannotWrite(file.path, "one half of a model is no model")
        }
        do { try Data(saved.file).write(to: file, options: .atomic) } catch {
            throw WorkerError.cannotWrite(file.path, Reason.text(error))
        }
    }

    /// A model from a file, for evaluation.
    public struct Model: Sendable {
        let saved: SavedModel

        /// What the chain calls it.
        public var digest: Digest { saved.digest }
        public var network: Network { saved.network }
    }
}

extension ModelFile.Model {
    /// How well it does on images.
    /// - Parameter plan: says how images become numbers; without one MNIST's usual normalisation is taken.
    public func evaluate(on source: ImageSource, plan: TrainingPlan?) throws -> Evaluation {
        var plan = plan ?? TrainingPlan(model: network.spec, data: .mnist, seed: .zero, learningRate: 1)
        plan.model = network.spec
        let images = try source.load(plan.data.kind, isReserved: true)
        do { return try network.evaluate(on: plan.evaluationSamples(images)) } catch {
            throw WorkerError.unusableData("\(source.folder): \(error)")
        }
    }
}
