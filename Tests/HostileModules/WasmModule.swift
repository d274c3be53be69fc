import TestSupport

/// # HostileModules
///
/// Contracts that do one thing again and again, and modules that take long to check: what measurements and attacks upload.
/// Tests and benchmarks alone use it.

/// Writes the contracts that the measurements run: one function `action` that repeats a body a given number of times.
public enum WasmModule {
    /// Place in the import section, and type, of the host functions that are measured.
    public enum Host: UInt8, CaseIterable {
        case context, input, storage_get, storage_set, storage_remove, transfer, emit, sha256, ed25519_verify
        case randomness, schedule, call, return_data, log, validator, draw_committee, reputation, verdict
        case signer, service, key_insert, key_remove, key_next

        var parameters: [UInt8] {
            switch self {
            case .context, .randomness, .validator, .signer: [i32]
            case .storage_remove, .transfer, .return_data, .log, .reputation, .key_insert, .key_remove: [i32, i32]
            case .input, .sha256, .draw_committee: [i32, i32, i32]
            case .verdict: [i32, i32, i32, i64, i32, i32]
            case .storage_get, .storage_set, .emit, .ed25519_verify, .service: [i32, i32, i32, i32]
            case .key_next: Array(repeating: i32, count: 6)
            case .schedule: [i64, i32, i32, i32]
            case .call: Array(repeating: i32, count: 8)
            }
        }

        var result: UInt8? {
            switch self {
            case .storage_get, .transfer, .ed25519_verify, .call, .validator, .draw_committee, .verdict, .signer, .service, .key_insert,
                .key_remove, .key_next:
                i32
            case .schedule, .reputation: i64
            default: nil
            }
        }

        /// Calls with these arguments and drops the result.
        public func code(_ arguments: [UInt8]...) -> [UInt8] {
            arguments.flatMap { $0 } + [0x10, rawValue] + (result == nil ? [] : [0x1a])
        }
    }

    private static let i32: UInt8 = 0x7f
    private static let i64: UInt8 = 0x7e

    /// The loop's counter, in local 0.
    public static let counter: [UInt8] = [0x20, 0]
    public static func int(_ value: Int32) -> [UInt8] { [0x41] + signed(Int64(value)) }
    public static func long(_ value: Int64) -> [UInt8] { [0x42] + signed(value) }
    /// Stores the counter at an address.
    public static func storeCounter(at address: Int32) -> [UInt8] { int(address) + counter + [0x36, 2, 0] }

    /// Stores a key of ``coldKey(_:)`` at an address: one of so many, in no order, another one for each counter.
    public static func storeColdKey(at address: Int32, of count: Int, stride: Int32) -> [UInt8] {
        int(address) + counter + int(stride) + [0x6c] + int(Int32(truncatingIfNeeded: count)) + [0x70]
            + int(Int32(bitPattern: firstColdKey)) + [0x6a, 0x36, 2, 0]
    }

    private static let firstColdKey: UInt32 = 0x4000_0000

    /// The key of this number, of those that a contract finds in its storage before it runs.
    public static func coldKey(_ number: Int) -> [UInt8] {
        withUnsafeBytes(of: (firstColdKey &+ UInt32(truncatingIfNeeded: number)).littleEndian) { Array($0) }
    }

    public static let firstFunction = UInt8(Host.allCases.count)

    /// - Parameters:
    ///   - body: runs `count` times; local 0 is the counter, locals 1 to 8 are i32, i64, f32, f64, twice.
    ///   - start: value of the counter in the first round.
    ///   - functions: further ones with their type index: 0 is `() -> ()`, 1 takes sixteen i32 and gives none.
    public static func repeating(
        _ body: [UInt8], count: Int, from start: Int = 0, functions: [(type: UInt8, body: [UInt8])] = [],
        data: [(Int32, [UInt8])] = [], unique: [UInt8] = [], prologue: [UInt8] = [], entry: String = "action"
    ) -> [UInt8] {
        module(
            prologue + loop(body, count: count, from: start), functions: functions, data: data, unique: unique, entry: entry)
    }

    /// One of several bodies, which the first byte of the input chooses, each repeated as often as it says; the counter
    /// starts at the second byte times that number.
    public static func choosing(_ bodies: [(code: [UInt8], count: Int)], data: [(Int32, [UInt8])]) -> [UInt8] {
        let read = Host.input.code(int(1_000), int(0), int(2))
        let arms = bodies.enumerated().flatMap { index, body -> [UInt8] in
            let count = int(Int32(truncatingIfNeeded: body.count))
            let begin = int(1_001) + [0x2d, 0, 0] + count + [0x6c, 0x22, 0] + count + [0x6a, 0x21, 5]
            let loop = [0x03, 0x40] + body.code + counter + int(1) + [0x6a, 0x22, 0, 0x20, 5, 0x49, 0x0d, 0, 0x0b]
            return int(1_000) + [0x2d, 0, 0] + int(Int32(index)) + [0x46, 0x04, 0x40] + begin + loop + [0x0b]
        }
        return module(read + arms, functions: [], data: data, unique: [])
    }

    private static func loop(_ body: [UInt8], count: Int, from start: Int) -> [UInt8] {
        int(Int32(truncatingIfNeeded: start)) + [0x21, 0, 0x03, 0x40] + body + counter + int(1) + [0x6a, 0x22, 0]
            + int(Int32(truncatingIfNeeded: start + count)) + [0x49, 0x0d, 0, 0x0b]
    }

