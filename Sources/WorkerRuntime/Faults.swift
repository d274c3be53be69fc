import Cryptography
import Training

/// Faults that an experiment switches on: what this worker does wrong, and in which part of the rounds. A worker for
/// people has none.
public struct Faults: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// Commits, and never reveals.
        case withhold
        /// A fog node hands over its difference backwards and five times as large.
        case poison
        /// Hands over something else than it has computed.
        case lie
        /// Takes a quarter of the longest commit phase before it hands over what it has computed.
        case slow
        /// A cloud that acts as if the first of its workers were not there.
        case ignore
        /// Commits to what another has committed to, in place of work of its own.
        case copy
    }

    private var shares: [Kind: Double] = [:]
    /// So that not all workers with the same faults commit them in the same rounds, and each does so again if a test is
    /// repeated.
    public var seed: UInt64 = 0

    public init() {}

    public subscript(kind: Kind) -> Double {
        get { shares[kind] ?? 0 }
        set { shares[kind] = newValue }
    }

    public var isEmpty: Bool { shares.values.allSatisfy { $0 == 0 } }

    /// Whether the fault is committed in this round, or in this step of it.
    public func happens(_ kind: Kind, round: UInt32, step: UInt32 = 0) -> Bool {
        let share = self[kind]
        guard share > 0 else { return false }
        let number = Array("\(kind.rawValue)/\(seed)/\(round)/\(step)".utf8)
        let draw = Digest(domain: "edgeproof/fault/1", parts: number).bytes[..<4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return Double(draw) < share * 0x1p32
    }

    /// `poison:0.2`; nil for what is none.
    public static func parse(_ text: String) -> (kind: Kind, share: Double)? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let kind = Kind(rawValue: String(parts[0])), let share = Double(parts[1]),
            (0...1).contains(share)
        else { return nil }
        return (kind, share)
    }
}
