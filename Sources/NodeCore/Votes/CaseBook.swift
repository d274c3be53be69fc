import Consensus
import Cryptography
import Primitives

/// Contradictions that the ledger does not know yet, by the offender's key: at most one for each masternode.
struct CaseBook {
    private struct Case {
        let evidence: Evidence
        /// Members report one after the other, in the order of the set from the offender on, so that one report is enough.
        let dueTick: UInt64
    }

    private var cases: [PublicKey: Case] = [:]

    var count: Int { cases.count }
    var isEmpty: Bool { cases.isEmpty }
    func isOpen(against offender: PublicKey) -> Bool { cases[offender] != nil }

    mutating func open(_ evidence: Evidence, against offender: PublicKey, dueTick: UInt64) {
        if cases[offender] == nil { cases[offender] = Case(evidence: evidence, dueTick: dueTick) }
    }

    mutating func close(_ offender: PublicKey) { cases[offender] = nil }

    /// In the order of the offenders' keys.
    func all(at tick: UInt64) -> [(offender: PublicKey, evidence: Evidence, isDue: Bool)] {
        cases.sorted { $0.key < $1.key }.map { ($0.key, $0.value.evidence, $0.value.dueTick <= tick) }
    }
}
