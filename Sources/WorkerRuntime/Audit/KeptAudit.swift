import Cryptography
import Encoding
import Foundation
import JobProtocol
import Primitives
import Training

/// What a round's evidence is made from again after a restart: everything but the worker's own samples, which are not
/// written anywhere. Of these it has a digest, and who gave them.
package struct KeptAudit: BorshCodable, Sendable {
    /// Which job of which chain.
    package let job: Digest
    package let round: UInt32
    /// The worker's place in that round.
    package let place: UInt16
    /// From which the round started, as far as the worker's role has it.
    package let model: JobModel
    /// Of a fog node's samples; zero where there are none.
    package let samples: Digest
    /// Devices that gave some of them, in their order; the node's own come after these.
    package let devices: [Account]
    /// What a cloud named in its reveal.
    package let partners: [JobPartner]
    package let statements: [SignedStatement]
    package let said: [StepEvidence.Said]
    package let heard: [OpenedMessage]

    package init(
        job: Digest, round: UInt32, place: UInt16, model: JobModel, samples: Digest, devices: [Account],
        partners: [JobPartner], statements: [SignedStatement], said: [StepEvidence.Said], heard: [OpenedMessage]
    ) {
        self.job = job
        self.round = round
        self.place = place
        self.model = model
        self.samples = samples
        self.devices = devices
        self.partners = partners
        self.statements = statements
        self.said = said
        self.heard = heard
    }

    /// What the chain says of the round's workers, where this worker has named them itself.
    var named: [UInt16: AuditedRound.Named] { AuditedRound.Named.byPlace(partners) }

    package func encode(to encoder: inout BorshEncoder) {
        encoder.value(job)
        encoder.integer(round)
        encoder.integer(place)
        encoder.value(model)
        encoder.value(samples)
        encoder.array(devices)
        encoder.array(partners)
        encoder.array(statements)
        encoder.array(said)
        encoder.array(heard)
    }

    package init(from decoder: inout BorshDecoder) throws(BorshError) {
        // Its own file: bounded by what is there.
        let most = 1 << 24
        job = try decoder.value()
        round = try decoder.integer()
        place = try decoder.integer()
        model = try decoder.value()
        samples = try decoder.value()
        devices = try decoder.array(limit: Int(JobSlots.capacity), smallestElement: 32)
        partners = try decoder.array(limit: JobReveal.mostPartners, smallestElement: 39)
        statements = try decoder.array(limit: most, smallestElement: 100)
        said = try decoder.array(limit: most, smallestElement: 100)
        heard = try decoder.array(limit: most, smallestElement: 100)
    }
}

/// The evidence of rounds on disk, one file each.
extension WorkerState {
    private static let audits = "audit-"

    func save(_ kept: KeptAudit) throws { try write(kept.borsh, to: "\(Self.audits)\(kept.round)") }

    /// Nil for what is not there, or another job's.
    /// - Throws: ``WorkerError/unusableEvidence(_:_:round:)`` for what is there, and damaged or not to be read.
    func audit(_ round: UInt32, job: Digest) throws -> KeptAudit? {
        let name = "\(Self.audits)\(round)"
        func unusable(_ reason: String) -> WorkerError {
            .unusableEvidence(folder.appending(path: name).path, reason, round: round)
        }
        let bytes: [UInt8]?
        do { bytes = try read(name) } catch WorkerError.damagedState(_, let reason) {
            throw unusable("it can't be read: \(reason)")
        }
        guard let bytes else { return nil }
        let kept: KeptAudit
        do { kept = try KeptAudit(borsh: bytes) } catch { throw unusable("it is damaged: \(error)") }
        guard kept.job == job else { return nil }
        guard kept.round == round else { throw unusable("it is damaged: it is round \(kept.round)'s") }
        return kept
    }

    /// Rounds with evidence on disk, the newest first, and the bytes of each.
    func audits() throws -> [(round: UInt32, bytes: Int)] {
        try FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: [.fileSizeKey]
        ).compactMap { file -> (round: UInt32, bytes: Int)? in
            let name = file.lastPathComponent
            guard name.hasPrefix(Self.audits), let round = UInt32(name.dropFirst(Self.audits.count)) else { return nil }
            return (round, try file.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0)
        }.sorted { $0.round > $1.round }
    }

    /// Removes the oldest that there is no room for.
    /// - Parameters:
    ///   - pinned: rounds under dispute, which stay.
    ///   - newest: rounds from this one on are left by another job of the same folder, and go.
    func pruneAudits(keeping pinned: Set<UInt32>, newest: UInt32, mostBytes: Int) throws {
        var (count, bytes) = (0, 0)
        for (round, size) in try audits() {
            if round <= newest {
                count += 1
                bytes += size
                let fits = count <= AuditShelf.leastRounds || (count <= AuditShelf.mostRounds && bytes <= mostBytes)
                if fits || pinned.contains(round) { continue }
            }
            try FileManager.default.removeItem(at: folder.appending(path: "\(Self.audits)\(round)"))
        }
    }

    /// Who was named in the last rounds, as the chain said.
    package struct Named: BorshCodable, Hashable, Sendable {
        package struct Round: BorshCodable, Hashable, Sendable {
            package let round: UInt32
            package let partners: [JobPartner]

            package init(round: UInt32, partners: [JobPartner]) {
                self.round = round
                self.partners = partners
            }

            package func encode(to encoder: inout BorshEncoder) {
                encoder.integer(round)
                encoder.array(partners)
            }

            package init(from decoder: inout BorshDecoder) throws(BorshError) {
                round = try decoder.integer()
                partners = try decoder.array(limit: JobReveal.mostPartners, smallestElement: 39)
            }
        }

        package let job: Digest
        package let rounds: [Round]

        package init(job: Digest, rounds: [Round]) {
            self.job = job
            self.rounds = rounds
        }

        package func encode(to encoder: inout BorshEncoder) {
            encoder.value(job)
            encoder.array(rounds)
        }

        package init(from decoder: inout BorshDecoder) throws(BorshError) {
            job = try decoder.value()
            rounds = try decoder.array(limit: AuditShelf.mostRounds + 1, smallestElement: 8)
        }
    }

    package func save(_ named: Named) throws { try write(named.borsh, to: "named") }

    package func named(job: Digest) throws -> [Named.Round] {
        guard let named = try read("named").flatMap({ try? Named(borsh: $0) }), named.job == job else { return [] }
        return named.rounds
    }
}

extension AuditedRound.Named {
    static func byPlace(_ partners: [JobPartner]) -> [UInt16: AuditedRound.Named] {
        var named: [UInt16: AuditedRound.Named] = [:]
        for partner in partners { named[partner.index] = .init(root: partner.root, isUsed: partner.use == .used) }
        return named
    }
}
