import Cryptography
import Encoding
import Foundation
import JobProtocol
import Primitives
import Testing
import Training
import WorkerRuntime

/// What a worker finds on disk after any crash.
@Suite(.timeLimit(.minutes(20))) struct StateTests {
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

    private func model(_ seed: UInt8) throws -> JobModel {
        .split(try Checkpoint.initial(seed: JobSeed(words: Digest(sha256: [seed]).words)))
    }

    @Test func whatIsSavedIsThereAfterARestart() throws {
        let made = try model(1)
        let front = try Checkpoint.initial(seed: JobSeed(words: Digest(sha256: [2]).words)).front
        do {
            let state = try WorkerState(folder: folder.url)
            try state.save(made)
            try state.save(front: front)
            try state.save(opening)
        }
        // A write that a crash cut off leaves this behind.
        try folder.write([1, 2], as: "opening.new")
        let state = try WorkerState(folder: folder.url)
        #expect(try state.model(made.digest) == made)
        #expect(try state.front(front.digest) == front)
        #expect(try state.model(Digest(sha256: [9])) == nil)
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
        let made = try model(1)
        try state.save(made)
        let name = "model-\(made.digest)"
        var bytes = Array(try Data(contentsOf: folder.url.appending(path: name)))
        bytes[1_000] ^= 1
        for damaged in [bytes, [], Array(bytes.dropLast())] {
            try folder.write(damaged, as: name)
            #expect(throws: WorkerError.self) { try state.model(made.digest) }
        }
        for damaged in [[], [1, 2, 3], opening.borsh + [0]] {
            try folder.write(damaged, as: "opening")
            #expect(try state.opening(job: job) == nil)
        }
    }

    @Test func theAcceptedModelOutlivesAnyNumberOfOthers() throws {
        let state = try WorkerState(folder: folder.url)
        let accepted = try model(1)
        try state.save(accepted)
        try state.save(opening)
        for seed in UInt8(2)..<9 {
            let candidate = try model(seed)
            try state.save(candidate)
            try state.keepOnly([accepted.digest, candidate.digest])
        }
        #expect(try state.model(accepted.digest) == accepted)
        #expect(try state.model(try model(8).digest) != nil)
        #expect(try state.model(try model(5).digest) == nil)
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
        let ring = try person.ring()
        let (first, restarted) = (
            WorkerSecrets(key: person.key, job: testJob, keys: ring),
            WorkerSecrets(key: person.key, job: testJob, keys: ring)
        )
        let other = WorkerSecrets(key: person.key, job: person.account, keys: ring)
        let contexts = try [UInt32(0), 1].map { try person.envelope(to: person, step: $0).context }
        let salt = first.salt(context: contexts[0], payload: [1])
        #expect(salt.count == Envelope.saltLength)
        #expect(salt == restarted.salt(context: contexts[0], payload: [1]))
        for different in [
            first.salt(context: contexts[0], payload: [2]), first.salt(context: contexts[1], payload: [1]),
            other.salt(context: contexts[0], payload: [1]),
            WorkerSecrets(key: try Person("other").key, job: testJob, keys: ring).salt(context: contexts[0], payload: [1]),
        ] { #expect(salt != different) }
    }

    @Test func keysForSealingAreFreshInEachEpochAndOldOnesGo() throws {
        let state = try WorkerState(folder: folder.url)
        let ring = try KeyRing(job: job, stored: try state.keys()) { try state.save($0) }
        let first = ring.current
        #expect(try !ring.prepare(for: 0))
        #expect(try !ring.prepare(for: WorkerLimits.roundsEachKey - 1))
        #expect(ring.current == first)
        #expect(try ring.prepare(for: WorkerLimits.roundsEachKey), "a new epoch")
        let second = ring.current
        #expect(second != first)
        #expect(ring.holds(first), "who has read the old key seals with it in this round")
        // A restart in between changes nothing.
        let again = try KeyRing(job: job, stored: try state.keys()) { try state.save($0) }
        #expect(again.current == second && again.holds(first))
        #expect(try !again.prepare(for: WorkerLimits.roundsEachKey))
        #expect(again.holds(first))
        #expect(try !again.prepare(for: WorkerLimits.roundsEachKey + 1))
        #expect(!again.holds(first), "and is then forgotten")
        let later = try KeyRing(job: job, stored: try state.keys()) { try state.save($0) }
        #expect(later.current == second && !later.holds(first))
        // Another job has keys of its own, and nothing comes from the account's key.
        #expect(try KeyRing(job: Digest(sha256: [6]), stored: try state.keys()) { _ in }.current != second)
        #expect(try KeyRing(job: job, stored: nil) { _ in }.current != first)
    }

    @Test func theBestModelIsRemembered() throws {
        let state = try WorkerState(folder: folder.url)
        let best = WorkerState.Best(job: job, round: 3, model: Digest(sha256: [1]), metricMicro: 970_000)
        #expect(try state.best(job: job) == nil)
        try state.save(best)
        #expect(try state.best(job: job) == best)
        #expect(try state.best(job: Digest(sha256: [6])) == nil)
    }

    @Test func aModelFileThatCannotBeWrittenIsFoundAtTheStart() throws {
        try ModelFile.check(folder.url.appending(path: "model.bin"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty, "nothing stays behind")
        try folder.write([], as: "file")
        for bad in ["file/model.bin", "nowhere/model.bin", "."] {
            #expect(throws: WorkerError.self, "\(bad)") { try ModelFile.check(folder.url.appending(path: bad)) }
        }
        #expect(ModelFile.best(beside: URL(filePath: "/a/m.bin")).path == "/a/m.best.bin")
        #expect(ModelFile.best(beside: URL(filePath: "/a/m")).path == "/a/m.best")
    }
}
