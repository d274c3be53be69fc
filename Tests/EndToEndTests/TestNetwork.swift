import ChainClient
import Cryptography
import Foundation
import KeyFiles
import LocalNetwork
import Primitives
import Testing

/// A network of real `chaind` processes in a folder of its own, on free ports. Stopped and removed by `close`.
final class TestNetwork: Sendable {
    /// Starts the process of one masternode.
    typealias Launch = @Sendable (DevnetPlan, Int) throws -> ChildProcess

    let plan: DevnetPlan
    let genesis: Genesis
    /// The masternodes that are `chaind` and serve the API; others are programs that only pretend.
    let serving: [Int]
    private let launch: Launch
    private let stage = ProcessGroup()

    /// - Parameters:
    ///   - hosts: address at which each masternode listens; loopback where none is given.
    ///   - serving: indices of those that are `chaind`; all where none is given.
    ///   - founders: how many the genesis has; all where none is given.
    ///   - launch: starts one, where it is not just `chaind`.
    init(
        masternodes: Int, accounts: [String] = ["alice", "bob"], hosts: [String]? = nil, serving: [Int]? = nil,
        founders: Int? = nil, parameters given: Parameters? = nil, launch: @escaping Launch = { try $0.start($1) }
    ) throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "edgeproof-test-\(UUID().uuidString)", directoryHint: .isDirectory)
        let ports = try FreePorts.take(masternodes * 2)
        plan = DevnetPlan(
            folder: folder, masternodes: masternodes, apiPorts: Array(ports[..<masternodes]),
            peerPorts: Array(ports[masternodes...]), hosts: hosts)
        self.serving = serving ?? Array(0..<masternodes)
        self.launch = launch
        var parameters = given ?? Parameters()
        if given == nil { parameters.heartbeatMs = 3_000 }
        genesis = try plan.prepare(accounts: accounts, parameters: parameters, chainName: "test", founders: founders)
    }

    /// Runs the body with all nodes started, then stops and removes everything.
    static func with(
        masternodes: Int, accounts: [String] = ["alice", "bob"], _ body: (TestNetwork) async throws -> Void
    ) async throws {
        try await TestNetwork(masternodes: masternodes, accounts: accounts).use(body)
    }

    /// Starts all nodes and runs the body, then stops and removes everything.
    func use(_ body: (TestNetwork) async throws -> Void) async throws {
        do {
            let founders = genesis.masternodes.count
            for index in 0..<founders { try await start(index) }
            for index in serving where index < founders { try await untilReady(index) }
            try await body(self)
        } catch {
            for index in 0..<plan.masternodes { print("--- node\(index)\n\(await log(index))") }
            await close()
            throw error
        }
        await close()
    }

    func close() async {
        // A process that a test has paused would not hear that it is to end.
        for index in 0..<plan.masternodes { await signal(index, SIGCONT) }
        await stage.stopAll()
        try? FileManager.default.removeItem(at: plan.folder)
    }

    func start(_ index: Int) async throws { await stage.add(try launch(plan, index)) }
    func add(_ process: ChildProcess) async { await stage.add(process) }
    func kill(_ index: Int) async { await stage.kill("node\(index)") }
    func stop(_ index: Int) async { await stage.stop("node\(index)") }
    func log(_ index: Int) async -> String { await stage.process("node\(index)")?.logTail(lines: 30) ?? "" }
    /// All that the node has said, over all its starts.
    func wholeLog(_ index: Int) -> String {
        (try? Data(contentsOf: plan.command(index).logFile)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
    func signal(_ index: Int, _ signal: Int32) async {
        guard let process = await stage.process("node\(index)"), process.isRunning else { return }
        Foundation.kill(process.processIdentifier, signal)
    }
    func process(_ name: String) async -> ChildProcess? { await stage.process(name) }

    func untilReady(_ index: Int) async throws {
        try await withClient([index]) { client in
            try await eventually("node\(index) answers") {
                (try? await client.status().peers) ?? -1 >= min(1, self.genesis.masternodes.count - 1)
            }
        }
    }

    func withClient<Value>(
        _ indices: [Int]? = nil, _ body: (ChainClient) async throws -> Value
    ) async throws -> Value {
        let nodes = try (indices ?? serving).map { try NodeAddress(plan.apiURL($0)) }
        let client = ChainClient(nodes: nodes)
        do {
            let value = try await body(client)
            try await client.shutdown()
            return value
        } catch {
            try? await client.shutdown()
            throw error
        }
    }

    func key(_ name: String) throws -> PrivateKey {
        try KeyDirectory(path: plan.keysFolder.path).open(name, passphrase: Passphrase(file: plan.passphraseFile.path))
    }

    struct Output: Sendable {
        let status: Int32
        let out: String
        let err: String

        var json: [String: Any]? {
            (try? JSONSerialization.jsonObject(with: Data(out.utf8))) as? [String: Any]
        }
    }

    /// Runs one of the product's programs with this network's keys, against one of its nodes.
    func run(_ program: String, _ arguments: [String], node: Int = 0) async throws -> Output {
        let output = try await Programs.run(
            program, arguments,
            environment: plan.environment.merging(["EDGEPROOF_NODE": plan.apiURL(node)]) { $1 })
        return Output(
            status: output.status, out: String(decoding: output.out, as: UTF8.self),
            err: String(decoding: output.err, as: UTF8.self))
    }

    func cli(_ arguments: String..., node: Int = 0) async throws -> Output {
        try await run("chain-cli", arguments, node: node)
    }
}

/// Waits for a condition that must come true; the limit only keeps a broken build from hanging.
func eventually(
    _ what: String, within limit: Duration = .seconds(480), sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    // On a busy machine this process may not get to look for a minute: time alone says nothing then.
    var looks = 0
    while looks < 30 || ContinuousClock.now < deadline {
        if try await condition() { return }
        looks += 1
        try await Task.sleep(for: .milliseconds(100))
    }
    try #require(Bool(false), "never true: \(what)", sourceLocation: sourceLocation)
}

/// Something came too early or too late for what a test is about.
struct MissedMoment: Error, CustomStringConvertible {
    let description: String
}

/// Plays a scenario whose moments a machine that does much else can miss, and plays it again then, in a network of its own.
/// What must hold at any pace is expected in it as everywhere; what holds if all came in time is said by ``asPlanned(_:_:)``.
func played(_ tries: Int = 3, _ scenario: () async throws -> Void) async throws {
    for number in 1...tries {
        do { return try await scenario() } catch let missed as MissedMoment where number < tries {
            print("try \(number) of \(tries): \(missed)")
        }
    }
}

func asPlanned(_ holds: Bool, _ what: @autoclosure () -> String) throws {
    if !holds { throw MissedMoment(description: what()) }
}

extension ChildProcess {
    /// Asks it to stop, and waits for as long as that takes: `stop()` kills what takes long.
    func endInOrder() async throws -> Int32? {
        terminate()
        try await eventually("\(name) ends") { !isRunning }
        return exitStatus
    }

    /// All that it has said, over all its starts.
    var wholeLog: String { (try? Data(contentsOf: logFile)).map { String(decoding: $0, as: UTF8.self) } ?? "" }
}
