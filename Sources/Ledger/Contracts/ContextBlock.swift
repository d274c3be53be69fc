import Encoding
import Primitives

/// The 216 bytes that `context` writes (`Docs/protocol.md`, contract host interface).
enum ContextBlock {
    static let byteCount = 216

    static func encode(_ call: ContractCall, height: Height, time: Time, balance: UInt128, gasLeft: UInt64) -> [UInt8] {
        var encoder = BorshEncoder(reserving: byteCount)
        encoder.value(call.service.contract)
        encoder.value(call.kind == .query ? Account.zero : call.caller)
        encoder.value(call.service.owner)
        encoder.value(height)
        encoder.value(time)
        encoder.integer(call.value)
        encoder.integer(balance)
        encoder.integer(call.kind.rawValue)
        encoder.integer(call.actionId)
        encoder.integer(UInt32(truncatingIfNeeded: call.postId.count))
        encoder.fixed(call.postId)
        encoder.fixed(Array(repeating: 0, count: max(0, ChainLimits.labelBytes - call.postId.count)))
        encoder.integer(gasLeft)
        encoder.integer(UInt32(truncatingIfNeeded: call.input.count))
        encoder.fixed(Array(repeating: 0, count: 16))
        return encoder.bytes
    }
}
