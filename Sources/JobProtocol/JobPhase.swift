/// Where a job stands. The raw values are part of the interface.
public enum JobPhase: UInt8, Sendable, CaseIterable {
    case registered, open, commit, reveal
    /// The committee commits to its scores; a committee of one scores at once.
    case validate
    case challenge, final, starved, paused, aborted, finished
    /// The committee reveals its scores.
    case score

    /// Nothing moves any more but money.
    public var isOver: Bool { self == .aborted || self == .finished }

    public var name: StaticString {
        switch self {
        case .registered: "registered"
        case .open: "open"
        case .commit: "commit"
        case .reveal: "reveal"
        case .validate: "validate"
        case .challenge: "challenge"
        case .final: "final"
        case .starved: "starved"
        case .paused: "paused"
        case .aborted: "aborted"
        case .finished: "finished"
        case .score: "score"
        }
    }
}

/// What the owner asked for; it happens once the running round is closed.
public enum JobRequest: UInt8, Sendable, CaseIterable {
    case none, pause, resume, abort
}

/// Weights of work that started from an older checkpoint, by how many rounds older: 1 / sqrt(1 + s), in 1024ths.
public enum JobStaleness {
    /// Of a synchronous job: work for the round before the running one.
    public static let mostSynchronous: UInt32 = 1
    public static let most: UInt32 = 3

    public static func weight(rounds: UInt32) -> UInt32 {
        switch rounds {
        case 0: 1_024
        case 1: 724
        case 2: 591
        case 3: 512
        default: 0
        }
    }
}

#if !hasFeature(Embedded)
extension JobPhase: CustomStringConvertible { public var description: String { name.description } }
#endif
