import Audit
import Cryptography
import Encoding
import Primitives
import StateTree
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(20))) struct ForgeryTests {
    // MARK: Bytes

    /// Every byte of a file, changed in several ways: damage with the old checksum, forgery with a fresh one.
    @Test(arguments: [false, true])
    func everyChangedByteIsRefused(forger: Bool) throws {
        let seed: UInt64 = 0x1b17e
        var generator = SeededGenerator(seed: seed)
        var chain = try Chain()
        chain.descendants = forger ? 1 : 0
        let bytes = try chain.file().bytes
        let genesis = chain.genesis
        var accepted: [Int] = []
        for position in bytes.indices.dropLast(forger ? 32 : 0) {
            for mask in [1, 0x80, UInt8(1 + generator.below(255))] {
                var changed = bytes
                changed[position] ^= mask
                if forger { changed = resealed(changed) }
                if (try? AuditFile.verify(changed, genesis: genesis)) != nil { accepted.append(position) }
            }
        }
        #expect(accepted.isEmpty, "seed \(seed), forger \(forger): accepted with changes at bytes \(accepted)")
    }

    @Test func cutAddedAndMovedBytesAreRefused() throws {
        let seed: UInt64 = 0x5eed
        var generator = SeededGenerator(seed: seed)
        let chain = try Chain()
        let bytes = try chain.file().bytes
        for length in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: AuditError.self) { try AuditFile(bytes: Array(bytes.prefix(length))) }
            #expect(throws: AuditError.self) { try AuditFile(bytes: resealed(Array(bytes.prefix(length)))) }
        }
        #expect(throws: AuditError.self) { try AuditFile(bytes: bytes + [0]) }
        #expect(throws: AuditError.self) { try AuditFile(bytes: resealed(bytes.dropLast(32) + [0] + bytes.suffix(32))) }
        for round in 0..<3_000 {
            var changed = bytes
            let start = generator.below(bytes.count - 32)
            let end = min(bytes.count - 32, start + generator.below(40))
            switch generator.below(3) {
            case 0: changed.removeSubrange(start..<end)
            case 1: changed.insert(contentsOf: generator.bytes(generator.below(40)), at: start)
            default: changed.replaceSubrange(start..<end, with: generator.bytes(end - start))
            }
            changed = resealed(changed)
            if changed != bytes, (try? AuditFile.verify(changed, genesis: chain.genesis)) != nil {
                Issue.record("seed \(seed), round \(round): a changed file was accepted")
            }
        }
    }

    @Test func theFrame() throws {
        let chain = try Chain()
        let bytes = try chain.file().bytes
        #expect(throws: AuditError.notAnAuditFile) { try AuditFile(bytes: []) }
        #expect(throws: AuditError.notAnAuditFile) { try AuditFile(bytes: [0] + bytes) }
        #expect(throws: AuditError.truncated(16)) { try AuditFile(bytes: Array(bytes.prefix(16))) }
        var newer = bytes
        newer[15] = 3
        #expect(throws: AuditError.unsupportedVersion(3)) { try AuditFile(bytes: newer) }
        var damaged = bytes
        damaged[100] ^= 1
        #expect(throws: AuditError.damaged(computed: Digest(sha256: Array(damaged.dropLast(32))))) {
            try AuditFile(bytes: damaged)
        }
        let longer = resealed(bytes.dropLast(32) + [0] + bytes.suffix(32))
        #expect(throws: AuditError.malformed(BorshError(.trailingBytes(1), at: bytes.count - 32))) {
            try AuditFile(bytes: longer)
        }
    }

    // MARK: The block

    @Test func theBlock() throws {
        var chain = try Chain()
        let file = try chain.file()
        let genesis = chain.genesis
        func refuses(_ expected: AuditError, _ file: AuditFile, _ name: Comment) {
            #expect(throws: expected, name) { try AuditFile.verify(file.bytes, genesis: genesis) }
        }
        refuses(.otherGenesis(file: .zero, given: genesis.hash), file.replacing(genesisHash: .zero), "other genesis")
        let other = try Genesis(
            chainName: "other", time: genesis.time, parameters: genesis.parameters, masternodes: genesis.masternodes,
            allocations: [])
        #expect(throws: AuditError.otherGenesis(file: genesis.hash, given: other.hash)) { try file.verify(genesis: other) }
        // The votes bind the chain: a relabelled file fails at the header's digest.
        #expect(throws: AuditError.self) { try file.replacing(genesisHash: other.hash).verify(genesis: other) }

        let header = file.header
        let digest = header.digest(genesis: genesis.hash)
        let forged = chain.header(9, parent: header.parent, stateRoot: Digest(sha256: [1]))
        refuses(
            .otherBlockFinalised(Height(9), header: forged.digest(genesis: genesis.hash), certificate: digest),
            file.replacing(header: forged), "wrong state root")
        for (signers, error) in [
            ([0, 1], CertificateError.tooFewSigners(2, quorum: 3)), ([], .tooFewSigners(0, quorum: 3)),
            ([0, 1, 4], .unknownSigner(4)), ([0, 1, 2, 4], .unknownSigner(4)),
        ] {
            let finalization = try #require(try chain.finalization(of: header, signers: signers))
            refuses(.notFinalised(Height(9), error), file.replacing(finalization: finalization), "signers \(signers)")
        }
        // Padded: two masternodes, and a third whose signature is a copy.
        let good = file.finalization
        let votes = [(0, 0), (1, 1), (2, 1)].map {
            Vote(subject: good.subject, signer: UInt16($0.0), signature: good.signatures[$0.1])
        }
        let padded = try #require(Finalization(subject: good.subject, votes: votes))
        refuses(.notFinalised(Height(9), .wrongSignature(2)), file.replacing(finalization: padded), "padded signers")

        chain.epoch = Epoch(1)
        // The same masternodes in a later epoch: a set is trusted as long as headers name it.
        #expect(throws: Never.self) { try chain.file().verify(genesis: genesis) }
        chain.epoch = .zero
        chain.activeSetHash = .zero
        refuses(
            .otherMasternodes(Height(9), header: .zero, trusted: genesis.masternodes.hash), try chain.file(), "other set")
    }

    @Test func theDescendants() throws {
        var chain = try Chain()
        chain.descendants = 3
        let file = try chain.file()
        let genesis = chain.genesis
        let above = file.descendants
        func breaks(_ descendants: [Header], at height: UInt64, _ name: Comment) {
            do {
                _ = try file.replacing(descendants: descendants).verify(genesis: genesis)
                Issue.record("\(name): accepted")
            } catch AuditError.brokenChain(let found, _) {
                #expect(found == Height(height), name)
            } catch { Issue.record("\(name): \(error)") }
        }
        breaks([above[1], above[2]], at: 11, "gap")
        breaks([above[0], above[2]], at: 12, "gap further up")
        breaks([above[1], above[0], above[2]], at: 11, "reordered")
        breaks([chain.header(10, parent: .zero, stateRoot: .zero), above[1], above[2]], at: 10, "another parent")
        #expect(throws: AuditError.self) { try file.replacing(descendants: []).verify(genesis: genesis) }
        #expect(throws: AuditError.self) { try file.replacing(descendants: Array(above.dropLast())).verify(genesis: genesis) }
        let more = above + [chain.header(13, parent: above[2].digest(genesis: genesis.hash), stateRoot: .zero)]
        #expect(throws: AuditError.self) { try file.replacing(descendants: more).verify(genesis: genesis) }
        let first = chain.header(0, parent: .zero, stateRoot: file.header.stateRoot)
        let finalization = try #require(try chain.finalization(of: first, signers: [0, 1, 2]))
        #expect(throws: AuditError.brokenChain(.zero, "no block has height 0")) {
            try file.replacing(header: first, descendants: [], finalization: finalization).verify(genesis: genesis)
        }
    }

    // MARK: The account

    @Test func theHistory() throws {
        let chain = try Chain()
        let file = try chain.file()
        func refuses(_ expected: AuditError, _ entries: [HistoryEntry], _ name: Comment) {
            #expect(throws: expected, name) {
                try AuditFile.verify(file.replacing(entries: entries).bytes, genesis: chain.genesis)
            }
        }
        let entries = file.entries
        refuses(.entryOutOfPlace(position: 2, index: 3), entries.removing(2), "dropped")
        refuses(.entryOutOfPlace(position: 1, index: 2), entries.swapping(1, 2), "reordered")
        refuses(.incompleteHistory(entries: 6, proven: 7), Array(entries.dropLast()), "last dropped")
        refuses(.incompleteHistory(entries: 0, proven: 7), [], "all dropped")
        let extra = HistoryEntry(index: 7, height: Height(8), time: Time(8_000), content: entries[6].content)
        refuses(.incompleteHistory(entries: 8, proven: 7), entries + [extra], "added")

        func changed(_ name: Comment, _ entries: [HistoryEntry]) {
            var frontier = MerkleFrontier()
            for entry in entries { frontier.append(entry.leaf) }
            refuses(.changedHistory(computed: frontier.root, proven: chain.record.history.root), entries, name)
        }
        changed("renumbered after a drop", (entries.removing(2) + [extra]).renumbered)
        changed("renumbered after a swap", entries.swapping(1, 2).renumbered)
        for (position, entry) in entries.enumerated() {
            changed("other height", entries.replacing(position, entry.with(height: Height(3))))
            changed("other time", entries.replacing(position, entry.with(time: Time(4_321))))
            switch entry.content {
            case .action(let action):
                let better = ActionRecord(
                    transaction: action.transaction, outcome: .failed("otherwise"), gasUsed: action.gasUsed)
                changed("other outcome", entries.replacing(position, entry.with(content: .action(better))))
            case .finding(let finding):
                let better = Finding(
                    service: finding.service, role: finding.role, kind: .accepted, weight: 9 << 20, note: "")
                changed("other finding", entries.replacing(position, entry.with(content: .finding(better))))
            }
        }
    }

    /// What no honest chain would certify is refused as well.
    @Test func contradictionsInACertifiedState() throws {
        func refuses(_ expected: AuditError, _ name: Comment, _ change: (inout Chain) throws -> Void) throws {
            var chain = try Chain()
            try change(&chain)
            let bytes = try chain.file().bytes
            #expect(throws: expected, name) { try AuditFile.verify(bytes, genesis: chain.genesis) }
        }
        let earlier = "it is earlier than the entry before it"
        try refuses(.entryOutOfTime(7, earlier), "height goes back") {
            try $0.act(height: 6, time: 8_000, action: .transfer, outcome: .succeeded)
            $0.settle()
        }
        try refuses(.entryOutOfTime(7, earlier), "time goes back") {
            try $0.act(height: 8, time: 6_999, action: .transfer, outcome: .succeeded)
            $0.settle()
        }
        let late = "it is not before the audited block"
        try refuses(.entryOutOfTime(7, late), "height of the block itself") {
            try $0.act(height: 9, time: 8_000, action: .transfer, outcome: .succeeded)
            $0.settle()
        }
        try refuses(.entryOutOfTime(7, late), "time after the block") {
            try $0.act(height: 8, time: 9_001, action: .transfer, outcome: .succeeded)
            $0.settle()
        }
        try refuses(.foreignAction(7, sender: .zero), "foreign action") {
            try $0.act(height: 8, time: 8_000, action: .transfer, outcome: .succeeded, sender: .zero)
            $0.settle()
        }
        try refuses(.sequenceGap(7, found: 4, expected: 3), "skipped sequence") {
            try $0.act(height: 8, time: 8_000, action: .transfer, outcome: .succeeded, sequence: 4)
            $0.settle()
        }
        try refuses(.missingActions(found: 3, proven: 4), "record with more actions") { $0.record.sequence = 4 }
        let edge = try Chain().reputation[1] ?? ReputationRecord()
        let better = ReputationRecord(positive: edge.positive + 1, negative: edge.negative, period: edge.period)
        try refuses(.wrongReputation(.edge, computed: edge, proven: better), "better counters") {
            $0.reputation[1] = better
        }
        try refuses(.wrongReputation(.edge, computed: edge, proven: ReputationRecord()), "no counters") {
            $0.reputation[1] = nil
        }
        let gift = ReputationRecord(positive: 1, negative: 0, period: 0)
        try refuses(.wrongReputation(.fog, computed: ReputationRecord(), proven: gift), "counters from nowhere") {
            $0.reputation[2] = gift
        }
    }

    @Test func theRecords() throws {
        let chain = try Chain()
        let file = try chain.file()
        let genesis = chain.genesis
        let height = Height(9)
        var richer = chain.record
        richer.balance += 1
        var shorter = chain.record
        shorter.history = MerkleFrontier()
        for record in [richer, shorter] {
            #expect(throws: AuditError.unprovenRecord(chain.account, height: height)) {
                try file.replacing(record: ProvenValue(value: record, proof: file.record.proof)).verify(genesis: genesis)
            }
        }
        let other = Account(words: Digest(sha256: [77]).words)
        #expect(throws: AuditError.unprovenRecord(other, height: height)) {
            try file.replacing(account: other).verify(genesis: genesis)
        }
        // Roles swapped, one hidden, one invented.
        var swapped = file.reputation
        swapped.swapAt(0, 1)
        #expect(throws: AuditError.unprovenReputation(.cloud, height: height)) {
            try file.replacing(reputation: swapped).verify(genesis: genesis)
        }
        var hidden = file.reputation
        hidden[1] = ProvenValue(value: nil, proof: hidden[2].proof)
        #expect(throws: AuditError.unprovenReputation(.edge, height: height)) {
            try file.replacing(reputation: hidden).verify(genesis: genesis)
        }
        var invented = file.reputation
        invented[4] = ProvenValue(value: ReputationRecord(positive: 1, negative: 0, period: 0), proof: invented[4].proof)
        #expect(throws: AuditError.unprovenReputation(.validator, height: height)) {
            try file.replacing(reputation: invented).verify(genesis: genesis)
        }
    }

    /// Every refusal says something of its own.
    @Test func errorsAreDistinct() {
        let errors: [AuditError] = [
            .notAnAuditFile, .truncated(1), .unsupportedVersion(2), .damaged(computed: .zero),
            .malformed(BorshError(.invalidUTF8, at: 1)), .otherGenesis(file: .zero, given: .zero),
            .otherEpoch(.zero, .zero, expected: .zero), .otherMasternodes(.zero, header: .zero, trusted: .zero),
            .brokenLink(0, .otherSet(.zero, header: .zero, trusted: .zero)), .brokenChain(.zero, "x"),
            .otherBlockFinalised(.zero, header: .zero, certificate: .zero), .notFinalised(.zero, .unknownSigner(1)),
            .checkpointNotCovered(.zero, lowest: .zero, highest: .zero),
            .otherThanCheckpoint(.zero, file: .zero, checkpoint: .zero), .unprovenRecord(.zero, height: .zero),
            .entryOutOfPlace(position: 1, index: 2), .incompleteHistory(entries: 1, proven: 2),
            .changedHistory(computed: .zero, proven: .zero), .entryOutOfTime(1, "x"), .foreignAction(1, sender: .zero),
            .sequenceGap(1, found: 2, expected: 3), .missingActions(found: 1, proven: 2),
            .unprovenReputation(.edge, height: .zero),
            .wrongReputation(.edge, computed: ReputationRecord(), proven: ReputationRecord()),
        ]
        #expect(Set(errors.map(\.description)).count == errors.count)
        #expect(errors.allSatisfy { !$0.description.contains("\n") && $0.description.count > 20 })
    }
}

extension Array {
    func removing(_ index: Int) -> [Element] {
        var copy = self
        copy.remove(at: index)
        return copy
    }
    func swapping(_ a: Int, _ b: Int) -> [Element] {
        var copy = self
        copy.swapAt(a, b)
        return copy
    }
    func replacing(_ index: Int, _ element: Element) -> [Element] {
        var copy = self
        copy[index] = element
        return copy
    }
}

extension [HistoryEntry] {
    var renumbered: [HistoryEntry] {
        enumerated().map { HistoryEntry(index: UInt64($0), height: $1.height, time: $1.time, content: $1.content) }
    }
}

extension HistoryEntry {
    func with(height: Height? = nil, time: Time? = nil, content: Content? = nil) -> HistoryEntry {
        HistoryEntry(
            index: index, height: height ?? self.height, time: time ?? self.time, content: content ?? self.content)
    }
}
