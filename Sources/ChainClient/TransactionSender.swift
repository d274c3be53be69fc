import APIModel
import Cryptography
import Encoding
import Foundation
import Primitives

/// What a transaction is to do; sequence, validity and signature are the sender's business.
public struct TransactionRequest: Sendable {
    public var service: ServiceId
    public var post: PostId
    public var action: ActionId
    public var data: [UInt8]
    public var value: UInt128
    /// Nil takes ``TransactionSender/defaultGas``.
    public var gasLimit: UInt64?

    public init(
        service: ServiceId, post: PostId = .none, action: ActionId, data: [UInt8] = [], value: UInt128 = 0,
        gasLimit: UInt64? = nil
    ) {
        self.service = service
        self.post = post
        self.action = action
        self.data = data
        self.value = value
        self.gasLimit = gasLimit
    }

    public static func transfer(_ amount: UInt128, to recipient: Account) -> TransactionRequest {
        TransactionRequest(
            service: .chain, action: .transfer, data: Transfer(recipient: recipient).borsh, value: amount)
    }

    /// Takes the place of a waiting transaction of the same sender and sequence, and does nothing.
    public static func cancel(_ id: TransactionId) -> TransactionRequest {
        TransactionRequest(service: .chain, action: .cancelTransaction, data: CancelTransaction(id: id).borsh)
    }

    /// Most gas where the caller names none: what such a transaction can need, and not much more, since half of what it
    /// does not use is paid all the same.
    var standardGas: UInt64 {
        let bytes = UInt64(data.count)
        switch action {
        case .transfer, .cancelTransaction, .removeContract: return 500_000
        case .uploadContract: return min(40_000_000, 1_000_000 + 300 * bytes)
        case .registerService, .upgradeService, .retireService: return 20_000_000
        case .transferService: return 2_000_000
        // One write for each of the accounts.
        case .inviteMembers: return 1_000_000 + 4_000 * bytes
        case .registerMasternode, .unregisterMasternode, .resumeMasternode, .reportEquivocation: return 2_000_000
        // It looks at all masternodes, and at what is proposed already.
        case .proposeChange: return 4_000_000
        case .voteProposal where service == .chain: return 2_000_000
        default: return TransactionSender.defaultGas
        }
    }

    public static func upload(code: [UInt8]) -> TransactionRequest {
        TransactionRequest(service: .chain, action: .uploadContract, data: code)
    }

    public static func register(_ registration: RegisterService, deposit: UInt128) -> TransactionRequest {
        TransactionRequest(service: .chain, action: .registerService, data: registration.borsh, value: deposit)
    }
}

