import Audit
import Cryptography
import Encoding
import Primitives
import StateTree
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(20))) struct VerifyTests {
    @Test func honestFilesVerifyAndReport() throws {
        let chain = try Chain()
        let file = try chain.file()
        let bytes = file.bytes
        #expect(try AuditFile(bytes: bytes) == file)
        #expect(bytes.starts(with: Array("EDGEPROOF-AUDIT".utf8) + [Audit.version]))
        #expect(Digest(sha256: Array(bytes.dropLast(32))).bytes == Array(bytes.suffix(32)))

        let report = try AuditFile.verify(bytes, genesis: chain.genesis)
        let digest = file.header.digest(genesis: chain.genesis.hash)
        #expect(report.chainName == "audit-test" && report.genesisHash == chain.genesis.hash)
        #expect(report.account == chain.account && report.exists)
        #expect(report.height == Height(9) && report.time == Time(9_000) && report.block == digest)
        #expect(report.finalisedHeight == Height(9) && report.signers == 3 && report.masternodes == 4)
        #expect(report.balance == 1_234 && report.sequence == 3 && report.entries == 7)
        #expect(report.historyRoot == chain.record.history.root)
        #expect(report.actions.map(\.action) == [.postSecondLayerId, .applicationTask, .commitmentTask])
        #expect(report.actions.map(\.count) == [1, 1, 1])
        #expect(report.outcomes.succeeded == 1 && report.outcomes.recorded == 1 && report.outcomes.failed == 1)
        #expect(report.findings.map(\.role) == [.cloud, .edge, .edge, .validator])
        #expect(report.findings.map(\.effective) == [1, 1, 1, 0])
        #expect(report.reputation.map(\.role) == Role.allCases)
        #expect(report.reputation.map { $0.score > 0 } == [true, true, false, false, false])
        for (shown, stored) in zip(report.reputation, chain.reputation) {
            #expect(shown.stored == stored ?? ReputationRecord())
            #expect(shown.record == Reputation.decayed(shown.stored, toPeriod: 9))
            #expect(shown.score == Reputation.score(shown.record))
        }
        #expect(report.explanation.steps.map(\.index) == [2, 4, 5, 6])
        let edge = report.explanation.steps[1]
        #expect(edge.before == ReputationRecord(positive: 3 << 20, negative: 0, period: 2))
        #expect(edge.after == chain.reputation[1])
    }

    @Test func descendantsProveABlockWithoutItsOwnFinalization() throws {
        var chain = try Chain()
        for count in [1, 2, 5] {
            chain.descendants = count
            let report = try AuditFile.verify(chain.file().bytes, genesis: chain.genesis)
            #expect(report.height == Height(9) && report.finalisedHeight == Height(9 + UInt64(count)))
        }
    }

    @Test func anAccountThatTheStateDoesNotKnow() throws {
        var chain = try Chain()
        chain.entries = []
        chain.settle()
        chain.exists = false
        let report = try AuditFile.verify(chain.file().bytes, genesis: chain.genesis)
        #expect(!report.exists && report.entries == 0 && report.sequence == 0)
        // A stranger's absence cannot hide a history.
        let known = try Chain()
        let file = try known.file()
        let hidden = file.replacing(record: ProvenValue(value: nil, proof: file.record.proof), entries: [])
        #expect(throws: AuditError.unprovenRecord(known.account, height: Height(9))) {
            try hidden.verify(genesis: known.genesis)
        }
    }

    @Test func checkpoints() throws {
        var chain = try Chain()
        chain.descendants = 2
        let file = try chain.file()
        let digests = ([file.header] + file.descendants).map { $0.digest(genesis: chain.genesis.hash) }
        for (offset, digest) in digests.enumerated() {
            _ = try file.verify(genesis: chain.genesis, checkpoint: (Height(9 + UInt64(offset)), digest))
            #expect(throws: AuditError.otherThanCheckpoint(Height(9 + UInt64(offset)), file: digest, checkpoint: .zero)) {
                try file.verify(genesis: chain.genesis, checkpoint: (Height(9 + UInt64(offset)), .zero))
            }
        }
        for height in [0, 8, 12, UInt64.max] {
            #expect(throws: AuditError.checkpointNotCovered(Height(height), lowest: Height(9), highest: Height(11))) {
                try file.verify(genesis: chain.genesis, checkpoint: (Height(height), digests[0]))
            }
        }
    }

    /// The reference for `reputation --explain`: findings of all roles, interleaved, over random gaps.
    @Test func explanationsReplayTheCounters() throws {
        let seed: UInt64 = 0xe0
        var generator = SeededGenerator(seed: seed)
        var chain = try Chain()
        chain.entries = []
        var time: UInt64 = 0
        for _ in 0..<200 {
            time += UInt64(generator.below(40))
            chain.find(
                height: time / 10, time: time, role: Role.allCases[generator.below(5)],
                kind: Finding.Kind.allCases[generator.below(6)], weight: generator.next() >> UInt64(generator.below(64)))
        }
        chain.settle()
        let explanation = ReputationExplanation(entries: chain.entries, parameters: chain.genesis.parameters)
        for role in Role.allCases {
            let expected = chain.reputation[Int(role.rawValue)] ?? ReputationRecord()
            #expect(explanation.record(of: role) == expected, "seed \(seed)")
            let steps = explanation.steps.filter { $0.finding.role == role }
            #expect(steps.last?.after ?? ReputationRecord() == expected)
            for (earlier, later) in zip(steps, steps.dropFirst()) { #expect(earlier.after == later.before) }
            for step in steps { #expect(step.score == Reputation.score(step.after)) }
        }
        #expect(explanation.steps.count == 200)
    }
}
