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

    typealias Row = (name: String, value: MeasuredChain.Cost)

    func run() async throws {
        var rows: [Row] = []
        for (place, count) in leaves.enumerated() {
            tell("a state of \(count) leaves")
            let chain = try MeasuredChain()
            let suffix = ", \(count) leaves"
            let bodies = Operations.state(leaves: count)
            let service = try chain.deploy(
                WasmModule.choosing(
                    bodies.map { (code: $0.code, count: $0.most > 0 ? $0.most : Operations.writesPerCall) }, data: Self.data), as: "state")
            let senders = try keys(500, "sender\(suffix)")
            try fund(senders, chain)
            try chain.fill(count, of: service) { made in if made % 100_000 == 0 { tell("  \(made) leaves") } }
            try coldSenders(senders, chain, suffix, &rows)
            try state(chain, service, bodies, suffix, &rows)
            try native(chain, suffix, &rows)
            if place == 0, !stateOnly {
                try masternodes(chain, &rows)
                try chain.deploy(WasmModule.repeating([], count: 1, data: []), as: "leaf")
                for body in Operations.instructions + Operations.host {
                    do { rows.append((body.name, try measure(body, chain, from: 0))) } catch {
                        // Something that can't be measured is no less than something too dear.
                        tell("  \(error)")
                        rows.append((body.name + ": not measured", .worst))
                    }
                }
                try modules(chain, &rows)
            }
        }
        print("| operation | processor ns a gas | by the clock |\n|---|---|---|")
        for row in rows { print("| \(row.name) | \(Self.number(row.value.processor)) | \(Self.number(row.value.clock)) |") }
        let worst = rows.max { $0.value.processor < $1.value.processor }
        let over = rows.filter { $0.value.processor > limit }
        print("\nworst: \(worst?.name ?? "nothing") at \(Self.number(worst?.value.processor ?? 0)) ns a gas; over \(limit): \(over.count)")
        if !over.isEmpty { throw ExitCode(1) }
    }

    private static func number(_ value: Double) -> String { String(format: "%.2f", value) }
    private static func number(_ cost: MeasuredChain.Cost) -> String { "\(number(cost.processor)), \(number(cost.clock)) by the clock" }
    private func tell(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

    // MARK: Contracts

    private func code(_ body: Operations.Body, count: Int, from start: Int) -> [UInt8] {
        WasmModule.repeating(body.code, count: count, from: start, functions: body.functions, data: Self.data)
    }

    /// The best of three, each of some blocks' work: noise of the machine only adds.
    private func measure(
        _ body: Operations.Body, _ chain: MeasuredChain, from start: Int
    ) throws -> MeasuredChain.Cost {
        let few = try gas(body, count: 10, chain, from: 1_000_000_000)
        let more = try gas(body, count: 20, chain, from: 1_000_000_100)
        let each = max(1, (more - few) / 10)
        var count = max(1, Int(36_000_000 / each))
        if body.most > 0 { count = min(count, body.most) }
        let best = try best { try run(body, count: count, chain, from: start).cost }
        tell("  \(body.name): \(Self.number(best))")
        return best
    }

    private func best(_ measure: () throws -> MeasuredChain.Cost) rethrows -> MeasuredChain.Cost {
        var best = MeasuredChain.Cost.worst
        for _ in 0..<3 {
            let cost = try measure()
            best.clock = min(best.clock, cost.clock)
            best.processor = min(best.processor, cost.processor)
        }
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
        _ rows: inout [Row]
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
            rows.append((body.name + suffix, result.cost))
            tell("  \(body.name): \(Self.number(result.cost))")
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

    private func keys(_ count: Int, _ name: String) throws -> [PrivateKey] {
        try (0..<count).map { index in
            guard let key = PrivateKey(seed: Digest(sha256: Array("\(name) \(index)".utf8)).bytes) else {
                throw CryptographyError.invalidKey
            }
            return key
        }
    }

    private func fund(_ keys: [PrivateKey], _ chain: MeasuredChain) throws {
        _ = try chain.measure(
            try keys.map {
                let data = Transfer(recipient: Account($0.publicKey))
                return try chain.transaction(.transfer, data: data.borsh, value: 1 << 40, gas: 1_000_000)
            })
    }

    /// Of accounts whose records nobody has touched for long: what any transaction takes.
    private func coldSenders(
        _ senders: [PrivateKey], _ chain: MeasuredChain, _ suffix: String, _ rows: inout [Row]
    ) throws {
        let service = ServiceId(unchecked: Array("nobody's".utf8))
        let result = try chain.measure(
            try senders.map { try chain.transaction(.distributeTask, service: service, gas: 1_000_000, by: $0) })
        for receipt in result.receipts where receipt.outcome != .recorded { throw GasError("a record: \(receipt.outcome)") }
        rows.append(("record of a cold sender" + suffix, result.cost))
        tell("  record of a cold sender: \(Self.number(result.cost))")
    }

    private func native(_ chain: MeasuredChain, _ suffix: String, _ rows: inout [Row]) throws {
        func row(_ name: String, _ make: (Int) throws -> SignedTransaction) throws {
            let result = try chain.measure(try (0..<500).map(make))
            for receipt in result.receipts {
                if case .failed(let message) = receipt.outcome { throw GasError("\(name): \(message)") }
            }
            rows.append((name + suffix, result.cost))
            tell("  \(name): \(Self.number(result.cost))")
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
        let members = try keys(500, "member \(suffix)")
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
    private func masternodes(_ chain: MeasuredChain, _ rows: inout [Row]) throws {
        let keys = try keys(ChainLimits.masternodes - 1, "masternode")
        func row(_ name: String, _ make: (PrivateKey) throws -> SignedTransaction) throws {
            let result = try chain.measure(try keys.map(make))
            for receipt in result.receipts where receipt.outcome != .succeeded { throw GasError("\(name): \(receipt.outcome)") }
            rows.append((name, result.cost))
            tell("  \(name): \(Self.number(result.cost))")
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
    private func modules(_ chain: MeasuredChain, _ rows: inout [Row]) throws {
        let hostile: [(String, [UInt8])] = [
            ("ordinary code", WasmModule.ordinary(bytes: 64_000)), ("dead branches to a wide loop", WasmModule.wideBranches(bytes: 64_000)),
            ("jump tables to a wide loop", WasmModule.jumpTables(bytes: 64_000)), ("wide blocks", WasmModule.wideBlocks(bytes: 64_000)),
            ("4,096 functions of 4,096 locals", WasmModule.manyLocals()), ("junk", Array(repeating: 0xff, count: 64_000)),
        ]
        for (name, code) in hostile {
            var round: UInt8 = 0
            let best = try best {
                round += 1
                let result = try chain.measure([try chain.transaction(.uploadContract, data: code + [0, 2, 1, round])])
                // All but junk are valid to the last byte: what is refused early would cost less.
                guard let outcome = result.receipts.first?.outcome, (outcome == .succeeded) == (name != "junk") else {
                    throw GasError("upload of \(name): \(result.receipts.first.map { "\($0.outcome)" } ?? "no receipt")")
                }
                return result.cost
            }
            rows.append(("upload: " + name, best))
            tell("  upload, \(name): \(Self.number(best))")
        }
        // Services in turn, more than any cache holds: each module is read, checked and compiled for each call.
        for (name, code) in hostile.dropLast() {
            let services = try (0..<4 as Range<UInt8>).map { index in
                try chain.deploy(code + [0, 2, 1, 10 + index], as: "load \(name.prefix(20)) \(index)")
            }
            let best = try best {
                var sum = MeasuredChain.Measurement()
                for service in services {
                    // These modules do nothing: the call fails when it has been prepared.
                    let result = try chain.measure(try (0..<2).map { _ in try chain.transaction(ActionId(256), service: service) })
                    sum.seconds += result.seconds
                    sum.processorSeconds += result.processorSeconds
                    sum.gas += result.gas
                }
                return sum.cost
            }
            rows.append(("call of a contract that is not in the cache: " + name, best))
            tell("  call, \(name): \(Self.number(best))")
        }
    }
}
