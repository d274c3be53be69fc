import Cryptography
import Encoding
import Foundation
import JobProtocol
import Primitives
import ProgramSupport
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
            throw WorkerError.cannotWrite(folder.path, Reason.text(error))
        }
        lock = try FolderLock(folder)
    }

    func write(_ bytes: [UInt8], to name: String) throws {
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
            throw WorkerError.cannotWrite(temporary, Reason.text(error))
        }
        guard rename(temporary, target) == 0 else { throw Self.systemError(target) }
        // The name lasts once the folder is on the disk.
        let folderDescriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folderDescriptor >= 0 else { throw Self.systemError(folder.path) }
        defer { close(folderDescriptor) }
        guard fsync(folderDescriptor) == 0 else { throw Self.systemError(folder.path) }
    }

    private static func systemError(_ path: String) -> WorkerError {
        .cannotWrite(path, InputFile.reason(errno))
    }

    func read(_ name: String) throws -> [UInt8]? {
        let file = folder.appending(path: name)
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        do { return Array(try Data(contentsOf: file)) } catch {
            throw WorkerError.damagedState(file.path, Reason.text(error))
        }
    }

    // MARK: Models

    private static let models = "model-"

    package func save(_ model: JobModel) throws { try write(model.borsh, to: "\(Self.models)\(model.digest)") }

    /// The model with this digest; nil where it is not here.
    package func model(_ digest: Digest) throws -> JobModel? {
        let name = "\(Self.models)\(digest)"
        guard let bytes = try read(name) else { return nil }
        guard let model = try? JobModel(borsh: bytes), model.digest == digest else {
            throw WorkerError.damagedState(folder.appending(path: name).path, "it has another digest")
        }
        return model
    }

    /// A front whose back is not known yet: an edge's, between its round and the cloud's reveal.
    package func save(front: Network) throws { try write(front.borsh, to: "\(Self.models)\(front.digest)") }

    package func front(_ digest: Digest) throws -> Network? {
        let name = "\(Self.models)\(digest)"
        guard let bytes = try read(name) else { return nil }
        guard let front = try? Network(borsh: bytes), front.digest == digest else {
            throw WorkerError.damagedState(folder.appending(path: name).path, "it has another digest")
        }
        return front
    }

    /// Removes all models but these.
    package func keepOnly(_ digests: Set<Digest>) throws {
        let kept = Set(digests.map { "\(Self.models)\($0)" })
        for file in try FileManager.default.contentsOfDirectory(atPath: folder.path)
        where file.hasPrefix(Self.models) && !kept.contains(file) {
            try FileManager.default.removeItem(at: folder.appending(path: file))
        }
    }

    /// What noise and draws come from that nobody else may foresee: made once, and kept.
    package func secret() throws -> SecretSeed {
        if let bytes = try read("secret"), let seed = SecretSeed(bytes) { return seed }
        let seed = SecretSeed.generate()
        try write(seed.bytes, to: "secret")
        return seed
    }

    /// Private steps that this worker's samples have been in, over all its runs.
    package func save(privacySteps: UInt64, job: Digest) throws { try write(job.bytes + privacySteps.borsh, to: "privacy") }

    package func privacySteps(job: Digest) throws -> UInt64 {
        guard let bytes = try read("privacy"), bytes.count == 40, Digest(bytes[..<32]) == job else { return 0 }
        return (try? UInt64(borsh: Array(bytes[32...]))) ?? 0
    }

    /// What a committee's member committed to, until it is revealed.
    package struct Score: BorshCodable, Hashable, Sendable {
        package let job: Digest
        package let round: UInt32
        package let validation: JobValidation

        package init(job: Digest, round: UInt32, validation: JobValidation) {
            self.job = job
            self.round = round
            self.validation = validation
        }

        package func encode(to encoder: inout BorshEncoder) {
            encoder.value(job)
            encoder.integer(round)
            encoder.value(validation)
        }

        package init(from decoder: inout BorshDecoder) throws(BorshError) {
            job = try decoder.value()
            round = try decoder.integer()
            validation = try decoder.value()
        }
    }

    package func save(_ score: Score) throws { try write(score.borsh, to: "score") }

    package func score(job: Digest) throws -> Score? {
        guard let score = try read("score").flatMap({ try? Score(borsh: $0) }), score.job == job else { return nil }
        return score
    }

    // MARK: Commitments

    /// Kept from before the commit until the next one, so that a crash in between is no fault.
    package struct Opening: BorshCodable, Hashable, Sendable {
        /// Which job of which chain; see ``JobView/digest``. One folder may serve another job later.
        package let job: Digest
        package let round: UInt32
        /// Digest of the model that the round gave, which is saved too: the whole at a cloud, the front at an edge. Zero
        /// where there is none yet.
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

    /// What it opens is spent.
    package func forgetOpening() throws {
        let file = folder.appending(path: "opening")
        guard FileManager.default.fileExists(atPath: file.path) else { return }
        do { try FileManager.default.removeItem(at: file) } catch {
            throw WorkerError.cannotWrite(file.path, Reason.text(error))
        }
    }

    package func save(genesis: Digest) throws { try write(genesis.bytes, to: "genesis") }

    /// Of the chain on which this folder was used first.
    package func genesis() throws -> Digest? { try read("genesis").flatMap { Digest($0) } }

    /// The accepted model of the highest accuracy.
    package struct Best: BorshCodable, Hashable, Sendable {
        package let job: Digest
        package let round: UInt32
        package let model: Digest
        package let metricMicro: UInt64

        package init(job: Digest, round: UInt32, model: Digest, metricMicro: UInt64) {
            self.job = job
            self.round = round
            self.model = model
            self.metricMicro = metricMicro
        }

        package func encode(to encoder: inout BorshEncoder) {
            encoder.value(job)
            encoder.integer(round)
            encoder.value(model)
            encoder.integer(metricMicro)
        }

        package init(from decoder: inout BorshDecoder) throws(BorshError) {
            job = try decoder.value()
            round = try decoder.integer()
            model = try decoder.value()
            metricMicro = try decoder.integer()
        }
    }

    package func save(_ best: Best) throws { try write(best.borsh, to: "best") }

    package func best(job: Digest) throws -> Best? {
        guard let best = try read("best").flatMap({ try? Best(borsh: $0) }), best.job == job else { return nil }
        return best
    }

    package func save(_ keys: KeyRing.Stored) throws { try write(keys.borsh, to: "kem-keys") }

    /// The keys for sealing that were saved last. Damaged ones open nothing, and are none.
    package func keys() throws -> KeyRing.Stored? { try read("kem-keys").flatMap { try? KeyRing.Stored(borsh: $0) } }

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
        guard descriptor >= 0 else { throw WorkerError.cannotWrite(path, InputFile.reason(errno)) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw WorkerError.stateInUse(folder.path)
        }
    }

    deinit { close(descriptor) }
}
