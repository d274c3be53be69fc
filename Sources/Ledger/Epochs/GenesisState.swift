import Cryptography
import Encoding
import Primitives

extension Ledger {
    /// The state before the first block: balances, masternodes with their collateral, the plans of
    /// the first two epochs, the initial randomness, supply, an empty schedule.
    public func genesisState() -> StateDelta {
        let parameters = genesis.parameters
        let credits = Credits(parameters)
        var changes: [(key: StateKey, value: [UInt8]?)] = []
        var supply: UInt128 = 0
        var accounts: [Account: AccountRecord] = [:]
        // `Genesis` has checked that the sums fit.
        for allocation in genesis.allocations {
            supply &+= allocation.balance
            accounts[allocation.account, default: AccountRecord()].balance = allocation.balance
        }
        for member in genesis.masternodes.members {
            let collateral = UInt128(parameters.collateral)
            supply &+= collateral
            accounts[Account(member.consensusKey), default: AccountRecord()].locked = collateral
            let record = MasternodeRecord(
                masternode: member, collateral: collateral, status: .active(from: .zero), registeredAt: .zero,
                lastSeen: .zero)
            changes.append((.masternode(member.consensusKey), record.borsh))
            changes.append((.beacon(member.consensusKey), member.beaconTip.borsh))
        }
        for (account, record) in accounts {
            var record = record
            record.credits = credits.capacity(stake: record.stake)
            record.creditTime = genesis.time
            changes.append((.account(account), record.borsh))
        }
        let index = MasternodeIndex(genesis.masternodes.members.map(\.consensusKey))
        changes.append((.masternodeIndex, index.borsh))
        changes.append((.proposalIndex, ProposalIndex().borsh))
        for epoch in [Epoch.zero, Epoch(1)] {
            let plan = EpochPlan(epoch: epoch, seed: genesis.initialRandomness, set: genesis.masternodes)
            changes.append((.epoch(epoch), plan.borsh))
        }
        let progress = EpochProgress(
            epoch: .zero, startHeight: .zero, startTime: genesis.time, protocolVersion: ProtocolVersion.first)
        changes.append((.epochProgress, progress.borsh))
        changes.append((.supply, supply.borsh))
        changes.append((.randomness, genesis.initialRandomness.borsh))
        changes.append((.height, Height.zero.borsh))
        changes.append((.time, genesis.time.borsh))
        changes.append((.schedule, ScheduleCounters().borsh))
        changes.sort { $0.key < $1.key }
        return StateDelta(changes: changes, history: [])
    }
}

/// The chain's single values.
extension StateKey {
    /// Height of the block that the state is after.
    public static let height = StateKey.chain("height")
    /// Header time of that block.
    public static let time = StateKey.chain("time")
    /// R of that block.
    public static let randomness = StateKey.chain("randomness")
    /// u128: the sum of all balances.
    public static let supply = StateKey.chain("supply")
    /// ``ScheduleCounters``.
    public static let schedule = StateKey.chain("schedule")
    /// ``ContractCounters``: what the chain counts for a contract. Contracts' own keys have at least one byte, so
    /// this one is out of their reach.
    public static func counters(_ contract: Account) -> StateKey { storage(contract, []) }
}

/// Size of the schedule queue's heap and the numbers that come next.
public struct ScheduleCounters: BorshCodable, Hashable, Sendable {
    /// Turns in the heap.
    public var count: UInt64
    /// Number of the next call.
    public var nextNumber: UInt64
    /// Ticket of the next turn.
    public var nextTicket: UInt64

    public init(count: UInt64 = 0, nextNumber: UInt64 = 0, nextTicket: UInt64 = 0) {
        self.count = count
        self.nextNumber = nextNumber
        self.nextTicket = nextTicket
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(count)
        encoder.integer(nextNumber)
        encoder.integer(nextTicket)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        count = try decoder.integer()
        nextNumber = try decoder.integer()
        nextTicket = try decoder.integer()
    }
}

/// What the chain counts for one contract.
public struct ContractCounters: BorshCodable, Hashable, Sendable {
    /// The credit window that the next two belong to.
    public var sponsorWindow: UInt64
    /// Credits that it paid for others in it.
    public var sponsored: UInt64
    /// Accounts that it paid for before they joined.
    public var newcomers: UInt32
    /// Decay period that `weight` belongs to.
    public var period: UInt64
    /// Verdict weight spent in that period, in units of 2^-20.
    public var weight: UInt64

    public init(sponsorWindow: UInt64 = 0, sponsored: UInt64 = 0, newcomers: UInt32 = 0, period: UInt64 = 0, weight: UInt64 = 0) {
        self.sponsorWindow = sponsorWindow
        self.sponsored = sponsored
        self.newcomers = newcomers
        self.period = period
        self.weight = weight
    }

    public func encode(to encoder: inout BorshEncoder) {
        encoder.integer(sponsorWindow)
        encoder.integer(sponsored)
        encoder.integer(newcomers)
        encoder.integer(period)
        encoder.integer(weight)
    }

    public init(from decoder: inout BorshDecoder) throws(BorshError) {
        sponsorWindow = try decoder.integer()
        sponsored = try decoder.integer()
        newcomers = try decoder.integer()
        period = try decoder.integer()
        weight = try decoder.integer()
    }
}
