import Cryptography
import Encoding
import Primitives

/// A chain on one machine for whoever writes a contract: the executor of a real chain, with blocks that come when they
/// are asked for, and time that passes when it is told to. There are no signatures, no epochs and no store.
///
/// Every account begins with all the credits of its money, so that a test begins at once.
public final class PracticeChain {
    /// What a transaction or a scheduled call did.
    public struct Result: Sendable {
        public let outcome: Outcome
        public let returned: [UInt8]
        public let events: [Event]
        public let gasUsed: UInt64

        public var failure: String? { if case .failed(let message) = outcome { message } else { nil } }
    }

    /// More than this many blocks for one passage of time are a contract that schedules without end.
    public static let mostBlocks = 10_000
    private static let blockMs: UInt64 = 1_000

    public private(set) var time: Time
    public private(set) var height = Height.zero
    public private(set) var logs: [ContractLog] = []
    /// Of scheduled calls, since it was taken last.
    private var scheduled: [Result] = []

    private let ledger: Ledger
    private var state: Values

    /// - Parameters:
    ///   - accounts: and their money, in smallest units.
    ///   - time: of the first block's parent.
    public init(accounts: [(account: Account, balance: UInt128)], time: Time) throws {
        var parameters = Parameters()
        parameters.balancePerCredit = 1
        guard let key = PrivateKey(seed: Digest(sha256: Array("practice".utf8)).bytes) else {
            throw LedgerError.storage("no key")
        }
        let masternode = Masternode(
            name: "practice", consensusKey: key.publicKey, owner: Account(key.publicKey), beaconTip: .zero)
        let genesis = try Genesis(
            chainName: "practice", time: time, parameters: parameters, masternodes: try MasternodeSet([masternode]),
            allocations: accounts.map { Genesis.Allocation(account: $0.account, balance: $0.balance) })
        ledger = Ledger(genesis: genesis)
        state = Values(ledger.genesisState())
        self.time = time
    }

    public var parameters: Parameters { ledger.genesis.parameters }

    // MARK: Blocks

    /// Puts the code on the chain and registers a service with it; two blocks.
    public func register(_ registration: RegisterService, code: [UInt8], owner: Account, deposit: UInt128) throws -> Result {
        let upload = try send(owner, .chain, .uploadContract, data: code, gas: parameters.transactionGas)
        guard upload.failure == nil else { return upload }
        return try send(
            owner, .chain, .registerService, data: registration.borsh, value: deposit, gas: parameters.transactionGas)
    }

    /// Sends a transaction, in a block of its own; what is due by then runs in it, too.
    public func send(
        _ sender: Account, _ service: ServiceId, _ action: ActionId, post: PostId = .none, data: [UInt8] = [],
        value: UInt128 = 0, gas: UInt64? = nil
    ) throws -> Result {
        let next = try ledger.account(sender, at: time, state: state)?.record.sequence ?? 0
        let transaction = try Transaction(
            sender: sender, sequence: next, validUntil: time.advanced(by: parameters.validityMs),
            gasLimit: gas ?? parameters.transactionGas / 4, value: value, serviceId: service, postId: post, actionId: action,
            data: data)
        time = time.advanced(by: Self.blockMs)
        guard let result = try block(transaction) else { throw LedgerError.storage("no receipt") }
        return result
    }

    /// Lets time pass, with a block whenever a scheduled call is due.
    public func pass(_ milliseconds: UInt64) throws {
        let end = time.advanced(by: milliseconds)
        for _ in 0..<Self.mostBlocks {
            guard let due = try ledger.nextDue(state: state), due <= end else {
                time = end
                return
            }
            time = max(due, time.next)
            guard time <= end else { return }
            _ = try block(nil)
        }
        throw PracticeChainError.scheduledWithoutEnd
    }

    /// What scheduled calls did since this was asked last.
    public func takeScheduled() -> [Result] {
        defer { scheduled = [] }
        return scheduled
    }

    private func block(_ transaction: Transaction?) throws -> Result? {
        height = height.next
        let overlay = Overlay(state)
        let executor = Executor(
            ledger: ledger, overlay: overlay, context: try EpochContext(ledger: ledger, state: state), height: height,
            time: time, randomness: try overlay.value(.randomness) ?? .zero)
        overlay.set(.height, height)
        overlay.set(.time, time)
        overlay.set(.randomness, Digest(domain: "edgeproof/practice/1", parts: height.borsh))
        var result: Result?
        if let transaction {
            // Execution looks at no signature: those are checked before it.
            guard let unsigned = Signature([UInt8](repeating: 0, count: Signature.byteCount)) else { return nil }
            let signed = SignedTransaction(transaction: transaction, authorization: .ed25519(unsigned))
            let form = Form(parameters: parameters)
            if let refusal = form.refusal(of: transaction, byteCount: signed.borsh.count) {
                throw PracticeChainError.refused(refusal.description)
            }
            let receipt = try executor.run(signed, id: transaction.id(genesis: ledger.genesisHash))
            overlay.commit()
            result = Result(
                outcome: receipt.outcome, returned: executor.returned, events: receipt.events, gasUsed: receipt.gasUsed)
        }
        for receipt in try executor.runDueCalls() {
            scheduled.append(
                Result(outcome: receipt.outcome, returned: [], events: receipt.events, gasUsed: receipt.gasUsed))
        }
        logs += executor.logs
        try overlay.checkConservation(height: height)
        state.apply(try overlay.delta())
        return result
    }

    // MARK: Reads

    public func query(_ service: ServiceId, _ input: [UInt8]) throws -> QueryResult? {
        try ledger.query(service, input: input, state: state)
    }

    public func service(_ id: ServiceId) throws -> ServiceRecord? { try ledger.service(id, state: state) }

    /// A value that a contract has stored.
    public func stored(_ contract: Account, _ key: [UInt8]) throws -> [UInt8]? { try state.read(.storage(contract, key)) }

    public func balance(_ account: Account) throws -> UInt128 {
        try ledger.account(account, at: time, state: state)?.record.balance ?? 0
    }

    /// The state, in memory.
    private struct Values: StateReader {
        private var values: [StateKey: [UInt8]] = [:]

        init(_ delta: StateDelta) { apply(delta) }

        mutating func apply(_ delta: StateDelta) { for (key, value) in delta.changes { values[key] = value } }
        func value(_ key: StateKey) throws -> [UInt8]? { values[key] }
    }
}

public enum PracticeChainError: Error, Sendable, CustomStringConvertible {
    /// A chain would not take the transaction at all.
    case refused(String)
    case scheduledWithoutEnd

    public var description: String {
        switch self {
        case .refused(let reason): reason
        case .scheduledWithoutEnd: "the contract schedules calls without end: \(PracticeChain.mostBlocks) blocks were not enough"
        }
    }
}
