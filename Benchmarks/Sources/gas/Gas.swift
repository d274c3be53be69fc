import ArgumentParser
import Cryptography
import HostileModules
import Foundation
import Ledger
import Primitives

/// Measures what gas costs: every instruction class, host function, native action, module check and load, through the
/// real ledger, state tree and synced store. One unit of gas is to be a nanosecond at the worst; nothing may be above
/// three.
@main
struct Gas: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gas", abstract: "Nanoseconds that a unit of gas takes, for everything that takes gas.",
        discussion: "Example: gas --leaves 10000 --leaves 1000000")

    @Option(help: "Leaves that the state has; may be repeated.") var leaves: [Int] = [10_000, 1_000_000]
    @Option(help: "Ends with 1 where something is above this.") var limit = 3.0
    @Flag(help: "Measures the state's operations alone.") var stateOnly = false

    func run() async throws {
        var rows: [(name: String, value: Double)] = []
        for (place, count) in leaves.enumerated() {
            tell("a state of \(count) leaves")
            let chain = try MeasuredChain()
            let bodies = Operations.state(leaves: count)
            let service = try chain.deploy(
                WasmModule.choosing(
                    bodies.map { (code: $0.code, count: $0.name.contains("32 kB") ? 40 : 500) }, data: Self.data), as: "state")
            try chain.fill(count, of: service) { made in if made % 100_000 == 0 { tell("  \(made) leaves") } }
            let suffix = ", \(count) leaves"
            try state(chain, service, bodies, suffix, &rows)
            try native(chain, suffix, &rows)
            if place == 0, !stateOnly {
                try masternodes(chain, &rows)
                try chain.deploy(WasmModule.repeating([], count: 1, data: []), as: "leaf")
                for body in Operations.instructions + Operations.host {
                    do { rows.append((body.name, try measure(body, chain, from: 0))) } catch {
                        // Something that can't be measured is no less than something too dear.
                        tell("  \(error)")
                        rows.append((body.name + ": not measured", .infinity))
                    }
                }
                try modules(chain, &rows)
            }
        }
        print("| operation | ns a gas |\n|---|---|")
        for row in rows { print("| \(row.name) | \(Self.number(row.value)) |") }
        let worst = rows.max { $0.value < $1.value }
        print("\nworst: \(worst?.name ?? "nothing") at \(Self.number(worst?.value ?? 0)) ns a gas; over \(limit): \(rows.count { $0.value > limit })")
        if rows.contains(where: { $0.value > limit }) { throw ExitCode(1) }
    }

    private static func number(_ value: Double) -> String { String(format: "%.2f", value) }
    private func tell(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

    // MARK: Contracts

    private func code(_ body: Operations.Body, count: Int, from start: Int) -> [UInt8] {
        WasmModule.repeating(body.code, count: count, from: start, functions: body.functions, data: Self.data)
    }

    /// The best of three, each of some blocks' work: noise of the machine only adds.
    private func measure(_ body: Operations.Body, _ chain: MeasuredChain, from start: Int) throws -> Double {
        let few = try gas(body, count: 10, chain, from: 1_000_000_000)
        let more = try gas(body, count: 20, chain, from: 1_000_000_100)
        let each = max(1, (more - few) / 10)
        var count = max(1, Int(36_000_000 / each))
        if body.most > 0 { count = min(count, body.most) }
        var best = Double.infinity
        for _ in 0..<3 { best = min(best, try run(body, count: count, chain, from: start).nanosecondsPerGas) }
        tell("  \(body.name): \(Self.number(best))")
        return best
    }

    private func gas(_ body: Operations.Body, count: Int, _ chain: MeasuredChain, from start: Int) throws -> UInt64 {
        try run(body, count: count, chain, from: start).gas
    }

    private func run(
        _ body: Operations.Body, count: Int, _ chain: MeasuredChain, from start: Int
    ) throws -> MeasuredChain.Measurement {
        Self.deployed += 1
        let service = try chain.deploy(code(body, count: count, from: start), as: "s\(Self.deployed)")
        let result = try chain.measure([try chain.transaction(ActionId(256), service: service)])
        guard let receipt = result.receipts.first, receipt.outcome == .succeeded else {
            throw GasError("\(body.name): \(result.receipts.first.map { "\($0.outcome)" } ?? "no receipt")")
        }
        return result
    }

    nonisolated(unsafe) private static var deployed = 0

    /// One contract, so that each body meets what the one before left.
    private func state(
        _ chain: MeasuredChain, _ service: ServiceId, _ bodies: [Operations.Body], _ suffix: String,
        _ rows: inout [(name: String, value: Double)]
    ) throws {
        for (index, body) in bodies.enumerated() {
            // As many as a block holds, each with keys of its own.
            let result = try chain.measure(
                try (0..<6 as Range<UInt8>).map {
                    try chain.transaction(ActionId(256), service: service, data: [UInt8(index), $0])
                })
            for receipt in result.receipts where receipt.outcome != .succeeded {
                throw GasError("\(body.name): \(receipt.outcome)")
            }
            rows.append((body.name + suffix, result.nanosecondsPerGas))
            tell("  \(body.name): \(Self.number(result.nanosecondsPerGas))")
        }
    }

    private static let data: [(Int32, [UInt8])] = {
        var deposit = [UInt8](repeating: 0, count: 16)
        // 2^24: over what a new account locks.
        deposit[3] = 1
        let key = Array("0123456789abcdef0123456789abcdef".utf8)
        return [(256, key), (320, deposit), (512, [9, 9, 9, 9]), (600, Array("leaf".utf8)), (2_048, Digest(sha256: key).bytes)]
    }()

    // MARK: Native actions

    private func native(_ chain: MeasuredChain, _ suffix: String, _ rows: inout [(name: String, value: Double)]) throws {
        func row(_ name: String, _ make: (Int) throws -> SignedTransaction) throws {
            let result = try chain.measure(try (0..<500).map(make))
            for receipt in result.receipts {
                if case .failed(let message) = receipt.outcome { throw GasError("\(name): \(message)") }
            }
            rows.append((name + suffix, result.nanosecondsPerGas))
            tell("  \(name): \(Self.number(result.nanosecondsPerGas))")
        }
        func recipient(_ index: Int) -> Account {
            Account(words: Digest(sha256: Array("recipient \(suffix) \(index)".utf8)).words)
        }
        for name in ["transfer to a new account", "transfer to an old account"] {
            try row(name) {
                try chain.transaction(
                    .transfer, data: Transfer(recipient: recipient($0)).borsh, value: 1 << 24, gas: 1_000_000)
            }
        }
        let service = ServiceId(unchecked: Array("nobody's".utf8))
        try row("record of 0 bytes") { _ in try chain.transaction(.distributeTask, service: service, gas: 1_000_000) }
        try row("record of 1,000 bytes") { _ in
            try chain.transaction(.distributeTask, service: service, data: Array(repeating: 7, count: 1_000), gas: 1_000_000)
        }
        try row("cancelTransaction") { index in
            let id = TransactionId(words: Digest(sha256: [UInt8(truncatingIfNeeded: index)]).words)
            return try chain.transaction(.cancelTransaction, data: CancelTransaction(id: id).borsh, gas: 1_000_000)
        }
        for round in ["first", "again"] {
            try row("lockMoney, \(round)") { _ in try chain.transaction(.lockMoney, value: 1 << 20, gas: 1_000_000) }
        }
        try row("unlockMoney") { _ in
            try chain.transaction(.unlockMoney, data: UnlockMoney(amount: 1).borsh, gas: 1_000_000)
        }
        let code = WasmModule.repeating([], count: 1, data: [], unique: Array(suffix.utf8))
        let small = "small" + suffix.filter(\.isNumber)
        let sponsor = try chain.deploy(
            code, as: small,
            sponsorship: Sponsorship(creditsPerMember: 1 << 50, creditsPerWindow: 1 << 60, newcomers: .max))
        try row("registerService") { index in
            let data = RegisterService(
                service: ServiceId(unchecked: Array("\(small) \(index)".utf8)), codeHash: Digest(sha256: code), kind: "bench",
                validator: nil, initData: [])
            return try chain.transaction(.registerService, data: data.borsh, gas: 3_000_000)
        }
        let members = try (0..<500).map { index in
            guard let key = PrivateKey(seed: Digest(sha256: Array("member \(suffix) \(index)".utf8)).bytes) else {
                throw CryptographyError.invalidKey
            }
            return key
        }
        for (name, action) in [
            ("applicationTask of a sponsored newcomer", .applicationTask), ("commitmentTask of a sponsored member", .commitmentTask),
            ("releaseRelation of a sponsored member", .releaseRelation),
        ] as [(String, ActionId)] {
            try row(name) {
                try chain.transaction(action, service: sponsor, gas: 2_000_000, post: "r/0", by: members[$0])
            }
        }
    }

    /// With as many of them as there may be: what reads or writes their list costs the most then.
    private func masternodes(_ chain: MeasuredChain, _ rows: inout [(name: String, value: Double)]) throws {
        let keys = try (0..<ChainLimits.masternodes - 1).map { index in
            guard let key = PrivateKey(seed: Digest(sha256: Array("masternode \(index)".utf8)).bytes) else {
                throw CryptographyError.invalidKey
            }
            return key
        }
        func row(_ name: String, _ make: (PrivateKey) throws -> SignedTransaction) throws {
            let result = try chain.measure(try keys.map(make))
            for receipt in result.receipts where receipt.outcome != .succeeded { throw GasError("\(name): \(receipt.outcome)") }
            rows.append((name, result.nanosecondsPerGas))
            tell("  \(name): \(Self.number(result.nanosecondsPerGas))")
        }
        let collateral = UInt128(Parameters().collateral)
        try row("registerMasternode, up to \(ChainLimits.masternodes)") { key in
            let masternode = Masternode(name: "m", consensusKey: key.publicKey, owner: chain.account, beaconTip: .zero)
            let data = try RegisterMasternode(masternode, signing: key, genesis: chain.ledger.genesisHash)
            return try chain.transaction(.registerMasternode, data: data.borsh, value: collateral, gas: 5_000_000)
        }
        try row("renewBeacon") { key in
            try chain.transaction(.renewBeacon, data: RenewBeacon(generation: 1, tip: .zero).borsh, gas: 5_000_000, by: key)
        }
        try row("unregisterMasternode, of \(ChainLimits.masternodes)") { key in
            let data = MasternodeReference(consensusKey: key.publicKey)
            return try chain.transaction(.unregisterMasternode, data: data.borsh, gas: 5_000_000)
        }
    }

    // MARK: Modules

    /// Uploads, and calls of contracts that are not in the cache.
    private func modules(_ chain: MeasuredChain, _ rows: inout [(name: String, value: Double)]) throws {
        let hostile: [(String, [UInt8])] = [
            ("ordinary code", WasmModule.ordinary(bytes: 64_000)), ("dead branches to a wide loop", WasmModule.wideBranches(bytes: 64_000)),
            ("jump tables to a wide loop", WasmModule.jumpTables(bytes: 64_000)), ("wide blocks", WasmModule.wideBlocks(bytes: 64_000)),
            ("4,096 functions of 4,096 locals", WasmModule.manyLocals()), ("junk", Array(repeating: 0xff, count: 64_000)),
        ]
        for (name, code) in hostile {
            var best = Double.infinity
            for round in 0..<3 {
                let fresh = code + [0, 2, 1, UInt8(round)]
                best = min(best, try chain.measure([try chain.transaction(.uploadContract, data: fresh)]).nanosecondsPerGas)
            }
            rows.append(("upload: " + name, best))
            tell("  upload, \(name): \(Self.number(best))")
        }
        // Services in turn, more than any cache holds, each with code of its own.
        let services = try (0..<80).map { index -> ServiceId in
            let name = Array("load \(index)".utf8)
            let padding = Array(repeating: UInt8(index), count: 30_000)
            return try chain.deploy(WasmModule.repeating([], count: 1, data: Self.data, unique: name + padding), as: "load\(index)")
        }
        var seconds = 0.0
        var gas: UInt64 = 0
        for _ in 0..<2 {
            for service in services {
                let result = try chain.measure([try chain.transaction(ActionId(256), service: service)])
                seconds += result.seconds
                gas += result.gas
            }
        }
        rows.append(("call of 80 contracts of 30 kB in turn", gas == 0 ? 0 : seconds * 1e9 / Double(gas)))
    }
}
