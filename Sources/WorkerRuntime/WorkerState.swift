import Cryptography
import Encoding
import Foundation
import JobProtocol
import Primitives
import Training

/// What a worker keeps on disk: accepted models by digest, and the opening of a commitment until it is revealed.
///
/// A file is whole and durable before `save` returns, or not there; readable by its owner alone. One process at a time
/// holds the folder.
package struct WorkerState: Sendable {
    package let folder: URL
    private let lock: FolderLock

    package init(folder: URL) throws {
        self.folder = folder
        do {
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw WorkerError.cannotWrite(folder.path, error.localizedDescription)
        }
        lock = try FolderLock(folder)
    }

    private func write(_ bytes: [UInt8], to name: String) throws {
        let target = folder.appending(path: name).path
        let temporary = target + ".new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.systemError(temporary) }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            try file.write(contentsOf: Data(bytes))
            try file.synchronize()
            try file.close()
        } catch {
            throw WorkerError.cannotWrite(temporary, "\(error)")
        }
        guard rename(temporary, target) == 0 else { throw Self.systemError(target) }
        // The name lasts once the folder is on the disk.
        let folderDescriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folderDescriptor >= 0 else { throw Self.systemError(folder.path) }
        defer { close(folderDescriptor) }
        guard fsync(folderDescriptor) == 0 else { throw Self.systemError(folder.path) }
    }

    private static func systemError(_ path: String) -> WorkerError {
        .cannotWrite(path, String(cString: strerror(errno)))
    }

    private func read(_ name: String) throws -> [UInt8]? {
        let file = folder.appending(path: name)
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        do { return Array(try Data(contentsOf: file)) } catch {
            throw WorkerError.damagedState(file.path, error.localizedDescription)
        }
    }

    // MARK: Models

    private static let models = ["checkpoint-", "front-"]

    package func save(_ checkpoint: Checkpoint) throws { try write(checkpoint.borsh, to: "checkpoint-\(checkpoint.digest)") }
    package func save(_ front: Network) throws { try write(front.borsh, to: "front-\(front.digest)") }

    /// The checkpoint with this digest; nil where it is not here.
    package func checkpoint(_ digest: Digest) throws -> Checkpoint? {
        try model("checkpoint-\(digest)") { $0.digest == digest }
    }

    package func front(_ digest: Digest) throws -> Network? { try model("front-\(digest)") { $0.digest == digest } }

    private func model<Model: BorshDecodable>(_ name: String, isRight: (Model) -> Bool) throws -> Model? {
        guard let bytes = try read(name) else { return nil }
        guard let model = try? Model(borsh: bytes), isRight(model) else {
            throw WorkerError.damagedState(folder.appending(path: name).path, "it has another digest")
        }
        return model
    }

    /// Removes all models but these.
    package func keepOnly(_ digests: Set<Digest>) throws {
        let kept = Set(digests.flatMap { digest in Self.models.map { "\($0)\(digest)" } })
        for file in try FileManager.default.contentsOfDirectory(atPath: folder.path)
        where Self.models.contains(where: { file.hasPrefix($0) }) && !kept.contains(file) {
            try FileManager.default.removeItem(at: folder.appending(path: file))
        }
    }

    // MARK: Commitments

    /// Kept from before the commit until the next one, so that a crash in between is no fault.
    package struct Opening: BorshCodable, Hashable, Sendable {
        /// Which job of which chain; see ``JobView/key``. One folder may serve another job later.
        package let job: Digest
        package let round: UInt32
        /// Digest of the model that the round gave, which is saved too: a checkpoint at the cloud, a front at an edge.
        package let model: Digest
        package let reveal: JobReveal

        package init(job: Digest, round: UInt32, model: Digest, reveal: JobReveal) {
            self.job = job
            self.round = round
            self.model = model
            self.reveal = reveal
        }

        package func encode(to encoder: inout BorshEncoder) {
            encoder.value(job)
            encoder.integer(round)
            encoder.value(model)
            encoder.value(reveal)
        }

        package init(from decoder: inout BorshDecoder) throws(BorshError) {
            job = try decoder.value()
            round = try decoder.integer()
            model = try decoder.value()
            reveal = try decoder.value()
        }
    }

    package func save(_ opening: Opening) throws { try write(opening.borsh, to: "opening") }

    /// The opening that was saved last, if it is for this job. One that is damaged can't be revealed, and is none.
    package func opening(job: Digest) throws -> Opening? {
        guard let opening = try read("opening").flatMap({ try? Opening(borsh: $0) }), opening.job == job else { return nil }
        return opening
    }
}

/// Held until the process ends, however it ends.
private final class FolderLock: Sendable {
    private let descriptor: Int32

    init(_ folder: URL) throws {
        let path = folder.appending(path: "lock").path
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw WorkerError.cannotWrite(path, String(cString: strerror(errno))) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw WorkerError.stateInUse(folder.path)
        }
    }

    deinit { close(descriptor) }
}
