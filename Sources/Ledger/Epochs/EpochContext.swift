import Cryptography
import Encoding
import Primitives

/// Versions of the protocol: which rules a block is made and executed by. Governance moves a chain from one to the next
/// at an epoch's border (``Change/upgrade(protocolVersion:)``).
public enum ProtocolVersion {
    /// What every chain starts with.
    public static let first: UInt16 = 1
    /// The newest that this program knows.
    public static let newest: UInt16 = 1
}

/// What the rules need to know of the epoch that the next block belongs to. It is the same for all blocks of an epoch,
/// so whoever executes blocks hands it on from each to the next, and only a border makes a new one.
public struct EpochContext: Hashable, Sendable {
    public let plan: EpochPlan
    public let nextPlan: EpochPlan
    public let leaders: LeaderSchedule
    public let setHash: Digest
    public let nextSetHash: Digest
    public let parameters: Parameters
    public let protocolVersion: UInt16
    /// Of the block on which the epoch started.
    public let startHeight: Height
    public let startTime: Time

    public var epoch: Epoch { plan.epoch }
    public var set: MasternodeSet { plan.set }

    /// Reads it from the state after the newest block.
    public init(ledger: Ledger, state: any StateReader) throws(LedgerError) {
        let progress: EpochProgress = try state.require(.epochProgress)
        try self.init(progress: progress, parameters: ledger.parameters(state)) { epoch throws(LedgerError) in
            try state.require(.epoch(epoch))
        }
    }

    init(
        progress: EpochProgress, parameters: Parameters, plan: (Epoch) throws(LedgerError) -> EpochPlan
    ) throws(LedgerError) {
        self.plan = try plan(progress.epoch)
        nextPlan = try plan(progress.epoch.next)
        leaders = self.plan.leaders
        setHash = self.plan.set.hash
        nextSetHash = nextPlan.set.hash
        self.parameters = parameters
        protocolVersion = progress.protocolVersion
        startHeight = progress.startHeight
        startTime = progress.startTime
    }

    /// Whether a block of this height and time ends the epoch.
    public func isBorder(height: Height, time: Time) -> Bool {
        // Two rotations of the leaders, so that everybody could be seen.
        height.distance(since: startHeight) >= max(parameters.epochBlocks, 2 * UInt64(set.count))
            && time.distance(since: startTime) >= parameters.epochMs
    }
}

extension Ledger {
    /// The context that the caller has, or else the one that the state tells.
    func context(_ known: EpochContext?, state: any StateReader) throws(LedgerError) -> EpochContext {
        if let known { return known }
        return try EpochContext(ledger: self, state: state)
    }
}

extension StateReader {
    /// A value that every state has.
    func require<Value: BorshDecodable>(_ key: StateKey, as type: Value.Type = Value.self) throws(LedgerError) -> Value {
        guard let value: Value = try read(key) else { throw .corruptState(key, "it is missing") }
        return value
    }
}

extension Overlay {
    /// A value that every state has.
    func require<Value: BorshDecodable>(_ key: StateKey) throws(LedgerError) -> Value {
        guard let value: Value = try value(key) else { throw .corruptState(key, "it is missing") }
        return value
    }
}
