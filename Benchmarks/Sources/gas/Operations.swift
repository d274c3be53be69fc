import Cryptography
import HostileModules
import Ledger
import Primitives

/// What is measured. Each body runs many times in one call of a contract.
enum Operations {
    typealias Host = WasmModule.Host
    static func int(_ value: Int32) -> [UInt8] { WasmModule.int(value) }

    struct Body {
        let name: String
        let code: [UInt8]
        var functions: [(type: UInt8, body: [UInt8])] = []
        /// Rounds at most in one call, where the chain bounds them; 0 for as many as the gas lasts.
        var most = 0
    }

    private static func times(_ count: Int, _ code: [UInt8]) -> [UInt8] { Array(repeating: code, count: count).flatMap { $0 } }

    /// `local.get a; local.get b; op; local.set a`
    private static func binary(_ name: String, _ op: [UInt8], _ a: UInt8, _ b: UInt8, result: UInt8? = nil) -> Body {
        Body(name: name, code: times(40, [0x20, a, 0x20, b] + op + [0x21, result ?? a]))
    }

    private static func unary(_ name: String, _ op: [UInt8], _ a: UInt8, result: UInt8? = nil) -> Body {
        Body(name: name, code: times(40, [0x20, a] + op + [0x21, result ?? a]))
    }

    /// Divisors that are not zero.
    private static let nonZero: [UInt8] = int(7) + [0x21, 5] + WasmModule.long(7) + [0x21, 6]

    static let instructions: [Body] = [
        binary("i32.add", [0x6a], 1, 5), binary("i64.mul", [0x7e], 2, 6), binary("i64.rotl", [0x89], 2, 6),
        Body(name: "i32.div_u", code: nonZero + times(40, [0x20, 1, 0x20, 5, 0x6e, 0x21, 1])),
        Body(name: "i64.rem_s", code: nonZero + times(40, [0x20, 2, 0x20, 6, 0x81, 0x21, 2])),
        unary("i64.clz", [0x79], 2), unary("i64.popcnt", [0x7b], 2), unary("i32.wrap, i64.extend", [0xa7, 0xad], 2),
        binary("f64.add", [0xa0], 4, 8), binary("f64.mul", [0xa2], 4, 8), binary("f64.div", [0xa3], 4, 8),
        binary("f32.div", [0x95], 3, 7), binary("f64.min", [0xa4], 4, 8), unary("f64.sqrt", [0x9f], 4),
        unary("f64.nearest", [0x9e], 4), unary("f64.floor", [0x9c], 4), unary("f64.convert, trunc_sat", [0xfc, 7, 0xba], 4),
        binary("f64.lt", [0x63], 4, 8, result: 1), unary("f32.demote, f64.promote", [0xb6, 0xbb], 4),
        unary("i32.load", [0x28, 2, 0], 5, result: 1), unary("i64.load8_s", [0x30, 0, 0], 5, result: 2),
        Body(name: "i64.store", code: times(40, int(64) + [0x20, 2, 0x37, 3, 0])),
        Body(name: "global.get, set", code: times(40, [0x23, 0, 0x24, 0])),
        Body(name: "select", code: times(40, [0x20, 1, 0x20, 5, 0x20, 0, 0x1b, 0x21, 1])),
        Body(name: "block, br_if", code: times(40, [0x02, 0x40, 0x20, 0, 0x0d, 0, 0x0b])),
        Body(name: "if, else", code: times(40, [0x20, 0, 0x04, 0x40, 0x01, 0x05, 0x01, 0x0b])),
        Body(name: "br_table", code: times(40, [0x02, 0x40, 0x20, 0, 0x0e, 3, 0, 0, 0, 0, 0x0b])),
        Body(name: "call", code: times(40, [0x10, WasmModule.firstFunction + 1]), functions: [(0, [])]),
        Body(
            name: "call of 16 parameters",
            code: times(10, times(16, [0x20, 1]) + [0x10, WasmModule.firstFunction + 1]), functions: [(1, [])]),
        Body(name: "call_indirect", code: times(40, int(0) + [0x11, 0, 0]), functions: [(0, [])]),
        Body(name: "memory.size", code: times(40, [0x3f, 0, 0x21, 1])),
        Body(name: "memory.grow by nothing", code: times(40, int(0) + [0x40, 0, 0x21, 1])),
        Body(name: "memory.grow by one page, 60 times", code: int(1) + [0x40, 0, 0x21, 1], most: 58),
        Body(name: "memory.fill of 8 bytes", code: times(20, int(128) + int(1) + int(8) + [0xfc, 11, 0])),
        Body(name: "memory.fill of 64 kB", code: times(4, int(0) + int(1) + int(65_536) + [0xfc, 11, 0])),
        Body(name: "memory.copy of 64 kB", code: times(4, int(1) + int(65_536) + int(65_536) + [0xfc, 10, 0, 0])),
    ]

    private static let key: [UInt8] = WasmModule.storeCounter(at: 0)

