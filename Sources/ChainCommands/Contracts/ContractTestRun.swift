import Cryptography
import Encoding
import Ledger
import Primitives

/// Runs a contract's tests, each on a chain of its own on this machine (``PracticeChain``).
package struct ContractTestRun {
    private let file: ContractTestFile
    private let code: [UInt8]
    private let others: [(name: String, code: [UInt8])]

    package struct Report {
        package let name: String
        /// Nil for a test that passed.
        package let failure: Failure?
        /// By all calls together.
        package let gasUsed: UInt64
    }

    package struct Failure: Error {
        package let line: Int
        package let message: String
    }

    /// - Parameter others: modules of the other services, by name.
    package init(file: ContractTestFile, code: [UInt8], others: [(name: String, code: [UInt8])] = []) {
        self.file = file
        self.code = code
        self.others = others
    }

    private static let service = ServiceId(unchecked: Array("contract".utf8))

    /// - Parameter filter: only tests with this text in their name.
    package func run(only filter: String? = nil) -> [Report] {
        file.tests.filter { test in filter.map { test.name.contains($0) } ?? true }.map { run($0) }
    }

    private func run(_ test: ContractTestFile.Test) -> Report {
        var stage: Stage?
        do {
            var ready = try Stage(self, line: test.line)
            stage = ready
            for step in test.steps {
                try ready.run(step)
                stage = ready
            }
            return Report(name: test.name, failure: nil, gasUsed: ready.gasUsed)
        } catch {
            let failure = error as? Failure ?? Failure(line: test.line, message: "\(error)")
            return Report(name: test.name, failure: failure, gasUsed: stage?.gasUsed ?? 0)
        }
    }

    /// One test's chain.
    private struct Stage {
        private let chain: PracticeChain
        private var accounts: [String: Account] = [:]
        private let contract: Account
        private(set) var gasUsed: UInt64 = 0

        init(_ run: ContractTestRun, line: Int) throws {
            var named: [(account: Account, balance: UInt128)] = []
            for (name, balance) in [(ContractTestFile.owner, ContractTestFile.usualBalance)] + run.file.accounts {
                let account = Self.account(name)
                if accounts.updateValue(account, forKey: name) != nil { named.removeAll { $0.account == account } }
                named.append((account, balance))
            }
            chain = try PracticeChain(accounts: named, time: Time(1_700_000_000_000))
            let owner = Self.account(ContractTestFile.owner)
            for (name, code) in run.others {
                guard let id = ServiceId(name) else { throw Failure(line: line, message: "'\(name)' is too long for a service") }
                _ = try Self.register(id, code, on: chain, owner: owner, line: line)
            }
            let known = accounts
            let input = try run.file.initData.resolve { known[$0] }
            contract = try Self.register(
                ContractTestRun.service, run.code, on: chain, owner: owner, line: line, input: input, deposit: run.file.deposit,
                validator: run.file.validator.flatMap { known[$0] })
            accounts[ContractTestFile.contract] = contract
        }

        /// Of a name, always the same.
        private static func account(_ name: String) -> Account {
            Account(words: Digest(domain: "edgeproof/practice-account/1", parts: Array(name.utf8)).words)
        }

        private static func register(
            _ id: ServiceId, _ code: [UInt8], on chain: PracticeChain, owner: Account, line: Int, input: [UInt8] = [],
            deposit: UInt128 = 0, validator: Account? = nil
        ) throws -> Account {
            let registration = RegisterService(
                service: id, codeHash: Digest(sha256: code), kind: "contract", validator: validator, initData: input)
            let result = try chain.register(registration, code: code, owner: owner, deposit: deposit)
            if let failure = result.failure {
                throw Failure(line: line, message: "the chain refuses to register '\(id)': \(failure)")
            }
            guard let record = try chain.service(id) else { throw Failure(line: line, message: "'\(id)' is not registered") }
            return record.contract
        }

        mutating func run(_ step: ContractTestFile.Step) throws {
            do { try perform(step) } catch let failure as Failure { throw failure } catch {
                throw Failure(line: step.line, message: "\(error)")
            }
        }

        private mutating func perform(_ step: ContractTestFile.Step) throws {
            let known = accounts
            func bytes(_ value: ContractTestValue) throws -> [UInt8] { try value.resolve { known[$0] } }
            let expected = step.expected
            let what: String
            var failure: String?
            var reply: [UInt8] = []
            var events: [Event] = []
            var gas: UInt64 = 0
            _ = chain.takeScheduled()
            switch step.action {
            case .call(let action, let from, let post, let data, let value, let limit):
                what = "call \(action) by \(from)"
                guard let sender = accounts[from], let post = PostId(post) else {
                    throw Failure(line: step.line, message: "\(what): the post has more than 32 bytes")
                }
                let result = try chain.send(
                    sender, ContractTestRun.service, ActionId(action), post: post, data: try bytes(data), value: value, gas: limit)
                (failure, reply, events, gas) = (result.failure, result.returned, result.events, result.gasUsed)
            case .query(let input):
                what = "query"
                guard let result = try chain.query(ContractTestRun.service, try bytes(input)) else { return }
                gas = result.gasUsed
                switch result.outcome {
                case .returned(let bytes): reply = bytes
                case .failed(let message): failure = message
                }
            case .wait(let milliseconds):
                what = "wait of \(Format.duration(milliseconds))"
                try chain.pass(milliseconds)
                let calls = chain.takeScheduled()
                events = calls.flatMap(\.events)
                failure = calls.compactMap(\.failure).first
                gas = calls.reduce(0) { $0 + $1.gasUsed }
                if let count = expected.calls, calls.count != count {
                    throw Failure(line: step.line, message: "\(what): \(calls.count) scheduled calls ran, expected \(count)")
                }
            case .look: what = "look"
            }
            gasUsed += gas
            try check(failure, against: expected.error, what, step.line)
            if let wanted = expected.reply {
                try same(reply, try bytes(wanted), "\(what): reply", step.line)
            }
            if let wanted = expected.events {
                let wanted = try wanted.map { (try bytes($0.topic), try bytes($0.data)) }
                let own = events.filter { $0.contract == contract }
                guard own.count == wanted.count, zip(own, wanted).allSatisfy({ $0.topic == $1.0 && $0.data == $1.1 }) else {
                    throw Failure(
                        line: step.line,
                        message: "\(what): events\n  expected  \(Self.list(wanted))\n  it was    \(Self.list(own.map { ($0.topic, $0.data) }))")
                }
            }
            if let most = expected.mostGas, gas > most {
                throw Failure(line: step.line, message: "\(what): \(gas) gas, expected at most \(most)")
            }
            try look(expected, what, step.line, bytes)
        }

        private func check(_ failure: String?, against expected: String?, _ what: String, _ line: Int) throws {
            switch (failure, expected) {
            case (nil, nil): return
            case (let failure?, nil): throw Failure(line: line, message: "\(what) failed: \(failure)")
            case (nil, let expected?): throw Failure(line: line, message: "\(what) did not fail; expected: \(expected)")
            case (let failure?, let expected?):
                let isPart = expected.count >= 2 && expected.hasPrefix("/") && expected.hasSuffix("/")
                let fits = isPart ? failure.contains(expected.dropFirst().dropLast()) : failure == expected
                guard fits else {
                    throw Failure(line: line, message: "\(what): error\n  expected  \(expected)\n  it was    \(failure)")
                }
            }
        }

        /// What lies in the state afterwards.
        private func look(
            _ expected: ContractTestFile.Expectation, _ what: String, _ line: Int, _ bytes: (ContractTestValue) throws -> [UInt8]
        ) throws {
            for entry in expected.stored {
                let key = try bytes(entry.key)
                let found = try chain.stored(contract, key)
                switch (found, entry.value) {
                case (nil, nil): continue
                case (let found?, nil):
                    throw Failure(line: entry.line, message: "\(what): state at \(Self.text(key))\n  expected  nothing\n  it was    \(Self.text(found))")
                case (nil, let value?):
                    throw Failure(line: entry.line, message: "\(what): state at \(Self.text(key))\n  expected  \(Self.text(try bytes(value)))\n  it was    nothing")
                case (let found?, let value?):
                    try same(found, try bytes(value), "\(what): state at \(Self.text(key))", entry.line)
                }
            }
            for (name, units) in expected.balances {
                guard let account = accounts[name] else { throw Failure(line: line, message: "there is no account '\(name)'") }
                let balance = try chain.balance(account)
                guard balance == units else {
                    throw Failure(line: line, message: "\(what): balance of \(name)\n  expected  \(units)\n  it was    \(balance)")
                }
            }
        }

        private func same(_ found: [UInt8], _ wanted: [UInt8], _ what: String, _ line: Int) throws {
            guard found != wanted else { return }
            throw Failure(line: line, message: "\(what)\n  expected  \(Self.text(wanted))\n  it was    \(Self.text(found))")
        }

        private static func text(_ bytes: [UInt8]) -> String { Format.data(bytes) }
        private static func list(_ events: [([UInt8], [UInt8])]) -> String {
            events.isEmpty ? "none" : events.map { "{\(text($0.0)): \(text($0.1))}" }.joined(separator: ", ")
        }
    }
}
