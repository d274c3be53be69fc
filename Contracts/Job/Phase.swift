/// Where a job stands. The raw values are part of the interface.
enum Phase: UInt8 {
    case registered = 0
    case open = 1
    case commit = 2
    case reveal = 3
    case validate = 4
    case challenge = 5
    case final = 6
    case starved = 7
    case paused = 8
    case aborted = 9
    case finished = 10

    /// Nothing moves any more but money.
    var isOver: Bool { self == .aborted || self == .finished }

    var name: StaticString {
        switch self {
        case .registered: "registered"
        case .open: "open"
        case .commit: "in commit"
        case .reveal: "in reveal"
        case .validate: "in validate"
        case .challenge: "in challenge"
        case .final: "final"
        case .starved: "starved"
        case .paused: "paused"
        case .aborted: "aborted"
        case .finished: "finished"
        }
    }
}

/// What the owner asked for; the next scheduled call does it.
enum OwnerRequest: UInt8 {
    case none = 0
    case pause = 1
    case resume = 2
    case abort = 3
}

/// How a round ended. The raw values are part of the interface.
enum Outcome: UInt8 {
    case accepted = 0
    case rolledBack = 1
    case starved = 2
}

/// Why the job rests, or why its last round starved.
enum Reason: UInt8 {
    case none = 0
    case pausedByOwner = 1
    case abortedByOwner = 2
    case tooFewWorkers = 3
    case fewCommitments = 4
    case fewReveals = 5
    case silentValidator = 6
    case threeFewCommitments = 7
    case threeFewReveals = 8
    case threeSilentValidator = 9

    /// At most 64 bytes.
    var text: StaticString {
        switch self {
        case .none: ""
        case .pausedByOwner: "paused by the owner"
        case .abortedByOwner: "aborted by the owner"
        case .tooFewWorkers: "too few workers confirmed in time"
        case .fewCommitments: "starved: too few commitments in time"
        case .fewReveals: "starved: too few reveals in time"
        case .silentValidator: "starved: no validation in time"
        case .threeFewCommitments: "three rounds starved in a row: too few commitments in time"
        case .threeFewReveals: "three rounds starved in a row: too few reveals in time"
        case .threeSilentValidator: "three rounds starved in a row: no validation in time"
        }
    }

    /// The same reason once it has starved three rounds in a row.
    var afterThree: Reason {
        switch self {
        case .fewCommitments: .threeFewCommitments
        case .fewReveals: .threeFewReveals
        case .silentValidator: .threeSilentValidator
        default: self
        }
    }
}
