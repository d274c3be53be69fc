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
    /// Gas limits of all transactions of a block together: one unit of gas is about a nanosecond at the worst case.
    public var blockGas: UInt64 = 250_000_000
    public var transactionGas: UInt64 = 40_000_000
    /// Longest time between a header's time and a transaction's `validUntil`.
    public var validityMs: UInt64 = 600_000

    // Gas beside the VM's own
    /// What every transaction takes: its sender's record, history entry, receipt and index.
    public var gasPerTransaction: UInt64 = 80_000
    public var gasPerDataByte: UInt64 = 10
    public var gasPerStorageByte: UInt64 = 20
    /// Reading a value of the state that nothing has read for long.
    public var gasPerStorageAccess: UInt64 = 30_000
    /// Writing or removing one: the path of the state tree up to its root, and the store.
    public var gasPerStorageWrite: UInt64 = 125_000
    public var gasPerSignatureCheck: UInt64 = 60_000

    // Resource credits: one credit pays one unit of gas
    public var creditsPerTransactionByte: UInt64 = 100
    /// Units of stake that add one credit of capacity. See ``scaleCredits(toSupply:)``.
    public var balancePerCredit: UInt64 = 8
    /// An empty account is full again after this time.
    public var creditWindowMs: UInt64 = 3_600_000

    // Deposits for state: what exists locks them, what goes gives them back. Fixed by the genesis, so that what comes
    // back is what was locked.
    /// Smallest units for each key of the state.
    public var depositPerKey: UInt64 = 1_000_000
    /// Smallest units for each byte of a key and its value.
    public var depositPerByte: UInt64 = 1_000

    // Schedule queue
    public var scheduledGasPerBlock: UInt64 = 80_000_000
    public var scheduledGasPerCall: UInt64 = 40_000_000
    public var scheduledCallsPerService: UInt32 = 256
    public var scheduledCallsPerBlock: UInt32 = 64

    // Reputation
    public var decayPeriodMs: UInt64 = 3_600_000
    /// Smallest units of money locked by an owner that allow one unit (2^20) of verdict weight in each period of the lock.
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

    // Services
    /// How long an upgrade or the end of a service is announced before it can happen.
    public var serviceNoticeMs: UInt64 = 86_400_000

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
            ("scheduledGasPerCall", scheduledGasPerCall),
            ("decayPeriodMs", decayPeriodMs), ("depositPerVerdict", depositPerVerdict), ("blockGas", blockGas),
            ("epochBlocks", epochBlocks), ("epochMs", epochMs), ("unbondingMs", unbondingMs),
            ("evidenceEpochs", evidenceEpochs), ("clockAheadMs", clockAheadMs),
        ] where value == 0 || value > 1 << 50 {
            return "\(name) is \(value), which is not in 1...2^50"
        }
        if depositPerKey > 1 << 50 || depositPerByte > 1 << 40 {
            return "the deposit of \(depositPerKey) a key and \(depositPerByte) a byte is over 2^50 and 2^40"
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

    /// Sets ``balancePerCredit`` so that all credits of a chain with this supply are what its blocks can do in one credit
    /// window, one full block a second: whoever has a hundredth of the money has a hundredth of the work.
    public mutating func scaleCredits(toSupply supply: UInt128) {
        let (work, overflow) = UInt128(blockGas).multipliedReportingOverflow(by: UInt128(creditWindowMs))
        let credits = max(1, (overflow ? .max : work) / 1_000)
        balancePerCredit = min(max(1, UInt64(clamping: supply / credits)), 1 << 50)
    }

    /// What a key of the state and its value lock.
    public func deposit(keyBytes: Int, valueBytes: Int) -> UInt128 {
        UInt128(depositPerKey) + UInt128(depositPerByte) * (UInt128(clamping: keyBytes) + UInt128(clamping: valueBytes))
    }

    /// What an account locks for its record (whose history's frontier may grow) and its reputation.
    public var accountDeposit: UInt128 { deposit(keyBytes: 33, valueBytes: 1_024) }

    /// What a service locks, on its owner's account, for its name, record, contract's account and counters.
    public var serviceDeposit: UInt128 { accountDeposit + 3 * deposit(keyBytes: 33, valueBytes: 256) }

    /// The state keeps the sets of so many epochs.
    public static let longestEvidenceEpochs: UInt64 = 1_024
}
