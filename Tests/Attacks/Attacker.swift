import ChainClient
import Cryptography
import HostileModules
import Primitives

/// # Attacks
///
/// What a customer with a little money can do to everybody else, as a program: `scripts/attack` measures it, and a test
/// runs it at a small size.

/// What a customer with a little money can do to everybody else, again and again.
public enum Attack: String, CaseIterable, Sendable {
    case nothing, keys, accounts, reservations, coldModules, uploads, schedule, gaps, dust, walking, queries, everything

    public var title: String {
        switch self {
        case .nothing: "nothing (for comparison)"
        case .keys: "calls of 40 M gas that set new keys"
        case .accounts: "calls that make new accounts"
        case .reservations: "transfers that reserve 40 M gas each"
        case .coldModules: "calls of 70 services in turn, each with code of its own"
        case .uploads: "uploads of modules that take long to check, and of junk"
        case .schedule: "contracts that schedule as much as they can"
        case .gaps: "transactions with a gap before them"
        case .dust: "transactions of accounts without credits"
        case .walking: "money walked through new accounts, which each want to spend"
        case .queries: "queries that spin"
        case .everything: "all of these at once"
        }
    }
}

/// The attacker's contracts, and its transactions one after the other.
public struct Attacker: Sendable {
    private let key: PrivateKey
    private let genesis: Digest
    /// Before the names of its services.
    private let name: String
    private let services: Int
    private let money: UInt128
    private let accountDeposit: UInt128

    /// - Parameters:
    ///   - services: whose code it calls in turn.
    ///   - money: what it has.
    ///   - accountDeposit: least that a new account takes.
    public init(
        key: PrivateKey, genesis: Digest, name: String, services: Int, money: UInt128, accountDeposit: UInt128
    ) {
        self.key = key
        self.genesis = genesis
        self.name = name
        self.services = services
        self.money = money
        self.accountDeposit = accountDeposit
    }

    public var account: Account { Account(key.publicKey) }

    public static func id(_ name: String) -> ServiceId { ServiceId(unchecked: Array(name.utf8)) }
    public func own(_ service: String) -> ServiceId { Self.id("\(name) \(service)") }
    private typealias Host = WasmModule.Host
    private static func int(_ value: Int32) -> [UInt8] { WasmModule.int(value) }

    /// Rounds of one call that each write a value, and entries that one makes in the schedule queue: what a transaction has
    /// gas for.
    private static let writes = Int(parameters.transactionGas * 7 / 8 / (parameters.gasPerStorageWrite + 2_000))
    private static let schedulings = Int(
        parameters.transactionGas * 7 / 8 / (8 * parameters.gasPerStorageWrite + 5_000 * parameters.gasPerStorageByte))
    private static let parameters = Parameters()
    /// Of what does nothing but be there: a record, with room.
    private static let recordGas = parameters.intrinsicGas(dataBytes: 1_000)

    /// Sets keys that no call before has set: the block's randomness is in them.
    private static var keys: [UInt8] {
        WasmModule.repeating(
            WasmModule.storeCounter(at: 32) + Host.storage_set.code(int(0), int(36), int(0), int(0)), count: writes,
            prologue: Host.randomness.code(int(0)))
    }

    private static var accounts: [UInt8] {
        var deposit = [UInt8](repeating: 0, count: 16)
        deposit[2] = 0x20
        return WasmModule.repeating(
            WasmModule.storeCounter(at: 28) + Host.transfer.code(int(0), int(320)), count: writes,
            data: [(320, deposit)], prologue: Host.randomness.code(int(0)))
    }

    private static var scheduler: [UInt8] {
        WasmModule.repeating(Host.schedule.code(WasmModule.long(0), int(0), int(0), int(0)), count: schedulings)
    }

    private static var spinner: [UInt8] { WasmModule.repeating([], count: Int(Int32.max), entry: "query") }

