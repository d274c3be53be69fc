import Primitives
import Samples
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(20))) struct ReputationTests {
    /// One period, as the architecture's table says it.
    private func step(_ record: ReputationRecord) -> ReputationRecord {
        ReputationRecord(
            positive: record.positive - record.positive >> 8, negative: record.negative - record.negative >> 10,
            period: record.period + 1)
    }

    @Test func lazyDecayGivesTheBitsOfStepByStep() {
        let seed: UInt64 = 0xdeca
        var generator = SeededGenerator(seed: seed)
        for round in 0..<200 {
            let start = ReputationRecord(
                positive: generator.u64(), negative: generator.u64(), period: UInt64(generator.below(1_000)))
            var stepped = start
            var lazily = start
            var period = start.period
            for _ in 0..<4 {
                let gap = generator.below(generator.below(3) == 0 ? 20_000 : 50)
                for _ in 0..<gap { stepped = step(stepped) }
                period += UInt64(gap)
                lazily = Reputation.decayed(lazily, toPeriod: period)
                #expect(lazily == stepped, "seed \(seed), round \(round)")
            }
            #expect(Reputation.decayed(start, toPeriod: period) == stepped, "seed \(seed), round \(round)")
        }
    }

    /// The longest gap costs what the way to the fixpoint costs, and the fixpoint stays.
    @Test func decayStopsAtItsFixpoint() {
        let full = ReputationRecord(positive: .max, negative: .max, period: 0)
        let faded = Reputation.decayed(full, toPeriod: .max)
        #expect(faded == ReputationRecord(positive: 255, negative: 1_023, period: .max))
        var stepped = full
        var steps = 0
        while step(stepped).positive != stepped.positive || step(stepped).negative != stepped.negative {
            stepped = step(stepped)
            steps += 1
        }
        #expect(steps < 60_000)
        #expect(stepped.positive == 255 && stepped.negative == 1_023)
        #expect(Reputation.decayed(full, toPeriod: 0) == full)
        let later = ReputationRecord(positive: 5_000, negative: 5_000, period: 9)
        #expect(Reputation.decayed(later, toPeriod: 3) == later)
    }

    @Test func findingsCountAsTheTableSays() {
        var parameters = Parameters()
        parameters.decayPeriodMs = 1_000
        let w: UInt64 = 1 << 20
        let table: [(Finding.Kind, UInt64, UInt64)] = [
            (.accepted, w, 0), (.auditedMatch, 2 * w, 0), (.lateButUsed, w / 2, 0), (.absent, 0, w / 4),
            (.outlier, 0, w / 8), (.notRevealed, 0, w),
        ]
        for (kind, positive, negative) in table {
            let record = Reputation.apply(
                ReputationRecord(), kind: kind, weight: w, at: Time(7_999), parameters: parameters)
            #expect(record == ReputationRecord(positive: positive, negative: negative, period: 7), "\(kind)")
        }
        let record = ReputationRecord(positive: 512, negative: 2_048, period: 1)
        // The period's fading comes before its first event, and only once.
        let once = Reputation.apply(record, kind: .accepted, weight: 10, at: Time(2_000), parameters: parameters)
        #expect(once == ReputationRecord(positive: 520, negative: 2_046, period: 2))
        let twice = Reputation.apply(once, kind: .notRevealed, weight: 1, at: Time(2_999), parameters: parameters)
        #expect(twice == ReputationRecord(positive: 520, negative: 2_047, period: 2))
        // No weight, no event; a weight too small to add anything is none either.
        #expect(Reputation.apply(record, kind: .accepted, weight: 0, at: Time(9_000), parameters: parameters) == record)
        #expect(Reputation.apply(record, kind: .outlier, weight: 7, at: Time(9_000), parameters: parameters) == record)
        // Sums saturate.
        let full = ReputationRecord(positive: .max, negative: .max, period: 2)
        for kind in Finding.Kind.allCases {
            #expect(Reputation.apply(full, kind: kind, weight: .max, at: Time(2_000), parameters: parameters) == full)
        }
        // Parameters that nobody can make give no trap.
        parameters.decayPeriodMs = 0
        #expect(Reputation.period(of: Time(5), parameters: parameters) == 5)
    }

    @Test func scores() {
        #expect(Reputation.score(ReputationRecord()) == 0)
        #expect(Reputation.score(ReputationRecord(positive: 64 << 20, negative: 0, period: 0)) == 1 << 19)
        #expect(Reputation.score(ReputationRecord(positive: 64 << 20, negative: 16 << 20, period: 0)) == (1 << 20) / 3)
        #expect(Reputation.score(ReputationRecord(positive: .max, negative: 0, period: 0)) == (1 << 20) - 1)
        #expect(Reputation.score(ReputationRecord(positive: .max, negative: .max, period: 0)) == (1 << 20) / 5)
        // A newcomer is never better off than somebody with a damaged name.
        #expect(Reputation.score(ReputationRecord(positive: 0, negative: .max, period: 0)) == 0)
    }
}
