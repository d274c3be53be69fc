import Cryptography
import Encoding
import Foundation
import JobProtocol
import Primitives
import Testing
import Training
import WorkerRuntime

/// What a worker finds on disk after any crash.
@Suite struct StateTests {
    private let folder: TemporaryFolder
    private let job = Digest(sha256: [5])
    private let opening: WorkerState.Opening

    init() throws {
        folder = try TemporaryFolder()
        opening = WorkerState.Opening(
            job: Digest(sha256: [5]), round: 7, model: Digest(sha256: [6]),
            reveal: JobReveal(
                stepsRoot: Digest(sha256: [1]), artifact: Digest(sha256: [2]), lossMicro: 5, location: "here:1",
                salt: Digest(sha256: [3])))
    }

    private func checkpoint(_ seed: UInt8) throws -> Checkpoint {
        try Checkpoint.initial(seed: JobSeed(words: Digest(sha256: [seed]).words))
    }

    @Test func whatIsSavedIsThereAfterARestart() throws {
        let made = try checkpoint(1)
        do {
            let state = try WorkerState(folder: folder.url)
            try state.save(made)
            try state.save(made.front)
            try state.save(opening)
        }
        // A write that a crash cut off leaves this behind.
        try folder.write([1, 2], as: "opening.new")
        let state = try WorkerState(folder: folder.url)
        #expect(try state.checkpoint(made.digest) == made)
        #expect(try state.front(made.front.digest) == made.front)
        #expect(try state.checkpoint(Digest(sha256: [9])) == nil)
        #expect(try state.opening(job: job) == opening)
        for file in try FileManager.default.contentsOfDirectory(atPath: folder.url.path) where !file.hasSuffix(".new") {
            let attributes = try FileManager.default.attributesOfItem(atPath: folder.url.appending(path: file).path)
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(file)")
        }
    }

    @Test func anotherJobsOpeningIsNotTaken() throws {
        let state = try WorkerState(folder: folder.url)
        try state.save(opening)
        #expect(try state.opening(job: Digest(sha256: [6])) == nil)
    }

    @Test func damageIsSeen() throws {
        let state = try WorkerState(folder: folder.url)
        let made = try checkpoint(1)
        try state.save(made)
        let name = "checkpoint-\(made.digest)"
        var bytes = Array(try Data(contentsOf: folder.url.appending(path: name)))
        bytes[1_000] ^= 1
        for damaged in [bytes, [], Array(bytes.dropLast())] {
            try folder.write(damaged, as: name)
            #expect(throws: WorkerError.self) { try state.checkpoint(made.digest) }
        }
        for damaged in [[], [1, 2, 3], opening.borsh + [0]] {
            try folder.write(damaged, as: "opening")
            #expect(try state.opening(job: job) == nil)
        }
    }

    @Test func theAcceptedModelOutlivesAnyNumberOfOthers() throws {
        let state = try WorkerState(folder: folder.url)
        let accepted = try checkpoint(1)
        try state.save(accepted)
        try state.save(opening)
        for seed in UInt8(2)..<9 {
            let candidate = try checkpoint(seed)
            try state.save(candidate)
            try state.keepOnly([accepted.digest, candidate.digest])
        }
        #expect(try state.checkpoint(accepted.digest) == accepted)
        #expect(try state.checkpoint(try checkpoint(8).digest) != nil)
        #expect(try state.checkpoint(try checkpoint(5).digest) == nil)
        #expect(try state.opening(job: job) == opening)
    }

    @Test func twoWorkersDoNotShareAFolder() throws {
        let state = try WorkerState(folder: folder.url)
        #expect(throws: WorkerError.self) { try WorkerState(folder: folder.url) }
        _ = state.folder
    }

    @Test func aFolderThatCannotBeMadeIsSaid() throws {
        try folder.write([], as: "file")
        #expect(throws: WorkerError.self) { try WorkerState(folder: folder.url.appending(path: "file/state")) }
    }

    @Test func theSameWorkGivesTheSameCommitment() throws {
        let person = try Person("edge")
        let (first, restarted) = (
            try WorkerSecrets(key: person.key, job: testJob), try WorkerSecrets(key: person.key, job: testJob)
        )
        let other = try WorkerSecrets(key: person.key, job: person.account)
        let contexts = try [UInt32(0), 1].map { try person.envelope(to: person, step: $0).context }
        #expect(first.kemKey.publicKey == restarted.kemKey.publicKey)
        #expect(first.kemKey.publicKey != other.kemKey.publicKey)
        let salt = first.salt(context: contexts[0], payload: [1])
        #expect(salt.count == Envelope.saltLength)
        #expect(salt == restarted.salt(context: contexts[0], payload: [1]))
        for different in [
            first.salt(context: contexts[0], payload: [2]), first.salt(context: contexts[1], payload: [1]),
            other.salt(context: contexts[0], payload: [1]),
            try WorkerSecrets(key: try Person("other").key, job: testJob).salt(context: contexts[0], payload: [1]),
        ] { #expect(salt != different) }
    }
}
