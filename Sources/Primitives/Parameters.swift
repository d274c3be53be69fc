import Encoding

/// What the genesis fixes and governance may later change. Times are milliseconds of header time.
public struct Parameters: BorshCodable, Codable, Hashable, Sendable {
    // Consensus
    /// delta of `simplex.md`: the leader timer is 2 delta, the view timer 3 delta.
    public var networkDelayMs: UInt64 = 600
    /// With nothing to order, a block comes at this interval.
    public var heartbeatMs: UInt64 = 15_000
    /// How far a header's time may be ahead of a voter's clock.
    public var clockAheadMs: UInt64 = 2_000

    // Blocks
    public var blockBytes: UInt32 = 8_000_000
    public var blockGas: UInt64 = 120_000_000
    public var transactionGas: UInt64 = 40_000_000
    /// Longest time between a header's time and a transaction's `validUntil`.
    public var validityMs: UInt64 = 600_000

    // Gas beside the VM's own
    public var gasPerTransaction: UInt64 = 1_000
    public var gasPerDataByte: UInt64 = 10
    public var gasPerStorageByte: UInt64 = 20
    public var gasPerStorageAccess: UInt64 = 500
    public var gasPerSignatureCheck: UInt64 = 20_000

    // Resource credits: one credit pays one unit of gas
    public var creditsPerTransactionByte: UInt64 = 100
    /// Capacity of an account that holds any balance or deposit.
    public var creditBase: UInt64 = 2_000_000_000
    /// Units of balance that add one credit of capacity.
    public var balancePerCredit: UInt64 = 1_000
    public var creditMaximum: UInt64 = 200_000_000_000
    /// An empty account is full again after this time.
    public var creditWindowMs: UInt64 = 3_600_000

    // Schedule queue
    public var scheduledGasPerBlock: UInt64 = 60_000_000
    public var scheduledGasPerCall: UInt64 = 20_000_000
    public var scheduledCallsPerService: UInt32 = 256
    public var scheduledCallsPerBlock: UInt32 = 64

    // Reputation
    public var decayPeriodMs: UInt64 = 3_600_000
    /// Units of a service's deposit that allow one unit (2^20) of verdict weight in each period.
    public var depositPerVerdict: UInt64 = 1_000_000

    // Masternodes. An epoch ends with the first block that is both `epochBlocks` and `epochMs` after the one on which
    // it started: by time alone an outage would make an epoch of one block, by blocks alone anybody could hurry it.
    public var epochBlocks: UInt64 = 64
    public var epochMs: UInt64 = 600_000
    /// Smallest units that a masternode locks.
    public var collateral: UInt64 = 100_000_000_000
    /// How long collateral stays locked after a masternode left, at least. It stays until evidence has no more force.
    public var unbondingMs: UInt64 = 86_400_000
    /// Epochs after its own in which evidence counts.
    public var evidenceEpochs: UInt64 = 16
    /// Smallest units that each epoch's border makes for the owners of the masternodes that took part in it.
    public var rewardPerEpoch: UInt64 = 0

    public init() {}

    public func encode(to encoder: inout BorshEncoder) {
        for field in Self.fields {
            switch field.place {
            case .wide(let path): encoder.integer(self[keyPath: path])
            case .narrow(let path): encoder.integer(self[keyPath: path])
            }
        }
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        for field in Self.fields {
            switch field.place {
            case .wide(let path): self[keyPath: path] = try decoder.integer()
            case .narrow(let path): self[keyPath: path] = try decoder.integer()
            }
        }
        if let problem { throw decoder.failure(.notCanonical(problem)) }
    }

    /// What makes these parameters unusable, if anything.
    public var problem: String? {
        if blockBytes < 100_000 || Int(blockBytes) > ChainLimits.blockBytes {
            return "blockBytes \(blockBytes) is not in 100000...\(ChainLimits.blockBytes)"
        }
        for (name, value) in [
            ("networkDelayMs", networkDelayMs), ("heartbeatMs", heartbeatMs), ("validityMs", validityMs),
            ("balancePerCredit", balancePerCredit), ("creditWindowMs", creditWindowMs),
            ("decayPeriodMs", decayPeriodMs), ("depositPerVerdict", depositPerVerdict), ("blockGas", blockGas),
            ("epochBlocks", epochBlocks), ("epochMs", epochMs), ("unbondingMs", unbondingMs),
            ("evidenceEpochs", evidenceEpochs), ("clockAheadMs", clockAheadMs),
        ] where value == 0 || value > 1 << 50 {
            return "\(name) is \(value), which is not in 1...2^50"
        }
        if epochBlocks < 4 { return "epochBlocks is \(epochBlocks): an epoch has at least 4 blocks" }
        if evidenceEpochs > Self.longestEvidenceEpochs {
            return "evidenceEpochs is \(evidenceEpochs), which is over \(Self.longestEvidenceEpochs)"
        }
        if transactionGas > blockGas { return "transactionGas \(transactionGas) is over blockGas \(blockGas)" }
        if scheduledGasPerCall > scheduledGasPerBlock {
            return "scheduledGasPerCall \(scheduledGasPerCall) is over scheduledGasPerBlock \(scheduledGasPerBlock)"
        }
        return nil
    }

    /// The state keeps the sets of so many epochs.
    public static let longestEvidenceEpochs: UInt64 = 1_024
}
