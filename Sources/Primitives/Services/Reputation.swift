/// How findings become reputation (architecture, section 5): pure integer arithmetic, the same for the ledger that
/// keeps the counters, for the audit that replays them and for `reputation --explain`.
///
/// Counters are in units of ``unit`` and saturate. A finding whose increment is 0 changes nothing, not even the
/// period; every other one first decays the counters to its own period.
public enum Reputation {
    /// U: what one whole verdict weighs, and the largest score plus one.
    public static let unit: UInt64 = 1 << 20
    /// Units that stand against every account from the start, so that the first verdicts weigh little.
    public static let prior: UInt128 = 64

    private static let positiveShift: UInt64 = 8
    private static let negativeShift: UInt64 = 10

    /// Decay period that a header time falls into.
    public static func period(of time: Time, parameters: Parameters) -> UInt64 {
        time.value / max(1, parameters.decayPeriodMs)
    }

    /// The record as of a later period. Each period takes `P >> 8` and `N >> 10` away; the loop ends where that is 0
    /// for both, after at most about 60,000 steps whatever the gap. A period that is not later changes nothing.
    public static func decayed(_ record: ReputationRecord, toPeriod period: UInt64) -> ReputationRecord {
        guard period > record.period else { return record }
        var result = record
        var left = period - record.period
        while left > 0 {
            let fade = (result.positive >> positiveShift, result.negative >> negativeShift)
            if fade == (0, 0) { break }
            result.positive -= fade.0
            result.negative -= fade.1
            left -= 1
        }
        result.period = period
        return result
    }

    /// The record after a finding of this kind and weight in a block of this time.
    public static func apply(
        _ record: ReputationRecord, kind: Finding.Kind, weight: UInt64, at time: Time, parameters: Parameters
    ) -> ReputationRecord {
        let (positive, negative) = increments(kind: kind, weight: weight)
        guard positive > 0 || negative > 0 else { return record }
        var result = decayed(record, toPeriod: period(of: time, parameters: parameters))
        result.positive = saturatingSum(result.positive, positive)
        result.negative = saturatingSum(result.negative, negative)
        return result
    }

    /// What a finding adds to P and to N.
    public static func increments(kind: Finding.Kind, weight: UInt64) -> (positive: UInt64, negative: UInt64) {
        switch kind {
        case .accepted: (weight, 0)
        case .auditedMatch: (saturatingSum(weight, weight), 0)
        case .lateButUsed: (weight / 2, 0)
        case .absent: (0, weight / 4)
        case .outlier: (0, weight / 8)
        case .notRevealed: (0, weight)
        case .equivocation, .fraud: (0, 0)
        }
    }

    /// R = (P << 20) / (P + 4N + 64U), in 0..<2^20. A newcomer has 0.
    public static func score(_ record: ReputationRecord) -> UInt64 {
        let positive = UInt128(record.positive)
        let against = 4 * UInt128(record.negative) + prior * UInt128(unit)
        return UInt64(clamping: (positive << 20) / (positive + against))
    }

    private static func saturatingSum(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let (sum, overflow) = a.addingReportingOverflow(b)
        return overflow ? .max : sum
    }
}
