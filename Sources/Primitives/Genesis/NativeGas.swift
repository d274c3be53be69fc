/// Values of the state that one of the chain's own actions may touch, for which it pays before it is done. These numbers
/// are protocol.
package struct StateWork: Hashable, Sendable {
    package let reads: UInt64
    package let writes: UInt64
    /// Bytes of the written values together.
    package let bytes: Int
    package let signatures: UInt64

    private init(reads: UInt64 = 0, writes: UInt64, bytes: Int, signatures: UInt64 = 0) {
        self.reads = reads
        self.writes = writes
        self.bytes = bytes
        self.signatures = signatures
    }

    package static let registerMasternode = StateWork(writes: 6, bytes: 512, signatures: 1)
    /// Leaving and coming back.
    package static let ownMasternode = StateWork(reads: 2, writes: 2, bytes: 256)
    package static let renewBeacon = StateWork(writes: 3, bytes: 128)
    package static let reportEquivocation = StateWork(reads: 2, writes: 8, bytes: 512, signatures: 2)
    /// Beside the proposals that are open, and the masternodes where one of them is to go.
    package static let proposeChange = StateWork(reads: 4, writes: 3, bytes: 512)
    package static let voteProposal = StateWork(reads: 4, writes: 3, bytes: 512)
    /// Beside the tombstones of all who may be jurors.
    package static let lookAfterDispute = StateWork(reads: 6, writes: 14, bytes: 6_000)
    /// One entry in the schedule queue until it has run: the call, its contract's list and account, the counters, and the
    /// pages of the heap.
    package static let schedule = StateWork(writes: 8, bytes: 4_096)

    /// Decoding a masternode's record, where an action looks at all of them.
    package static let gasPerMasternode: UInt64 = 2_000
}

extension Parameters {
    /// Gas that a transaction takes before anything runs.
    public func intrinsicGas(dataBytes: Int) -> UInt64 {
        let data = Self.product(UInt64(clamping: dataBytes), gasPerDataByte)
        return Self.sum(Self.sum(gasPerTransaction, gasPerSignatureCheck), data)
    }

    /// Gas of reading and writing so many values of the state, the writes having so many bytes together.
    package func storageGas(reads: UInt64 = 0, writes: UInt64 = 0, bytes: Int = 0) -> UInt64 {
        let values = Self.sum(Self.product(reads, gasPerStorageAccess), Self.product(writes, gasPerStorageWrite))
        return Self.sum(values, Self.product(UInt64(clamping: bytes), gasPerStorageByte))
    }

    package func gas(of work: StateWork) -> UInt64 {
        Self.sum(
            storageGas(reads: work.reads, writes: work.writes, bytes: work.bytes),
            Self.product(work.signatures, gasPerSignatureCheck))
    }

    /// Gas that a `reportEquivocation` of so many bytes takes at most.
    public func gasToReport(dataBytes: Int) -> UInt64 {
        Self.sum(intrinsicGas(dataBytes: dataBytes), gas(of: .reportEquivocation))
    }

    /// Gas that a `renewBeacon` takes at most.
    public func gasToRenewBeacon(dataBytes: Int) -> UInt64 {
        Self.sum(intrinsicGas(dataBytes: dataBytes), gas(of: .renewBeacon))
    }

    static func sum(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let (sum, overflow) = a.addingReportingOverflow(b)
        return overflow ? .max : sum
    }

    static func product(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let (product, overflow) = a.multipliedReportingOverflow(by: b)
        return overflow ? .max : product
    }
}