    private static func module(
        _ action: [UInt8], functions: [(type: UInt8, body: [UInt8])], data: [(Int32, [UInt8])], unique: [UInt8],
        entry: String = "action"
    ) -> [UInt8] {
        let locals: [UInt8] = [9, 1, i32, 1, i32, 1, i64, 1, 0x7d, 1, 0x7c, 1, i32, 1, i64, 1, 0x7d, 1, 0x7c]
        let hosts = Host.allCases
        let types = [[0x60, 0, 0], [0x60] + vector(Array(repeating: [i32], count: 16)) + [0]]
            + hosts.map { [0x60] + vector($0.parameters.map { [$0] }) + vector($0.result.map { [[$0]] } ?? []) }
        let imports = hosts.map { name("edgeproof") + name("\($0)") + [0x00] + unsigned(UInt64($0.rawValue) + 2) }
        let own = UInt64(hosts.count)
        let bodies = [locals + action + [0x0b]] + functions.map { [0] + $0.body + [0x0b] }
        let code = bodies.map { unsigned(UInt64($0.count)) + $0 }
        let segments = data.map { [0x00] + int($0.0) + [0x0b] + unsigned(UInt64($0.1.count)) + $0.1 }
        let table: [UInt8] = functions.isEmpty ? [] : section(4, vector([[0x70, 0x00, 1]]))
        let elements: [UInt8] =
            functions.isEmpty ? [] : section(9, vector([[0x00] + int(0) + [0x0b, 1] + unsigned(own + 1)]))
        return header + section(1, vector(types)) + section(2, vector(imports))
            + section(3, vector([[0]] + functions.map { [$0.type] })) + table
            + section(5, vector([[0x00, 4]])) + section(6, vector([[i32, 1] + int(0) + [0x0b]]))
            + section(7, vector([name("memory") + [0x02, 0x00], name(entry) + [0x00] + unsigned(own)]))
            + elements + section(10, vector(code)) + section(11, vector(segments))
            + (unique.isEmpty ? [] : section(0, name("unique") + unique))
    }

    // MARK: Modules that take long to check

    /// Dead branches to a loop with as many parameters as there may be.
    public static func wideBranches(bytes: Int) -> [UInt8] {
        let wide = [0x60] + vector(Array(repeating: [i32], count: 4)) + [0]
        var body: [UInt8] = [0]
        body += Array(repeating: int(0), count: 4).flatMap { $0 } + [0x03, 1, 0x00]
        while body.count < bytes - 200 { body += [0x0d, 0] }
        body += Array(repeating: 0x1a, count: 4) + [0x0b, 0x0b]
        return plain(types: [[0x60, 0, 0], wide], functions: [0], bodies: [body])
    }

    /// Jump tables whose every target carries values.
    public static func jumpTables(bytes: Int) -> [UInt8] {
        let wide = [0x60] + vector(Array(repeating: [i32], count: 4)) + [0]
        var body: [UInt8] = [0]
        body += Array(repeating: int(0), count: 4).flatMap { $0 } + [0x03, 1]
        body += [0x00]
        while body.count < bytes - 700 { body += [0x0e] + unsigned(500) + Array(repeating: 0, count: 501) }
        body += [0x0b, 0x0b]
        return plain(types: [[0x60, 0, 0], wide], functions: [0], bodies: [body])
    }

    /// Very many functions with very many locals.
    public static func manyLocals() -> [UInt8] {
        let body: [UInt8] = [1] + unsigned(4_096) + [i64, 0x0b]
        return plain(
            types: [[0x60, 0, 0]], functions: Array(repeating: 0, count: 4_096), bodies: Array(repeating: body, count: 4_096))
    }

    /// Blocks of many parameters, nested and one after the other.
    public static func wideBlocks(bytes: Int) -> [UInt8] {
        let wide = [0x60] + vector(Array(repeating: [i32], count: 4)) + vector(Array(repeating: [i32], count: 4))
        var body: [UInt8] = [0]
        body += Array(repeating: int(0), count: 4).flatMap { $0 }
        while body.count < bytes - 200 { body += [0x02, 1, 0x0b] }
        body += Array(repeating: 0x1a, count: 4) + [0x0b]
        return plain(types: [[0x60, 0, 0], wide], functions: [0], bodies: [body])
    }

    /// Ordinary code.
    public static func ordinary(bytes: Int) -> [UInt8] {
        var body: [UInt8] = [1, 2, i32]
        while body.count < bytes - 200 { body += [0x20, 0, 0x20, 1, 0x6a, 0x21, 0] }
        return plain(types: [[0x60, 0, 0]], functions: [0], bodies: [body + [0x0b]])
    }

    private static func plain(types: [[UInt8]], functions: [UInt8], bodies: [[UInt8]]) -> [UInt8] {
        header + section(1, vector(types)) + section(3, vector(functions.map { [$0] }))
            + section(5, vector([[0x00, 1]])) + section(7, vector([name("memory") + [0x02, 0x00]]))
            + section(10, vector(bodies.map { unsigned(UInt64($0.count)) + $0 }))
    }

    // MARK: Encoding

    private static let header = WasmBytes.header
    private static func section(_ id: UInt8, _ content: [UInt8]) -> [UInt8] { WasmBytes.section(id, content) }
    private static func vector(_ items: [[UInt8]]) -> [UInt8] { WasmBytes.vector(items) }
    private static func name(_ text: String) -> [UInt8] { WasmBytes.name(text) }
    private static func unsigned(_ value: UInt64) -> [UInt8] { WasmBytes.unsigned(value) }
    private static func signed(_ value: Int64) -> [UInt8] { WasmBytes.signed(value) }
}
