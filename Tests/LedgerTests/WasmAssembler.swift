import TestSupport

/// Writes small contracts as WebAssembly bytes: each step is a host call with constants, so that a test says in a
/// line what its contract does.
indirect enum Step: Sendable {
    case set(key: String, value: [UInt8])
    /// Stores the whole input under the key.
    case setInput(key: String)
    /// Stores the 216 bytes of `context`.
    case setContext(key: String)
    /// Stores the result of the step before (i32 or i64, as 4 or 8 bytes).
    case setResult(key: String)
    case get(key: String)
    case remove(key: String)
    case transfer(to: [UInt8], amount: UInt128)
    case emit(topic: String, data: [UInt8])
    case verdict(about: [UInt8], role: UInt32, kind: UInt32, weight: Int64, post: String)
    case sha256(of: [UInt8], key: String)
    case verify(key: [UInt8], signature: [UInt8], message: [UInt8])
    case randomness(key: String)
    case schedule(time: Int64, entry: UInt32, data: [UInt8])
    /// Time: the first 8 bytes of the input.
    case scheduleInputTime(entry: UInt32)
    case call(service: String, action: UInt32, data: [UInt8], amount: UInt128)
    case reply([UInt8])
    /// Replies with the value stored under the key.
    case replyStored(key: String)
    case fail(String)
    case log(String)
    case trap
    case spin
    case keyInsert(String)
    /// Leaves the key behind the result.
    case keyNext(prefix: String, after: String)
    /// Stores the result of the step before and 32 bytes behind it: what `keyNext` found.
    case setKey(key: String)
    /// The record of a service, at 65536.
    case service(String)
    /// Stores bytes of the memory.
    case setMemory(key: String, at: Int32, count: Int32)
    /// A host call with these raw arguments.
    case raw(HostCall, [UInt64])
    /// Only when the action (or the scheduled entry) is this one.
    case when(action: UInt32, [Step])
}

/// Place in the import section, and type, of each host function.
enum HostCall: UInt8, CaseIterable {
    case context, input, storage_get, storage_set, storage_remove, transfer, emit, verdict, sha256, ed25519_verify
    case randomness, schedule, call, return_data, fail, log, validator, draw_committee, reputation
    case signer, service, key_insert, key_remove, key_next

    var parameters: [UInt8] {
        let i: UInt8 = 0x7f, l: UInt8 = 0x7e
        return switch self {
        case .context, .randomness, .validator, .signer: [i]
        case .storage_remove, .transfer, .return_data, .fail, .log, .reputation, .key_insert, .key_remove: [i, i]
        case .input, .sha256, .draw_committee: [i, i, i]
        case .storage_get, .storage_set, .emit, .ed25519_verify, .service: [i, i, i, i]
        case .key_next: [i, i, i, i, i, i]
        case .verdict: [i, i, i, l, i, i]
        case .schedule: [l, i, i, i]
        case .call: [i, i, i, i, i, i, i, i]
        }
    }

    var result: UInt8? {
        switch self {
        case .storage_get, .transfer, .verdict, .ed25519_verify, .call, .validator, .draw_committee, .signer, .service,
            .key_insert, .key_remove, .key_next:
            0x7f
        case .schedule, .reputation: 0x7e
        default: nil
        }
    }
}

struct WasmAssembler {
    // Memory: 0 context, 256 result, 512 hashes, 1024 constants, 65536 input and replies.
    private var constants: [UInt8] = []
    private static let contextAt: Int32 = 0
    private static let resultAt: Int32 = 256
    private static let hashAt: Int32 = 512
    private static let constantsAt = 1_024
    private static let bufferAt: Int32 = 65_536
    private static let bufferSize: Int32 = 65_536

    /// - Parameter entries: exported functions.
    static func module(_ entries: [(name: String, steps: [Step])]) -> [UInt8] {
        var assembler = WasmAssembler()
        let bodies = entries.map { assembler.body($0.steps) }
        let hosts = HostCall.allCases
        let types = hosts.map { [0x60] + WasmBytes.vector($0.parameters.map { [$0] }) + WasmBytes.vector($0.result.map { [[$0]] } ?? []) }
            + [[0x60, 0, 0]]
        let imports = hosts.map { host in
            WasmBytes.name("edgeproof") + WasmBytes.name("\(host)") + [0x00] + WasmBytes.unsigned(UInt64(host.rawValue))
        }
        let own = UInt64(hosts.count)
        let exports = [WasmBytes.name("memory") + [0x02, 0x00]]
            + entries.enumerated().map { WasmBytes.name($0.element.name) + [0x00] + WasmBytes.unsigned(own + UInt64($0.offset)) }
        let code = bodies.map { body in WasmBytes.unsigned(UInt64(body.count + 1)) + [0x00] + body }
        let data = [0x00, 0x41] + WasmBytes.signed(Int64(constantsAt)) + [0x0b] + WasmBytes.unsigned(UInt64(assembler.constants.count))
            + assembler.constants
        return WasmBytes.header
            + WasmBytes.section(1, WasmBytes.vector(types)) + WasmBytes.section(2, WasmBytes.vector(imports))
            + WasmBytes.section(3, WasmBytes.vector(entries.map { _ in WasmBytes.unsigned(own) })) + WasmBytes.section(5, WasmBytes.vector([[0x00, 0x02]]))
            + WasmBytes.section(7, WasmBytes.vector(exports)) + WasmBytes.section(10, WasmBytes.vector(code)) + WasmBytes.section(11, WasmBytes.vector([data]))
    }

    // MARK: Code

    private mutating func body(_ steps: [Step]) -> [UInt8] { steps.flatMap { code($0) } + [0x0b] }

