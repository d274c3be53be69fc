import Cryptography
import Primitives
import WebAssembly

/// The host functions for one call, as strict as the interface allows.
final class TestHost: HostFunctions {
    static let failCode: Int32 = 1
    static let brokenRule: Int32 = 2

    unowned let chain: TestChain
    let call: TestChain.Call
    private(set) var reply: [UInt8] = []

    init(chain: TestChain, call: TestChain.Call) {
        self.chain = chain
        self.call = call
    }

    static let imports = [
        offer("context", [.i32]),
        offer("input", [.i32, .i32, .i32]),
        offer("storage_get", [.i32, .i32, .i32, .i32], [.i32]),
        offer("storage_set", [.i32, .i32, .i32, .i32]),
        offer("storage_remove", [.i32, .i32]),
        offer("transfer", [.i32, .i32], [.i32]),
        offer("emit", [.i32, .i32, .i32, .i32]),
        offer("verdict", [.i32, .i32, .i32, .i64, .i32, .i32], [.i32]),
        offer("sha256", [.i32, .i32, .i32]),
        offer("ed25519_verify", [.i32, .i32, .i32, .i32], [.i32]),
        offer("randomness", [.i32]),
        offer("schedule", [.i64, .i32, .i32, .i32], [.i64]),
        offer("call", [.i32, .i32, .i32, .i32, .i32, .i32, .i32, .i32], [.i32]),
        offer("return_data", [.i32, .i32]),
        offer("fail", [.i32, .i32]),
        offer("log", [.i32, .i32]),
        offer("validator", [.i32], [.i32]),
        offer("draw_committee", [.i32, .i32, .i32], [.i32]),
        offer("reputation", [.i32, .i32], [.i64]),
    ]

    private static func offer(_ name: String, _ parameters: [ValueType], _ results: [ValueType] = []) -> HostImport {
        HostImport(module: "edgeproof", name: name, type: FunctionType(parameters, results))
    }

    func call(_ function: Int, _ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64? {
        let memory = Memory(arguments: arguments, context: context)
        switch Self.imports[function].name {
        case "context":
            try context.writeMemory(chain.contextBlock(call), at: arguments.i32(0))
        case "input":
            let (offset, length) = (Int(try arguments.i32(1)), Int(try arguments.i32(2)))
            guard offset + length <= call.input.count else { throw Self.broken("input out of range") }
            try context.writeMemory(call.input[offset..<offset + length], at: arguments.i32(0))
        case "storage_get":
            guard let value = chain.state.storage[try memory.key()] else { return UInt64(UInt32.max) }
            try context.writeMemory(value.prefix(Int(arguments.i32(3))), at: arguments.i32(2))
            return UInt64(value.count)
        case "storage_set":
            try requireChanges()
            chain.state.storage[try memory.key()] = try memory.read(2, 3, limit: 32_768, "value")
        case "storage_remove":
            try requireChanges()
            chain.state.storage[try memory.key()] = nil
        case "transfer":
            try requireChanges()
            let account = try memory.account(0)
            let bytes = try context.readMemory(at: arguments.i32(1), count: 16)
            let amount = bytes.reversed().reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
            let balance = chain.state.balances[TestChain.contractAccount, default: 0]
            guard amount <= balance else { return 1 }
            chain.state.balances[TestChain.contractAccount] = balance - amount
            chain.state.balances[account, default: 0] += amount
            return 0
        case "emit":
            try requireChanges()
            let topic = String(decoding: try memory.read(0, 1, limit: 64, "topic"), as: UTF8.self)
            chain.state.events.append(.init(topic: topic, data: try memory.read(2, 3, limit: 4_096, "event")))
        case "verdict":
            try requireChanges()
            chain.state.verdicts.append(
                .init(
                    account: try memory.account(0), role: try arguments.i32(1), kind: try arguments.i32(2),
                    weight: try arguments.i64(3),
                    post: String(decoding: try memory.read(4, 5, limit: 32, "post"), as: UTF8.self)))
            return 0
        case "sha256":
            let digest = Digest(sha256: try memory.read(0, 1, limit: .max, "preimage"))
            try context.writeMemory(digest.bytes, at: arguments.i32(2))
        case "schedule":
            try requireChanges()
            let data = try memory.read(2, 3, limit: 4_096, "scheduled data")
            return UInt64(bitPattern: chain.schedule(try arguments.i64(0), try arguments.i32(1), data))
        case "return_data":
            reply = try memory.read(0, 1, limit: 65_536, "reply")
        case "validator":
            guard let validator = chain.validator else { return 0 }
            try context.writeMemory(validator.bytes, at: arguments.i32(0))
            return 1
        case "draw_committee":
            try requireChanges()
            let (size, attempt) = (Int(try arguments.i32(0)), Int(try arguments.i32(1)))
            guard (attempt + 1) * size <= chain.drawable.count else { return 0 }
            let drawn = chain.drawable[attempt * size..<(attempt + 1) * size].flatMap(\.bytes)
            try context.writeMemory(drawn, at: arguments.i32(2))
            return UInt64(size)
        case "reputation":
            return chain.reputations[try memory.account(0), default: 0]
        case "ed25519_verify":
            let key = try memory.account(0).publicKey
            guard let signature = Signature(try context.readMemory(at: arguments.i32(1), count: 64)) else { return 0 }
            return key.isValid(signature, message: try memory.read(2, 3, limit: .max, "message")) ? 1 : 0
        case "fail":
            let message = String(decoding: try memory.read(0, 1, limit: 256, "message"), as: UTF8.self)
            throw .hostFailed(code: Self.failCode, message: message)
        case "log":
            _ = try memory.read(0, 1, limit: 4_096, "log text")
        case let name:
            throw Self.broken("the contracts here do not call \(name)")
        }
        return nil
    }

    private func requireChanges() throws(Trap) {
        guard call.kind != .query else { throw Self.broken("a query changes the state") }
    }

    private static func broken(_ what: String) -> Trap { .hostFailed(code: brokenRule, message: what) }

    /// What the arguments point to, within the interface's bounds.
    private struct Memory {
        let arguments: HostArguments
        let context: HostContext

        func read(_ pointer: Int, _ length: Int, limit: UInt32, _ what: String) throws(Trap) -> [UInt8] {
            let count = try arguments.i32(length)
            guard count <= limit else { throw TestHost.broken("\(what) of \(count) bytes") }
            return try context.readMemory(at: try arguments.i32(pointer), count: count)
        }

        func account(_ pointer: Int) throws(Trap) -> Account {
            Account(try context.readMemory(at: try arguments.i32(pointer), count: 32)) ?? .zero
        }

        func key() throws(Trap) -> [UInt8] {
            let key = try read(0, 1, limit: 64, "key")
            guard !key.isEmpty else { throw TestHost.broken("empty key") }
            return key
        }
    }
}
