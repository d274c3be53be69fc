import Foundation
import JobProtocol
import Primitives

/// What a worker is about to agree to, in a sentence.
enum Terms {
    static func text(of spec: JobSpec, validator: Account) -> String {
        let times = [
            ("commit", spec.commitMinMs, spec.commitMaxMs), ("reveal", spec.revealTimeoutMs, spec.revealTimeoutMs),
            ("validation", spec.validateTimeoutMs, spec.validateTimeoutMs),
            ("answer to a complaint", spec.challengeTimeoutMs, spec.challengeTimeoutMs),
        ].map { name, low, high in
            low == high ? "\(name) \(seconds(low))" : "\(name) \(seconds(low)) to \(seconds(high))"
        }
        return "\(spec.rounds) rounds of \(spec.stepsPerRound) steps; times: \(times.joined(separator: ", ")); "
            + "scored by \(committee(spec, validator)); price of an accepted round: worker \(spec.workerPrice), "
            + "cloud \(spec.cloudPrice), validator \(spec.validatorPrice); bond \(spec.bond); "
            + "input audit: \(spec.inputAudit); \(spec.pace)"
    }

    private static func committee(_ spec: JobSpec, _ validator: Account) -> String {
        switch spec.committee.kind {
        case .validator: validator == .zero ? "nobody: the service has no validator" : "its validator \(validator)"
        case .masternodes: "\(spec.committee.size) masternodes that are drawn"
        case .named: "\(spec.committee.size) of " + spec.committee.named.map(\.description).joined(separator: ", ")
        }
    }

    private static func seconds(_ milliseconds: UInt64) -> String {
        String(format: milliseconds % 1_000 == 0 ? "%.0f s" : "%.3f s", Double(milliseconds) / 1_000)
    }
}
