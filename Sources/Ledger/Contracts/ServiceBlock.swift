import Encoding
import Primitives

/// The 232 bytes that the host's `service` writes (`Docs/contracts.md`): a service's record.
enum ServiceBlock {
    static let byteCount = 232

    private enum Flag {
        static let validator: UInt32 = 1
        static let upgrade: UInt32 = 2
        static let retirement: UInt32 = 4
        static let retired: UInt32 = 8
        static let offered: UInt32 = 16
    }

    static func encode(_ record: ServiceRecord) -> [UInt8] {
        var flags: UInt32 = 0
        var announced = [UInt8](repeating: 0, count: 32)
        if record.validator != nil { flags |= Flag.validator }
        if record.retiredAt != nil { flags |= Flag.retired }
        if record.offeredTo != nil { flags |= Flag.offered }
        switch record.notice?.change {
        case .upgrade(let hash):
            flags |= Flag.upgrade
            announced = hash.bytes
        case .retire: flags |= Flag.retirement
        case nil: break
        }
        let kind = Array(record.kind.utf8.prefix(ServiceRecord.longestKind))

        var encoder = BorshEncoder(reserving: byteCount)
        encoder.value(record.contract)
        encoder.value(record.owner)
        encoder.value(record.codeHash)
        encoder.value(record.validator ?? .zero)
        encoder.value(record.registeredAt)
        encoder.value(record.notice?.from ?? .zero)
        encoder.value(record.notice?.until ?? .zero)
        encoder.fixed(announced)
        encoder.value(record.retiredAt ?? .zero)
        encoder.integer(flags)
        encoder.integer(UInt32(truncatingIfNeeded: kind.count))
        encoder.fixed(kind)
        encoder.fixed(Array(repeating: 0, count: ServiceRecord.longestKind - kind.count))
        return encoder.bytes
    }
}
