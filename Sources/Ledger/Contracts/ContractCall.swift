import Cryptography
import Primitives
import WebAssembly

/// One call of a contract. Its value has moved already.
struct ContractCall {
    /// `kind` of the context block.
    enum Kind: UInt32 {
        case initialise = 0
        case action, scheduled, query, contract, upgrade, retire
    }

    let service: ServiceRecord
    let entry: ContractEntry
    let kind: Kind
    let caller: Account
    /// Who signed the transaction that all of this comes from; nil in a scheduled call and a query, which nobody signed.
    let signer: Account?
    let value: UInt128
    let actionId: UInt32
    let postId: [UInt8]
    let input: [UInt8]
    /// Whether anything that changes state is a failure.
    let readOnly: Bool
}

struct ContractResult {
    enum Outcome {
        case returned([UInt8])
        case failed(String)
    }

    let outcome: Outcome
    let gasUsed: UInt64
    /// Whether the contract has the entry at all.
    var isThere = true

    static func failed(_ message: String, gasUsed: UInt64) -> ContractResult {
        ContractResult(outcome: .failed(message), gasUsed: gasUsed)
    }
}

extension Executor {
    /// Calls of contracts by contracts nest at most so deep.
    static let callDepth = 8

    /// Runs a contract. A failure leaves its effects in the overlay: the caller, who moved the value too, rolls back.
    func invoke(_ call: ContractCall, gasLimit: UInt64) throws(LedgerError) -> ContractResult {
        let service = call.service
        guard running.count < Self.callDepth else { return .failed("contract calls nest too deep", gasUsed: 0) }
        guard !running.contains(service.contract) else {
            return .failed("the contract of '\(service.service)' is running already", gasUsed: 0)
        }
        let codeKey = StateKey.code(service.codeHash)
        guard let code = try overlay.value(codeKey) else {
            throw .corruptState(codeKey, "the code of service '\(service.service)' is missing")
        }
        // The service's record and name, and the code.
        let loading = parameters.storageGas(reads: 3).addingSaturating(HostGas.loading(codeBytes: code.count))
        guard loading <= gasLimit else { return .failed("out of gas", gasUsed: gasLimit) }

        let contract: ContractModule
        do { contract = try ledger.modules.module(service.codeHash, code: code) } catch {
            throw .corruptState(codeKey, error.description)
        }
        guard contract.has(call.entry) else {
            return call.entry.isOptional
                ? ContractResult(outcome: .returned([]), gasUsed: loading, isThere: false)
                : .failed("the contract has no \"\(call.entry.rawValue)\"", gasUsed: loading)
        }

        running.append(service.contract)
        defer { running.removeLast() }
        let frame = ContractFrame(call, executor: self)
        let instance: Instance
        do {
            instance = try Instance(
                module: contract.module, host: frame, hostImports: HostFunction.imports, gasLimit: gasLimit - loading)
        } catch {
            return .failed(error == .outOfGas ? "out of gas" : error.description, gasUsed: gasLimit)
        }
        do {
            _ = try instance.invoke(call.entry.rawValue)
        } catch {
            if let failure = frame.failure { throw failure }
            let message = if case .hostFailed(_, let reason) = error { reason } else { error.description }
            return .failed(message, gasUsed: loading.addingSaturating(instance.gasUsed))
        }
        return ContractResult(
            outcome: .returned(frame.returned), gasUsed: loading.addingSaturating(instance.gasUsed))
    }
}
