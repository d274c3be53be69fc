import Primitives
import WebAssembly

/// Gas of one transaction or call outside the VM. Native work is charged before it is done.
struct GasMeter {
    let limit: UInt64
    private(set) var used: UInt64 = 0

    init(limit: UInt64) { self.limit = limit }

    var left: UInt64 { limit - used }

    mutating func charge(_ amount: UInt64) throws(Halt) {
        guard amount <= left else {
            used = limit
            throw .outOfGas
        }
        used += amount
    }

    /// Adds what a contract call has used, which its own limit has bounded by `left`.
    mutating func add(_ amount: UInt64) { used += min(amount, left) }
}

/// Why a transaction or call stops.
enum Halt: Error {
    /// It fails with this message; its effects are undone.
    case failed(String)
    case outOfGas
    /// The state is unreadable: the whole execution stops.
    case ledger(LedgerError)

    var message: String {
        switch self {
        case .failed(let message): message
        case .outOfGas: "out of gas"
        case .ledger(let error): error.description
        }
    }
}

/// What the host charges beside the VM's own gas and the genesis parameters. These numbers are protocol, and nanoseconds
/// of the worst case: `Docs/gas.md` has what `scripts/bench-gas` measured.
package enum HostGas {
    /// Reading a byte of a contract's code out of the store, and hashing one of an uploaded one.
    private static let perCodeByte: UInt64 = 4
    /// Bytes copied between host and contract: once, and one unit for each of so many, or a part of them.
    package static let copying: UInt64 = 100
    package static let copiedBytesPerUnit: UInt64 = 8
    /// Hashing: once, and for each byte.
    package static let hash: UInt64 = 300
    package static let perHashedByte: UInt64 = 4
    /// An event, beside its bytes.
    package static let event: UInt64 = 2_000
    /// A value of the state that this transaction or call has met before.
    package static let knownAccess: UInt64 = 500
    /// Decoding or encoding a page of a contract's list of keys, beside its access.
    package static let keyPage: UInt64 = 5_000
    /// Bytes of state and history that a verdict's entry takes.
    package static let verdictBytes = 256

    /// Preparing a contract for a call, or checking an uploaded one: at its worst, whether or not it is cached.
    package static func loading(codeBytes: Int) -> UInt64 {
        Gas.parsing(bytes: codeBytes).addingSaturating(UInt64(clamping: codeBytes).multipliedSaturating(by: perCodeByte))
    }

    package static func copy(_ bytes: Int) -> UInt64 {
        copying.addingSaturating((UInt64(clamping: bytes) + copiedBytesPerUnit - 1) / copiedBytesPerUnit)
    }
}

extension Parameters {
    /// Credits that a transaction reserves: its bytes and its whole gas limit.
    public func reservedCredits(transactionBytes: Int, gas: UInt64) -> UInt64 {
        UInt64(clamping: transactionBytes).multipliedSaturating(by: creditsPerTransactionByte).addingSaturating(gas)
    }

    /// Credits that a transaction pays: its bytes, the gas that it used, and half of what it reserved beyond that, since
    /// what it reserved kept others out of its block.
    public func spentCredits(transactionBytes: Int, gasLimit: UInt64, gasUsed: UInt64) -> UInt64 {
        let used = min(gasUsed, gasLimit)
        return reservedCredits(transactionBytes: transactionBytes, gas: used + (gasLimit - used) / 2)
    }
}

extension UInt64 {
    func addingSaturating(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    func multipliedSaturating(by other: UInt64) -> UInt64 {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}