    private mutating func code(_ step: Step) -> [UInt8] {
        switch step {
        case .set(let key, let value): return host(.storage_set, bytes(key) + bytes(value))
        case .setInput(let key):
            return host(.context, [int(Self.contextAt)])
                + host(.input, [int(Self.bufferAt), int(0), load(196)])
                + host(.storage_set, bytes(key) + [int(Self.bufferAt), load(196)])
        case .setContext(let key):
            return host(.context, [int(Self.contextAt)])
                + host(.storage_set, bytes(key) + [int(Self.contextAt), int(216)])
        case .setResult(let key):
            return host(.storage_set, bytes(key) + [int(Self.resultAt), int(8)])
        case .get(let key):
            return keep(host(.storage_get, bytes(key) + [int(Self.bufferAt), int(Self.bufferSize)], store: false), .storage_get)
        case .remove(let key): return host(.storage_remove, bytes(key))
        case .transfer(let account, let amount):
            return keep(host(.transfer, [pointer(account), pointer(Self.wide(amount))], store: false), .transfer)
        case .emit(let topic, let data): return host(.emit, bytes(topic) + bytes(data))
        case .verdict(let account, let role, let kind, let weight, let post):
            return keep(
                host(.verdict, [pointer(account), word(role), word(kind), long(weight)] + bytes(post), store: false), .verdict)
        case .sha256(let data, let key):
            return host(.sha256, bytes(data) + [int(Self.hashAt)])
                + host(.storage_set, bytes(key) + [int(Self.hashAt), int(32)])
        case .verify(let key, let signature, let message):
            return keep(
                host(.ed25519_verify, [pointer(key), pointer(signature)] + bytes(message), store: false), .ed25519_verify)
        case .randomness(let key):
            return host(.randomness, [int(Self.hashAt)])
                + host(.storage_set, bytes(key) + [int(Self.hashAt), int(32)])
        case .schedule(let time, let entry, let data):
            return keep(host(.schedule, [long(time), word(entry)] + bytes(data), store: false), .schedule)
        case .scheduleInputTime(let entry):
            return host(.input, [int(Self.bufferAt), int(0), int(8)])
                + keep(
                    host(
                        .schedule, [int(Self.bufferAt) + [0x29, 0x03, 0x00], word(entry), int(Self.bufferAt), int(8)],
                        store: false), .schedule)
        case .call(let service, let action, let data, let amount):
            return keep(
                host(
                    .call,
                    bytes(service) + [word(action)] + bytes(data)
                        + [pointer(Self.wide(amount)), int(Self.bufferAt), int(Self.bufferSize)], store: false), .call)
        case .reply(let data): return host(.return_data, bytes(data))
        case .replyStored(let key):
            return keep(host(.storage_get, bytes(key) + [int(Self.bufferAt), int(Self.bufferSize)], store: false), .storage_get)
                + host(.return_data, [int(Self.bufferAt), int(Self.resultAt) + [0x28, 0x02, 0x00]])
        case .fail(let message): return host(.fail, bytes(message))
        case .log(let text): return host(.log, bytes(text))
        case .trap: return [0x00]
        case .spin: return [0x03, 0x40, 0x0c, 0x00, 0x0b]
        case .keyInsert(let key): return keep(host(.key_insert, bytes(key), store: false), .key_insert)
        case .keyNext(let prefix, let after):
            return keep(
                host(.key_next, bytes(prefix) + bytes(after) + [int(Self.resultAt + 4), int(32)], store: false), .key_next)
        case .setKey(let key):
            return host(.storage_set, bytes(key) + [int(Self.resultAt), int(36)])
        case .service(let name):
            return keep(host(.service, bytes(name) + [int(Self.bufferAt), int(Self.bufferSize)], store: false), .service)
        case .setMemory(let key, let place, let count):
            return host(.storage_set, bytes(key) + [int(place), int(count)])
        case .raw(let call, let arguments):
            let values = zip(call.parameters, arguments).map { type, value in
                type == 0x7f ? word(UInt32(truncatingIfNeeded: value)) : long(Int64(bitPattern: value))
            }
            return call.result == nil ? host(call, values) : keep(host(call, values, store: false), call)
        case .when(let action, let steps):
            return host(.context, [int(Self.contextAt)]) + load(148) + word(action) + [0x46, 0x04, 0x40]
                + steps.flatMap { code($0) } + [0x0b]
        }
    }

    private func host(_ call: HostCall, _ arguments: [[UInt8]], store: Bool = true) -> [UInt8] {
        arguments.flatMap { $0 } + [0x10, call.rawValue]
    }

    /// Stores the result on the stack at `resultAt`: as the store wants its address first, the call is wrapped.
    private func keep(_ call: [UInt8], _ host: HostCall) -> [UInt8] {
        int(Self.resultAt) + call + (host.result == 0x7e ? [0x37, 0x03, 0x00] : [0x36, 0x02, 0x00])
    }

    private func load(_ offset: Int32) -> [UInt8] { int(offset) + [0x28, 0x02, 0x00] }
    private func int(_ value: Int32) -> [UInt8] { [0x41] + WasmBytes.signed(Int64(value)) }
    private func word(_ value: UInt32) -> [UInt8] { int(Int32(bitPattern: value)) }
    private func long(_ value: Int64) -> [UInt8] { [0x42] + WasmBytes.signed(value) }

    /// Pointer and length of constant bytes.
    private mutating func bytes(_ value: [UInt8]) -> [[UInt8]] { [pointer(value), int(Int32(value.count))] }
    private mutating func bytes(_ text: String) -> [[UInt8]] { bytes(Array(text.utf8)) }

    private mutating func pointer(_ value: [UInt8]) -> [UInt8] {
        defer { constants += value }
        return int(Int32(Self.constantsAt + constants.count))
    }

    private static func wide(_ value: UInt128) -> [UInt8] { (0..<16).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
}