    /// Code and deposits: what an attacker pays before it begins.
    public func prepare(_ attack: Attack, _ sender: TransactionSender) async throws {
        switch attack {
        // Half of the money, which takes its credits along, stands for keys.
        case .keys: try await register("keys", code: Self.keys, deposit: money / 2, sender)
        case .accounts: try await register("accounts", code: Self.accounts, deposit: money / 4, sender)
        case .queries: try await register("spin", code: Self.spinner, deposit: 1_000_000, sender)
        // Many services, since each has its part of the queue.
        case .schedule:
            for index in 0..<Self.schedulers {
                try await register("schedule\(index)", code: Self.scheduler, deposit: money / 2 / UInt128(Self.schedulers), sender)
            }
        case .coldModules:
            for index in 0..<services {
                let padding = [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: 20_000)
                let code = WasmModule.repeating([], count: 1, unique: Array("\(name) \(index)".utf8) + padding)
                try await register("cold\(index)", code: code, deposit: 0, sender)
            }
        case .nothing, .reservations, .uploads, .gaps, .dust, .walking, .everything: break
        }
    }

    private static let schedulers = 16

    private func register(_ service: String, code: [UInt8], deposit: UInt128, _ sender: TransactionSender) async throws {
        _ = try await sender.register(
            own(service), code: code, kind: "attack", validator: nil, initData: [], deposit: deposit)
    }

    /// One of the accounts through which money walks.
    private func walker(_ index: Int) throws -> PrivateKey {
        guard let key = PrivateKey(seed: Digest(sha256: Array("\(name) walker \(index)".utf8)).bytes) else {
            throw CryptographyError.invalidKey
        }
        return key
    }

    /// The attack's transaction number `index`, of this sequence.
    public func transaction(_ attack: Attack, _ index: Int, sequence: UInt64, now: UInt64) throws -> SignedTransaction {
        func signed(
            _ action: ActionId, _ service: ServiceId, _ data: [UInt8] = [], value: UInt128 = 0, gas: UInt64 = 40_000_000,
            sequence: UInt64, key: PrivateKey? = nil
        ) throws -> SignedTransaction {
            let key = key ?? self.key
            return try SignedTransaction(
                signing: Transaction(
                    sender: Account(key.publicKey), sequence: sequence, validUntil: Time(now + 120_000), gasLimit: gas,
                    value: value, serviceId: service, actionId: action, data: data), with: key, genesis: genesis)
        }
        switch attack {
        case .keys: return try signed(ActionId(256), own("keys"), sequence: sequence)
        case .accounts: return try signed(ActionId(256), own("accounts"), sequence: sequence)
        case .reservations:
            return try signed(.transfer, .chain, Transfer(recipient: account).borsh, value: 1, sequence: sequence)
        case .coldModules:
            return try signed(ActionId(256), own("cold\(index % max(1, services))"), gas: 5_000_000, sequence: sequence)
        case .uploads:
            // A section without a name, so that no two are the same code.
            let tail: [UInt8] = [0, 9, 0] + withUnsafeBytes(of: UInt64(index)) { Array($0) }
            let code =
                index % 3 == 0
                ? WasmModule.wideBranches(bytes: 60_000) : index % 3 == 1 ? WasmModule.manyLocals() : Array(repeating: 0xff, count: 60_000)
            return try signed(.uploadContract, .chain, code + tail, gas: 30_000_000, sequence: sequence)
        case .schedule: return try signed(ActionId(256), own("schedule\(index % Self.schedulers)"), sequence: sequence)
        case .gaps:
            // Under ever new names; one in ten of an account that has money.
            let fresh = index % 10 == 0 ? key : PrivateKey.generate()
            return try signed(
                .distributeTask, Self.id("s"), gas: Self.recordGas, sequence: index % 10 == 0 ? sequence + 2 + UInt64(index / 10 % 60) : 1,
                key: fresh)
        case .dust: return try signed(.distributeTask, Self.id("s"), gas: Self.recordGas, sequence: 0, key: PrivateKey.generate())
        case .walking:
            // The unit walks on, and whoever has just had it wants to spend.
            if index % 2 == 0 {
                let next = Account(try walker(index / 2).publicKey)
                return try signed(
                    .transfer, .chain, Transfer(recipient: next).borsh, value: accountDeposit + 1, gas: 2 * Self.recordGas, sequence: sequence)
            }
            return try signed(
                .distributeTask, Self.id("s"), gas: Self.recordGas, sequence: 0, key: try walker(max(0, index / 2 - 20)))
        case .nothing, .queries, .everything:
            return try signed(.distributeTask, Self.id("s"), gas: Self.recordGas, sequence: sequence)
        }
    }
}
