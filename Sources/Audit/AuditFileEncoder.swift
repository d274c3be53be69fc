import Cryptography
import Encoding
import Primitives

/// Makes the bytes of an audit file piece by piece, so that of a long history no more than a page is in memory.
///
/// ``start(genesisHash:account:linkCount:)``, then all links in any number of calls, then
/// ``body(header:descendants:finalization:record:entryCount:)``, all entries, and ``end(reputation:)``. What the calls
/// return, one after the other, is the file; its last 32 bytes are the SHA-256 of all before.
public struct AuditFileEncoder: @unchecked Sendable {  // Holds a value alone, made of numbers.
    private var hasher = SHA256Hasher()

    public init() {}

    public mutating func start(genesisHash: Digest, account: Account, linkCount: Int) -> [UInt8] {
        piece { encoder in
            encoder.fixed(Audit.magic)
            encoder.integer(Audit.version)
            encoder.value(genesisHash)
            encoder.value(account)
            encoder.integer(UInt32(truncatingIfNeeded: linkCount))
        }
    }

    public mutating func links(_ links: [EpochLink]) -> [UInt8] {
        piece { encoder in
            for link in links { encoder.value(link) }
        }
    }

    public mutating func body(
        header: Header, descendants: [Header], finalization: Finalization, record: ProvenValue<AccountRecord>, entryCount: Int
    ) -> [UInt8] {
        piece { encoder in
            encoder.value(header)
            encoder.array(descendants)
            encoder.value(finalization)
            encoder.value(record)
            encoder.integer(UInt32(truncatingIfNeeded: entryCount))
        }
    }

    public mutating func entries(_ entries: [HistoryEntry]) -> [UInt8] {
        piece { encoder in
            for entry in entries { encoder.value(entry) }
        }
    }

    /// - Parameter reputation: one for each role, in the order of `Role.allCases`.
    public mutating func end(reputation: [ProvenValue<ReputationRecord>]) -> [UInt8] {
        let last = piece { encoder in
            for proven in reputation { encoder.value(proven) }
        }
        return last + hasher.finalize().bytes
    }

    private mutating func piece(_ encode: (inout BorshEncoder) -> Void) -> [UInt8] {
        var encoder = BorshEncoder(reserving: 4_096)
        encode(&encoder)
        hasher.update(encoder.bytes)
        return encoder.bytes
    }
}