    static let host: [Body] = [
        Body(name: "context", code: Host.context.code(int(1_024))),
        Body(name: "input of nothing", code: Host.input.code(int(0), int(0), int(0))),
        Body(name: "randomness", code: Host.randomness.code(int(0))),
        Body(name: "sha256 of nothing", code: Host.sha256.code(int(0), int(0), int(0))),
        Body(name: "sha256 of 64 kB", code: Host.sha256.code(int(0), int(65_536), int(0))),
        Body(name: "ed25519_verify", code: Host.ed25519_verify.code(int(2_048), int(2_080), int(2_144), int(32))),
        Body(name: "emit of 4 kB", code: Host.emit.code(int(0), int(0), int(0), int(4_096)), most: 60),
        Body(name: "return_data of 4 kB", code: Host.return_data.code(int(0), int(4_096))),
        Body(name: "log of 1 kB", code: Host.log.code(int(0), int(1_024))),
        Body(name: "storage_get of the same key", code: Host.storage_get.code(int(512), int(4), int(0), int(0))),
        Body(name: "storage_set of the same key", code: Host.storage_set.code(int(512), int(4), int(0), int(4))),
        Body(name: "schedule", code: Host.schedule.code(WasmModule.long(1 << 50), int(0), int(0), int(0)), most: 250),
        Body(name: "validator", code: Host.validator.code(int(0))),
        Body(name: "draw_committee of 1", code: Host.draw_committee.code(int(1), int(0), int(0))),
        Body(name: "signer", code: Host.signer.code(int(0))),
        Body(name: "service, its own record", code: Host.service.code(int(0), int(0), int(0), int(232))),
        Body(name: "reputation", code: Host.reputation.code(int(256), int(1))),
        Body(
            name: "verdict about nobody",
            code: Host.verdict.code(int(256), int(1), int(0), WasmModule.long(1), int(256), int(4))),
        Body(
            name: "call of a small contract",
            code: Host.call.code(int(600), int(4), int(256), int(0), int(0), int(900), int(0), int(0))),
        Body(
            name: "call of nobody, 64 kB of data",
            code: Host.call.code(int(256), int(4), int(256), int(0), int(65_536), int(900), int(0), int(0))),
    ]

    /// Rounds of one call, each of which writes a value that it has not met: what a transaction has gas for.
    static let writesPerCall: Int = {
        let parameters = Parameters()
        return Int(parameters.transactionGas * 9 / 10 / (parameters.gasPerStorageWrite + 8_000))
    }()
    /// The same for values of 32 kB, and for keys of a list, which touch several of its pages.
    private static let longWritesPerCall: Int = {
        let parameters = Parameters()
        return Int(parameters.transactionGas * 9 / 10 / (parameters.gasPerStorageWrite + 33_000 * parameters.gasPerStorageByte))
    }()
    private static let listedPerCall = writesPerCall * 2 / 5

    /// In this order: each finds what the one before left.
    /// - Parameter leaves: cold keys that the contract's storage has.
    static func state(leaves: Int) -> [Body] {
        func cold(_ stride: Int32) -> [UInt8] { WasmModule.storeColdKey(at: 0, of: leaves, stride: stride) }
        let account = WasmModule.storeCounter(at: 256)
        return [
            Body(name: "storage_get, cold keys", code: cold(-1_640_531_527) + Host.storage_get.code(int(0), int(4), int(64), int(64))),
            Body(name: "storage_set, cold keys", code: cold(-1_150_833_019) + Host.storage_set.code(int(0), int(4), int(0), int(32))),
            Body(name: "storage_remove, cold keys", code: cold(-2_048_144_789) + Host.storage_remove.code(int(0), int(4))),
            Body(name: "storage_get, absent keys", code: key + Host.storage_get.code(int(0), int(4), int(64), int(0))),
            Body(name: "storage_set, new empty keys", code: key + Host.storage_set.code(int(0), int(4), int(0), int(0))),
            Body(name: "storage_get, fresh keys", code: key + Host.storage_get.code(int(0), int(4), int(64), int(0))),
            Body(name: "storage_set, fresh keys", code: key + Host.storage_set.code(int(0), int(4), int(0), int(4))),
            Body(name: "storage_remove, fresh keys", code: key + Host.storage_remove.code(int(0), int(4))),
            Body(name: "storage_remove, absent keys", code: key + Host.storage_remove.code(int(0), int(4))),
            Body(name: "storage_set, new keys of 32 kB", code: key + Host.storage_set.code(int(0), int(4), int(0), int(32_768)), most: longWritesPerCall),
            Body(name: "storage_get, keys of 32 kB", code: key + Host.storage_get.code(int(0), int(4), int(64), int(32_768)), most: longWritesPerCall),
            Body(name: "storage_remove, keys of 32 kB", code: key + Host.storage_remove.code(int(0), int(4)), most: longWritesPerCall),
            Body(name: "key_insert, new keys of 64 bytes", code: key + Host.key_insert.code(int(0), int(64)), most: listedPerCall),
            Body(name: "key_insert, the same key", code: Host.key_insert.code(int(0), int(64)), most: listedPerCall),
            Body(name: "key_next", code: key + Host.key_next.code(int(0), int(0), int(0), int(64), int(128), int(64)), most: listedPerCall),
            Body(name: "key_remove", code: key + Host.key_remove.code(int(0), int(64)), most: listedPerCall),
            Body(name: "transfer to new accounts", code: account + Host.transfer.code(int(256), int(320))),
            Body(name: "transfer to old accounts", code: account + Host.transfer.code(int(256), int(320))),
        ]
    }
}
