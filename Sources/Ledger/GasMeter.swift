import Primitives

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

/// What the host charges beside the VM's own gas and the genesis parameters. These numbers are protocol.
enum HostGas {
    /// Preparing a contract for a call, for each byte of its code, whether or not it is cached.
    static let perCodeByte: UInt64 = 1
    /// Checking an uploaded module, for each byte.
    static let perCheckedByte: UInt64 = 10
    /// Bytes copied between host and contract pay one unit for each of so many, or a part of them.
    static let copiedBytesPerUnit: UInt64 = 8
    /// Hashing: once, and for each byte.
    static let hash: UInt64 = 100
    static let perHashedByte: UInt64 = 1
    /// Storage accesses that one entry in the schedule queue is worth: its heap is up to 2 x 20 slots deep.
    static let scheduleAccesses: UInt64 = 20
    /// Storage accesses of a verdict, and the bytes that its history entry takes.
    static let verdictAccesses: UInt64 = 6
    static let verdictBytes = 256
    /// Storage accesses of a money transfer.
    static let transferAccesses: UInt64 = 2
    /// Storage accesses of finding and loading the contract of a service.
    static let callAccesses: UInt64 = 3

    static func copy(_ bytes: Int) -> UInt64 {
        (UInt64(clamping: bytes) + copiedBytesPerUnit - 1) / copiedBytesPerUnit
    }
}

extension Parameters {
    /// Gas that a transaction takes before anything runs.
    public func intrinsicGas(dataBytes: Int) -> UInt64 {
        let data = UInt64(clamping: dataBytes).multipliedSaturating(by: gasPerDataByte)
        return gasPerTransaction.addingSaturating(gasPerSignatureCheck).addingSaturating(data)
    }

    /// Gas of writing so many bytes to the state.
    func storageGas(accesses: UInt64 = 1, bytes: Int = 0) -> UInt64 {
        accesses.multipliedSaturating(by: gasPerStorageAccess)
            .addingSaturating(UInt64(clamping: bytes).multipliedSaturating(by: gasPerStorageByte))
    }

    /// Credits that a transaction reserves: its bytes and its whole gas limit.
    public func reservedCredits(transactionBytes: Int, gas: UInt64) -> UInt64 {
        UInt64(clamping: transactionBytes).multipliedSaturating(by: creditsPerTransactionByte).addingSaturating(gas)
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
