import Cryptography
import Encoding
import Primitives

/// What came of a registration that was only tried.
public struct Rehearsal: Sendable, Equatable {
    /// Why the chain would refuse the code or the registration; nil when it would take both.
    public let refusal: String?
    /// What the contract answers to each query afterwards; empty after a refusal.
    public let answers: [Answer]

    public enum Answer: Sendable, Equatable {
        case returned([UInt8])
        case failed(String)
    }
}

extension Ledger {
    /// Registers a service on a chain of nothing but this genesis, and asks its contract: by the very code that a chain
    /// runs, so that a mistake shows before anything is paid for. Nothing is kept.
    ///
    /// - Parameters:
    ///   - registration: as it would be sent; `codeHash` is that of `code`.
    ///   - deposit: the value that comes with it; the owner has that and enough to lock.
    public func rehearse(
        _ registration: RegisterService, code: [UInt8], owner: Account, deposit: UInt128, queries: [[UInt8]]
    ) throws -> Rehearsal {
        let state = GenesisReader(genesisState())
        let overlay = Overlay(state)
        // The code and the names lock deposits beside it; whether the owner has them all is the real chain's to say.
        let (balance, overflow) = deposit.addingReportingOverflow(1 << 64)
        var payer = AccountRecord(balance: overflow ? deposit : balance)
        // Rested: the deposit takes its part of the credits along.
        payer.credits = Credits(genesis.parameters).capacity(stake: payer.stake)
        payer.creditTime = genesis.time
        try overlay.setAccount(owner, payer)
        let executor = Executor(
            ledger: self, overlay: overlay, context: try EpochContext(ledger: self, state: state), height: Height(1),
            time: genesis.time.advanced(by: 1), randomness: genesis.initialRandomness)
        let steps: [(ActionId, UInt128, [UInt8])] = [
            (.uploadContract, 0, code), (.registerService, deposit, registration.borsh),
        ]
        // Execution looks at no signature: those were checked before.
        guard let unsigned = Signature([UInt8](repeating: 0, count: 64)) else {
            return Rehearsal(refusal: "no signature", answers: [])
        }
        for (sequence, (action, value, data)) in steps.enumerated() {
            let transaction = try Transaction(
                sender: owner, sequence: UInt64(sequence), validUntil: genesis.time.advanced(by: 1),
                gasLimit: executor.parameters.transactionGas, value: value, serviceId: .chain, postId: .none,
                actionId: action, data: data)
            let signed = SignedTransaction(transaction: transaction, authorization: .ed25519(unsigned))
            let receipt = try executor.run(signed, id: transaction.id(genesis: genesisHash))
            if case .failed(let message) = receipt.outcome { return Rehearsal(refusal: message, answers: []) }
        }
        guard let record: ServiceRecord = try overlay.value(.service(registration.service)) else {
            return Rehearsal(refusal: "the registration left no service", answers: [])
        }
        let answers = try queries.map { input -> Rehearsal.Answer in
            let call = ContractCall(
                service: record, entry: .query, kind: .query, caller: .zero, signer: nil, value: 0, actionId: 0, postId: [], input: input,
                readOnly: true)
            switch try executor.invoke(call, gasLimit: Ledger.queryGas).outcome {
            case .returned(let bytes): return .returned(bytes)
            case .failed(let message): return .failed(message)
            }
        }
        return Rehearsal(refusal: nil, answers: answers)
    }
}

/// The state of a genesis, in memory.
private struct GenesisReader: StateReader {
    private let values: [StateKey: [UInt8]]

    init(_ delta: StateDelta) {
        values = Dictionary(
            delta.changes.compactMap { change in change.value.map { (change.key, $0) } }, uniquingKeysWith: { $1 })
    }

    func value(_ key: StateKey) throws -> [UInt8]? { values[key] }
}
