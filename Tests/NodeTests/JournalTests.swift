import Consensus
import Cryptography
import NodeCore
import Primitives
import Simulation
import Testing

/// What a machine says after it died at any instant.
@Suite(.timeLimit(.minutes(20))) struct JournalTests {
    private func votes(_ messages: [NodeMessage]) -> [ConsensusMessage] {
        messages.compactMap {
            switch $0 {
            case .consensus(.notarizeVote(let vote)): .notarizeVote(vote)
            case .consensus(.nullifyVote(let vote)): .nullifyVote(vote)
            case .consensus(.finalizeVote(let vote)): .finalizeVote(vote)
            default: nil
            }
        }
    }

    private func contradicts(_ one: ConsensusMessage, _ other: ConsensusMessage) -> Bool {
        switch (one, other) {
        case (.notarizeVote(let a), .notarizeVote(let b)): a.subject.view == b.subject.view && a.subject != b.subject
        case (.finalizeVote(let a), .finalizeVote(let b)): a.subject.view == b.subject.view && a.subject != b.subject
        case (.nullifyVote(let a), .finalizeVote(let b)): a.subject.view == b.subject.view
        case (.finalizeVote(let a), .nullifyVote(let b)): a.subject.view == b.subject.view
        default: false
        }
    }

    /// The store is empty, as if no batch had reached it; the journal ends anywhere.
    @Test func anyPrefixOfTheJournalIsAPlaceToGoOnFrom() throws {
        let cast = try Cast.of(1, realSignatures: false)
        let first = try Bench(cast, masternode: 0)
        first.storesLater = true
        for sequence in 0..<6 as Range<UInt64> {
            first.now += 50
            first.submit(try Bench.record(cast, sequence: sequence))
        }
        let said = votes(first.take())
        #expect(said.count >= 12 && first.published.isEmpty)
        for end in 0...first.journal.count {
            let again = try Bench(cast, masternode: 0, journal: Array(first.journal.prefix(end)))
            again.now = first.now + 60_000
            again.tick()
            // What followed the place in the journal was never said: only what stands in it binds.
            let durable = said.filter { vote in
                first.journal.prefix(end).contains {
                    guard case .consensus(let record) = $0 else { return false }
                    return switch (record, vote) {
                    case (.notarizeVote(let a), .notarizeVote(let b)): a == b
                    case (.finalizeVote(let a), .finalizeVote(let b)): a == b
                    case (.nullifyVote(let a), .nullifyVote(let b)): a == b
                    default: false
                    }
                }
            }
            again.submit(try Bench.record(cast, client: 1, sequence: 0))
            for vote in votes(again.take()) {
                #expect(!durable.contains { contradicts($0, vote) }, "journal cut after \(end) entries: \(vote)")
            }
            #expect(again.halts.isEmpty && again.machine.headHeight > .zero)
        }
    }

    /// Blocks that are final here but not stored yet are needed again if the process dies now.
    @Test func aCutJournalKeepsBodiesThatTheStoreLacks() throws {
        var rules = NodeRules()
        rules.journalBytes = 0
        let bench = try Bench(Cast.of(1, realSignatures: false), masternode: 0, rules: rules)
        bench.storesLater = true
        for sequence in 0..<4 as Range<UInt64> {
            bench.now += 50
            bench.submit(try Bench.record(bench.cast, sequence: sequence))
        }
        #expect(bench.commits.count >= 3)
        bench.storeNext()
        _ = try #require(bench.rewritten)
        let stored = try #require(try bench.store.head()).height
        let head = bench.machine.headHeight
        #expect(stored < head)
        // All that was known is known again: journal and store are what is left of the first life.
        let again = try Bench(bench.cast, masternode: 0, store: bench.store, journal: bench.journal)
        #expect(again.machine.headHeight >= head && again.halts.isEmpty)
    }
}
