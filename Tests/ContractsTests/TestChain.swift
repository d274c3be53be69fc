import Cryptography
import Encoding
import Primitives
import WebAssembly

/// One service on a chain that is nothing but the host interface: storage, balances, a schedule
/// queue, header time. A call that fails leaves no trace but its outcome.
final class TestChain {
    /// Everything that a failed call undoes.
    struct State: Equatable {
        var storage: [[UInt8]: [UInt8]] = [:]
        var balances: [Account: UInt128] = [:]
        var queue: [Queued] = []
        var events: [Event] = []
        var verdicts: [Verdict] = []
    }
    struct Queued: Equatable {
        let id: Int64
        let time: UInt64
        let entry: UInt32
        let data: [UInt8]
    }
    struct Event: Equatable {
        let topic: String
        let data: [UInt8]
    }
    struct Verdict: Equatable {
        let account: Account
        let role: UInt32
        let kind: UInt32
        let weight: UInt64
        let post: String
    }
    enum Outcome: Equatable {
        case done
        /// The contract's own words.
        case refused(String)
        /// Anything else that ended the call: never to be seen.
        case trapped(String)
    }
    enum Kind: UInt32 {
        case initialize = 0
        case action, scheduled, query, contractCall
    }
    struct Call {
        var kind: Kind
        var caller: Account
        var actionId: UInt32 = 0
        var postId: [UInt8] = []
        var input: [UInt8] = []
        var value: UInt128 = 0
    }

    static let queueLimit = 256
    static let contract = [UInt8](repeating: 0xC0, count: 32)
    static let contractAccount = Account(contract) ?? .zero

    let file: ContractFile
    let owner: Account
    /// The service record's.
    let validator: Account?
    /// Masternodes that a draw gives, in the order of attempts.
    var drawable: [Account] = []
    var reputations: [Account: UInt64] = [:]
    var state = State()
    private(set) var time: UInt64 = 1_700_000_000_000
    private(set) var height: UInt64 = 1
    private(set) var nextId: Int64 = 0
    /// Gas of the call that ran last.
    private(set) var gasUsed: UInt64 = 0
    /// Gas of the last action.
    private(set) var actionGas: UInt64 = 0
    private(set) var largestQueue = 0
    /// Of the scheduled calls since it was set to 0.
    var largestScheduledGas: UInt64 = 0
    private(set) var reply: [UInt8] = []
    /// Outcomes of scheduled calls that were not done.
    private(set) var scheduledFailures: [Outcome] = []

    init(_ contract: String, owner: Account = Person("owner").account, validator: Account? = nil) throws {
        file = try ContractFile(contract)
        self.owner = owner
        self.validator = validator
    }

    // MARK: Blocks

    /// Registers the service in a block of its own.
    func register(_ initData: [UInt8], value: UInt128 = 0) -> Outcome {
        let outcome = run(Call(kind: .initialize, caller: owner, input: initData, value: value), "init")
        endBlock()
        return outcome
    }

    /// An action, without ending the block.
    func act(
        _ caller: Account, _ actionId: UInt32, _ data: [UInt8] = [], post: String = "", value: UInt128 = 0
    ) -> Outcome {
        defer { actionGas = gasUsed }
        return run(
            Call(kind: .action, caller: caller, actionId: actionId, postId: Array(post.utf8), input: data, value: value),
            "action")
    }

    /// An action in a block of its own, one millisecond after the last.
    func send(
        _ caller: Account, _ actionId: UInt32, _ data: [UInt8] = [], post: String = "", value: UInt128 = 0
    ) -> Outcome {
        time += 1
        let outcome = act(caller, actionId, data, post: post, value: value)
        endBlock()
        return outcome
    }

    func query(_ argument: [UInt8]) -> (outcome: Outcome, reply: [UInt8]) {
        let outcome = run(Call(kind: .query, caller: .zero, input: argument), "query")
        return (outcome, reply)
    }

    /// Lets time pass, with a block whenever a scheduled call is due.
    func pass(_ milliseconds: UInt64) {
        let target = time + milliseconds
        while let due = state.queue.map(\.time).min(), due <= target {
            time = max(time, due)
            endBlock()
        }
        time = target
        endBlock()
    }

    /// Runs the due calls, those that they queue for now included.
    func endBlock() {
        largestQueue = max(largestQueue, state.queue.count)
        var budget = 1_000
        while budget > 0, let next = state.queue.filter({ $0.time <= time }).min(by: { ($0.time, $0.id) < ($1.time, $1.id) }) {
            budget -= 1
            state.queue.removeAll { $0.id == next.id }
            let call = Call(kind: .scheduled, caller: Self.contractAccount, actionId: next.entry, input: next.data)
            let outcome = run(call, "scheduled")
            largestScheduledGas = max(largestScheduledGas, gasUsed)
            if outcome != .done { scheduledFailures.append(outcome) }
        }
        if budget == 0 { scheduledFailures.append(.trapped("scheduled calls without end")) }
        height += 1
    }

    // MARK: Calls

    private func run(_ call: Call, _ export: String) -> Outcome {
        let before = state
        state.balances[Self.contractAccount, default: 0] += call.value
        reply = []
        let outcome = execute(call, export)
        if outcome != .done { state = before }
        return outcome
    }

    private func execute(_ call: Call, _ export: String) -> Outcome {
        let host = TestHost(chain: self, call: call)
        guard
            let instance = try? Instance(
                module: file.module, host: host, hostImports: TestHost.imports, gasLimit: 50_000_000)
        else { return .trapped("the contract cannot be instantiated") }
        let result = Result<[Value], Trap> { () throws(Trap) in try instance.invoke(export) }
        gasUsed = instance.gasUsed
        switch result {
        case .success:
            reply = host.reply
            return .done
        case .failure(.hostFailed(code: TestHost.failCode, let message)): return .refused(message)
        case .failure(let trap): return .trapped("\(trap)")
        }
    }

    func schedule(_ time: UInt64, _ entry: UInt32, _ data: [UInt8]) -> Int64 {
        guard state.queue.count < Self.queueLimit else { return -1 }
        defer { nextId += 1 }
        state.queue.append(Queued(id: nextId, time: time, entry: entry, data: data))
        return nextId
    }

    func contextBlock(_ call: Call) -> [UInt8] {
        var block = BorshEncoder()
        block.fixed(Self.contract)
        block.value(call.caller)
        block.value(owner)
        block.integer(height)
        block.integer(time)
        block.integer(call.value)
        block.integer(state.balances[Self.contractAccount, default: 0])
        block.integer(call.kind.rawValue)
        block.integer(call.actionId)
        block.integer(UInt32(call.postId.count))
        block.fixed(call.postId + [UInt8](repeating: 0, count: 32 - call.postId.count))
        block.integer(UInt64(1_000_000))
        block.integer(UInt32(call.input.count))
        block.fixed([UInt8](repeating: 0, count: 16))
        return block.bytes
    }
}
