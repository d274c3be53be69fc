import Cryptography
import Encoding
import Foundation
import Primitives
import Training

/// What a worker keeps on disk: accepted models by digest, and the opening of a commitment until it is revealed.
struct WorkerState: Sendable {
    let folder: URL
    private static let modelsKept = 4

    init(folder: URL) throws {
        self.folder = folder
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    private func write(_ bytes: [UInt8], to name: String) throws {
        let file = folder.appending(path: name)
        try Data(bytes).write(to: file, options: .atomic)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
    }

    private func read(_ name: String) throws -> [UInt8]? {
        let file = folder.appending(path: name)
        guard FileManager.default.fileExists(atPath: file.path) else { return nil }
        return Array(try Data(contentsOf: file))
    }

    // MARK: Models

    func save(_ checkpoint: Checkpoint) throws {
        try write(checkpoint.borsh, to: "checkpoint-\(checkpoint.digest)")
        try forgetOld(prefix: "checkpoint-")
    }

    /// The checkpoint with this digest; nil where it is not here.
    func checkpoint(_ digest: Digest) throws -> Checkpoint? {
        guard let bytes = try read("checkpoint-\(digest)") else { return nil }
        guard let checkpoint = try? Checkpoint(borsh: bytes), checkpoint.digest == digest else {
            throw WorkerError.damagedState(folder.appending(path: "checkpoint-\(digest)").path, "it has another digest")
        }
        return checkpoint
    }

    private func forgetOld(prefix: String) throws {
        let files = try FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: [.contentModificationDateKey]
        ).filter { $0.lastPathComponent.hasPrefix(prefix) }
        guard files.count > Self.modelsKept else { return }
        func age(_ file: URL) -> Date {
            (try? file.resourceValues(forKeys: [.contentModificationDateKey]))?.contentModificationDate ?? .distantPast
        }
        for file in files.sorted(by: { age($0) < age($1) }).dropLast(Self.modelsKept) {
            try FileManager.default.removeItem(at: file)
        }
    }

    // MARK: Commitments

    /// Kept from before the commit until the reveal, so that a crash in between is no fault.
    struct Opening: BorshCodable, Sendable {
        let round: UInt32
        let reveal: JobReveal

        init(round: UInt32, reveal: JobReveal) {
            self.round = round
            self.reveal = reveal
        }

        func encode(to encoder: inout BorshEncoder) {
            encoder.integer(round)
            encoder.value(reveal)
        }

        init(from decoder: inout BorshDecoder) throws(BorshError) {
            round = try decoder.integer()
            reveal = try decoder.value()
        }
    }

    func save(_ opening: Opening) throws { try write(opening.borsh, to: "opening") }

    func opening() throws -> Opening? { try read("opening").flatMap { try? Opening(borsh: $0) } }
}
