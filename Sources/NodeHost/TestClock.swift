import Foundation
import Primitives

/// A wall clock that a test sets apart from the machine's: no network namespace has a clock of its own.
///
/// It needs two environment variables, so that none set by mistake moves a node's clock: one that allows it, and the
/// offset. Without the first the second is ignored, and the log says so. The monotonic clock stays as it is.
package enum TestClock {
    package static let offsetVariable = "EDGEPROOF_TEST_CLOCK_OFFSET_MS"
    package static let permissionVariable = "EDGEPROOF_ALLOW_TEST_CLOCK"
    /// Any value but this is no permission.
    package static let permission = "this is a test"
    /// Milliseconds either way: two nodes may then be further apart than a header may be ahead of a voter's clock.
    package static let largestOffsetMs: Int64 = 1_500

    package enum Setting: Equatable, Sendable {
        case none
        /// Asked for, and refused for this reason.
        case ignored(String)
        /// Milliseconds to add to the wall clock.
        case offset(Int64)
    }

    /// What the environment asks for.
    package static func setting(_ environment: [String: String]) -> Setting {
        guard let text = environment[offsetVariable] else { return .none }
        guard environment[permissionVariable] == permission else {
            return .ignored("\(offsetVariable) is ignored: it is for tests, and \(permissionVariable) does not allow it")
        }
        guard let offset = Int64(text), (-largestOffsetMs...largestOffsetMs).contains(offset) else {
            return .ignored("\(offsetVariable) is ignored: it takes -\(largestOffsetMs) to \(largestOffsetMs)")
        }
        return .offset(offset)
    }

    /// This process's, fixed at its first use.
    static let current = setting(ProcessInfo.processInfo.environment)
    private static let offset: Int64 = if case .offset(let milliseconds) = current { milliseconds } else { 0 }

    /// What the operator must know before the node starts; nil in a node that is none of a test.
    static var warning: String? {
        switch current {
        case .none: nil
        case .ignored(let reason): reason
        case .offset(let milliseconds): "this node's clock is \(milliseconds) ms off by \(offsetVariable): a test's node"
        }
    }

    /// - Parameters:
    ///   - machine: since 1970 by the machine's clock.
    ///   - perMs: units of it in a millisecond.
    static func wall(_ machine: UInt64, perMs: UInt64) -> UInt64 {
        let distance = offset.magnitude &* perMs
        return offset < 0 ? machine - min(machine, distance) : machine &+ distance
    }
}
