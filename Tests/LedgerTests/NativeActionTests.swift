import Cryptography
import Encoding
import Ledger
import Primitives
import Testing

@Suite(.timeLimit(.minutes(20))) struct NativeActionTests {
    private let alice: User, bob: User
    private var chain: TestChain

    init() throws {
        alice = try User("alice")
        bob = try User("bob")
        chain = try TestChain([alice, bob])
    }

    @Test mutating func transferMovesTheValue() throws {
        let carol = try User("carol")
        let data = Transfer(recipient: carol.account).borsh
        let receipt = try chain.send(alice, .transfer, data: data, value: 700)
        #expect(receipt.outcome == .succeeded)
        #expect(try chain.balance(carol.account) == 700)
        #expect(try chain.balance(alice.account) == 1_000_000_000_000 - 700)
        // A new account starts without credits: they grow with time.
        let view = try chain.ledger.account(carol.account, at: chain.time, state: chain.state)
        #expect(view?.credits == 0 && view?.capacity == 700 / 8)
        let later = chain.time.advanced(by: 3_600_000)
        #expect(try chain.ledger.account(carol.account, at: later, state: chain.state)?.credits == 700 / 8)
        // To oneself: nothing moves.
        let own = Transfer(recipient: alice.account).borsh
        #expect(try chain.send(alice, .transfer, data: own, value: 5).outcome == .succeeded)
        #expect(try chain.balance(alice.account) == 1_000_000_000_000 - 700)
    }

    @Test mutating func anUncoveredTransferFailsWithAReceipt() throws {
        let before = try chain.record(alice.account)
        let data = Transfer(recipient: bob.account).borsh
        let receipt = try chain.send(alice, .transfer, data: data, value: .max)
        #expect(receipt.outcome.failure?.contains("is too small") == true)
        let after = try chain.record(alice.account)
        #expect(after.sequence == before.sequence + 1)
        #expect(after.history.size == before.history.size + 1)
        #expect(after.credits < before.credits)
        #expect(after.balance == before.balance)
    }

    @Test mutating func contractsAreUploadedOnce() throws {
        let code = WasmAssembler.module([("action", [])])
        #expect(try chain.send(alice, .uploadContract, data: code).outcome == .succeeded)
        #expect(chain.state.values[.code(Digest(sha256: code))] == code)
        let again = try chain.send(bob, .uploadContract, data: code)
        #expect(again.outcome == .succeeded)
        // A module that breaks the rules of contracts can be in a valid block; its receipt says what is wrong.
        for bad in [Array("not wasm".utf8), Array(code.dropLast(3)), [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]] {
            let receipt = try chain.send(alice, .uploadContract, data: bad)
            #expect(receipt.outcome == .failed("the data is no acceptable contract module"))
            #expect(chain.state.values[.code(Digest(sha256: bad))] == nil)
        }
        #expect(try chain.send(alice, .uploadContract, data: code, value: 1).outcome.failure != nil)
        let parameters = chain.ledger.genesis.parameters
        let gas = parameters.intrinsicGas(dataBytes: code.count + 1) + parameters.gasPerStorageWrite
        let costly = try chain.transaction(alice, .uploadContract, data: code + [0], gas: gas)
        #expect(try chain.run([costly]).receipts.first?.outcome == .failed("out of gas"))
    }

    @Test mutating func aServiceIsRegisteredOnceWithItsDeposit() throws {
        let (contract, receipt) = try chain.deploy(
            "counter", owner: alice, deposit: 900, initData: [1, 2, 3],
            [("init", [.setInput(key: "init"), .setContext(key: "context")]), ("action", [])])
        #expect(receipt.outcome == .succeeded)
        #expect(try chain.balance(contract) == 900)
        #expect(chain.stored(contract, "init") == [1, 2, 3])
        let service = try #require(ServiceId("counter"))
        let record = try #require(try chain.ledger.service(service, state: chain.state))
        #expect(record.owner == alice.account && record.contract == contract)
        #expect(try chain.ledger.service(ofContract: contract, state: chain.state) == service)
        let context = try #require(chain.stored(contract, "context"))
        #expect(context.count == 216)
        #expect(Array(context[0..<32]) == contract.bytes && Array(context[32..<64]) == alice.account.bytes)
        #expect(Array(context[112..<114]) == [132, 3] && Array(context[128..<130]) == [132, 3])

        func attempt(_ name: String, _ hash: Digest, _ user: User) throws -> String? {
            let data = RegisterService(
                service: ServiceId(unchecked: Array(name.utf8)), codeHash: hash, kind: "job", validator: nil, initData: [])
            return try chain.send(user, .registerService, data: data.borsh, value: 50).outcome.failure
        }
        let before = try chain.balance(bob.account)
        #expect(try attempt("counter", record.codeHash, bob)?.contains("is taken") == true)
        #expect(try attempt("chain", record.codeHash, bob)?.contains("own name") == true)
        #expect(try attempt("", record.codeHash, bob)?.contains("needs a name") == true)
        #expect(try attempt("other", .zero, bob)?.contains("no contract with hash") == true)
        #expect(try chain.balance(bob.account) == before)
    }

    @Test mutating func aFailingInitUndoesTheRegistration() throws {
        let (contract, receipt) = try chain.deploy(
            "broken", owner: alice, deposit: 900, [("init", [.set(key: "k", value: [1]), .fail("not today")])])
        #expect(receipt.outcome == .failed("not today"))
        #expect(try chain.ledger.service(try #require(ServiceId("broken")), state: chain.state) == nil)
        #expect(chain.stored(contract, "k") == nil)
        #expect(try chain.balance(contract) == 0)
        #expect(try chain.balance(alice.account) == 1_000_000_000_000)
    }

    @Test mutating func actionsWithoutAServiceAreRecords() throws {
        for action in 1...9 as ClosedRange<UInt16> {
            let receipt = try chain.send(
                alice, service: "s", ActionId(action), data: Array("hello".utf8), post: "p")
            #expect(receipt.outcome == .recorded)
        }
        let paid = try chain.send(alice, service: "s", .paymentRequester, value: 1)
        #expect(paid.outcome.failure?.contains("no service") == true)
        let entries = try #require(chain.history[alice.account])
        #expect(entries.count == 10)
        guard case .action(let record) = entries[4].content else { throw BlockIsInvalid() }
        #expect(record.transaction.actionId == .applicationTask && record.outcome == .recorded)
        #expect(String(decoding: record.transaction.data, as: UTF8.self) == "hello")
        #expect(try chain.historiesAreComplete())
    }

    @Test mutating func serviceActionsMoveValueAndRecordMembership() throws {
        let (contract, _) = try chain.deploy(
            "job", owner: alice,
            [("action", [.setContext(key: "context"), .when(action: 7, [.fail("no")]), .when(action: 6, [.trap])])])
        #expect(try chain.send(bob, service: "job", .paymentRequester, value: 44, post: "r1").outcome == .succeeded)
        #expect(try chain.balance(contract) == 44)
        let context = try #require(chain.stored(contract, "context"))
        #expect(context[144] == 1 && context[148] == 8 && context[152] == 2 && Array(context[156..<158]) == Array("r1".utf8))
        let key = StateKey.membership(contract, bob.account)
        #expect(chain.state.values[key] == nil)
        #expect(try chain.send(bob, service: "job", .applicationTask).outcome == .succeeded)
        #expect(chain.state.values[key] != nil)
        // A failure of the contract takes the value back.
        #expect(try chain.send(bob, service: "job", .releaseRelation, value: 9).outcome == .failed("no"))
        let trapped = try chain.send(bob, service: "job", .commitmentTask, value: 9)
        #expect(trapped.outcome.failure?.contains("unreachable") == true)
        #expect(try chain.balance(contract) == 44)
        #expect(try chain.send(bob, service: "job", ActionId(300)).outcome == .succeeded)
    }
}