/// Signs and submits the transactions of one key, each with the next sequence. Many may be under way at once; they
/// reach the nodes in the order in which they were asked for.
public actor TransactionSender {
    /// For an action of a service's contract; half of what is not used is paid all the same.
    public static let defaultGas: UInt64 = 10_000_000
    /// How long a transaction stays valid.
    private static let validityMs: UInt64 = 120_000
    private static let mostTries = 80

    public nonisolated let client: ChainClient
    public nonisolated let account: Account
    public nonisolated let genesis: Digest
    private let key: PrivateKey
    /// Sequence of the next transaction; nil when the chain has to be asked.
    private var nextSequence: UInt64?
    /// What this machine's clock must be corrected by to be near header time, milliseconds.
    private var clockCorrection: Int64 = 0
    /// Submitted, not yet seen in a block.
    private var pending: [UInt64: SignedTransaction] = [:]
    /// The end of the queue of submissions.
    private var last: Task<Void, Never>?

    /// - Parameter genesis: hash that signatures are made for; a transaction for another chain is worth nothing here.
    public init(client: ChainClient, key: PrivateKey, genesis: Digest) {
        self.client = client
        self.key = key
        self.genesis = genesis
        account = Account(key.publicKey)
    }

    /// Takes the genesis hash from the node.
    public init(client: ChainClient, key: PrivateKey) async throws {
        self.init(client: client, key: key, genesis: try await client.status().genesisHash)
    }

    /// Submits and returns as soon as a node has it.
    @discardableResult
    public func send(_ request: TransactionRequest) async throws -> TransactionId {
        try await submitted(request).id(genesis: genesis)
    }

    /// Submits and waits for the finalised block. What the chain made of it is in the receipt: a failed outcome is not
    /// an error here.
    public func sendAndWait(
        _ request: TransactionRequest, timeout: Duration = .seconds(60)
    ) async throws -> TransactionStateDocument {
        let signed = try await submitted(request)
        return try await wait(for: signed, timeout: timeout)
    }

    /// The same; an outcome of `failed` is thrown as ``TransactionFailed``.
    @discardableResult
    public func perform(
        _ request: TransactionRequest, timeout: Duration = .seconds(60)
    ) async throws -> TransactionStateDocument {
        let result = try await sendAndWait(request, timeout: timeout)
        if let receipt = result.inclusion?.receipt, receipt.outcome.kind == .failed {
            throw TransactionFailed(id: result.transaction.id, message: receipt.outcome.message ?? "")
        }
        return result
    }

    package func wait(for signed: SignedTransaction, timeout: Duration) async throws -> TransactionStateDocument {
        let sequence = signed.transaction.sequence
        defer { pending[sequence] = nil }
        do {
            return try await client.waitForInclusion(
                of: signed, id: signed.id(genesis: genesis), timeout: timeout,
                resubmit: { [weak self] in await self?.pending(upTo: sequence) ?? [signed] })
        } catch {
            // Whatever became of it, the next transaction must find out where the account stands.
            nextSequence = nil
            throw error
        }
    }

    private func pending(upTo sequence: UInt64) -> [SignedTransaction] {
        pending.values.filter { $0.transaction.sequence <= sequence }
            .sorted { $0.transaction.sequence < $1.transaction.sequence }
    }

    // MARK: Submission, one at a time

    package func submitted(_ request: TransactionRequest) async throws -> SignedTransaction {
        let before = last
        let task = Task {
            await before?.value
            try Task.checkCancellation()
            return try await submitNow(request)
        }
        last = Task { _ = await task.result }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    private func submitNow(_ request: TransactionRequest) async throws -> SignedTransaction {
        var tries = 0
        while true {
            tries += 1
            let sequence = try await sequenceForNext()
            let signed = try sign(request, sequence: sequence)
            do {
                try await client.submit(signed)
                nextSequence = sequence &+ 1
                remember(signed)
                return signed
            } catch let error as ClientError {
                guard tries < Self.mostTries else { throw error }
                switch error.code {
                case "sequence_used":
                    // Either this very transaction is in already (an earlier answer was lost), or the key is used
                    // elsewhere too.
                    if try await client.transaction(signed.id(genesis: genesis)) != nil {
                        nextSequence = sequence &+ 1
                        remember(signed)
                        return signed
                    }
                    let known = try await client.account(account)?.sequence ?? 0
                    nextSequence = max(known, sequence &+ 1)
                case "sequence_pending":
                    nextSequence = sequence &+ 1
                case "sequence_too_far":
                    // The node's window is full: the chain has to catch up first.
                    try await Task.sleep(for: .milliseconds(200))
                    nextSequence = nil
                case "expired", "valid_too_long":
                    guard tries < 3 else { throw error }
                    try await correctClock()
                default:
                    if case .unreachable = error { nextSequence = nil }
                    throw error
                }
            }
        }
    }

    /// Bounded: only what was sent without waiting stays here, and the oldest goes first.
    private func remember(_ signed: SignedTransaction) {
        pending[signed.transaction.sequence] = signed
        if pending.count > 2 * Int(ChainLimits.sequenceWindow), let oldest = pending.keys.min() {
            pending[oldest] = nil
        }
    }

    private func sequenceForNext() async throws -> UInt64 {
        if let nextSequence { return nextSequence }
        let known = try await client.account(account)?.sequence ?? 0
        // Own transactions that still wait are ahead of the state.
        let own = pending.keys.max().map { $0 &+ 1 } ?? 0
        pending = pending.filter { $0.key >= known }
        return pending.isEmpty ? known : max(known, own)
    }

    /// Cancels a waiting transaction: another one of its sequence, which does nothing, takes its place.
    /// - Returns: the cancellation's id. Which of the two the chain takes shows in a block.
    public func cancel(_ id: TransactionId, sequence: UInt64) async throws -> TransactionId {
        let signed = try sign(.cancel(id), sequence: sequence)
        try await client.submit(signed)
        return signed.id(genesis: genesis)
    }

    func sign(_ request: TransactionRequest, sequence: UInt64) throws -> SignedTransaction {
        let now = Int64(Date().timeIntervalSince1970 * 1_000) + clockCorrection
        let transaction = try Transaction(
            sender: account, sequence: sequence, validUntil: Time(UInt64(clamping: now)).advanced(by: Self.validityMs),
            gasLimit: request.gasLimit ?? request.standardGas, value: request.value, serviceId: request.service,
            postId: request.post, actionId: request.action, data: request.data)
        return try SignedTransaction(signing: transaction, with: key, genesis: genesis)
    }

    /// A machine whose clock is wrong goes by the newest header instead.
    private func correctClock() async throws {
        let header = try await client.status().head.time
        let now = Int64(Date().timeIntervalSince1970 * 1_000)
        clockCorrection = Int64(clamping: header) - now
    }
}

/// The chain included the transaction, but it took no effect.
public struct TransactionFailed: Error, Sendable, CustomStringConvertible {
    public let id: TransactionId
    public let message: String

    public var description: String { "transaction \(id) failed: \(message)" }
}
