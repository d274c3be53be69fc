import Cryptography
import Foundation
import LocalNetwork
import NodeHome
import Primitives
import Testing

/// What an operator or a user gets wrong is said in the programs' own words, with 2 as exit code, before anything is
/// written.
@Suite(.serialized, .timeLimit(.minutes(20))) struct OperatorMistakeTests {
    private struct Output {
        let status: Int32
        let out: String
        let err: String
    }

    private func run(_ program: String, _ arguments: [String], _ environment: [String: String] = [:]) async throws -> Output {
        let base = ["EDGEPROOF_PASSPHRASE": "p", "EDGEPROOF_KEYS": "/nonexistent", "EDGEPROOF_NODE": "127.0.0.1:1"]
        let output = try await Programs.run(program, arguments, environment: base.merging(environment) { $1 })
        return Output(
            status: output.status, out: String(decoding: output.out, as: UTF8.self),
            err: String(decoding: output.err, as: UTF8.self))
    }

    private func withFolder(_ body: (URL) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "edgeproof-mistakes-\(UUID().uuidString)", directoryHint: .isDirectory)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder)
    }

    /// No text of a library reaches a person.
    private static let foreign = [
        "DecodingError", "NSCocoaErrorDomain", "NIO", "Swift.", "codingPath", "errno:", "bind(", "BoringSSL", "CocoaError",
        "Optional(", "Fatal",
    ]

    private func expect(
        _ output: Output, says texts: [String], status: Int32 = 2, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(output.status == status, "\(output.err)", sourceLocation: sourceLocation)
        for text in texts { #expect(output.err.contains(text), "\(output.err)", sourceLocation: sourceLocation) }
        // Colour and cursor movements are for terminals.
        for word in Self.foreign + ["\u{1b}"] {
            #expect(!output.err.contains(word), "\(output.err)", sourceLocation: sourceLocation)
        }
    }

    @Test(arguments: [
        (#"{"name":"a","api":{"host":"127.0.0.1","port":"33971"},"peer":{"host":"127.0.0.1","port":2},"peers":[]}"#, "'api.port' is the text \"33971\""),
        (#"{"name":"a","api":{"host":"127.0.0.1","port":99999},"peer":{"host":"127.0.0.1","port":2},"peers":[]}"#, "'api.port' is 99999: write a whole number from 1 to 65535"),
        (#"{"name":"a","peer":{"host":"127.0.0.1","port":2},"peers":[]}"#, "the field 'api' is missing"),
        (#"{"name":"a","api":{"host":"127.0.0.1","port":1},"peer":{"host":"127.0.0.1","port":2},"peers":[],"snapshotBlock":1}"#, "did you mean 'snapshotBlocks'?"),
        (#"{"name":"a","api":{"host":"127.0.0.1","port":1},"peer":{"host":"127.0.0.1","port":2},"peers":[{"name":"b","host":"h","port":1,"consensusKey":"ab"}]}"#, "not 64 hexadecimal digits"),
        ("", "the file is empty"), ("{\n\"name\": fog}", "line 2"),
    ])
    func configurations(json: String, text: String) async throws {
        try await withFolder { home in
            try Data(json.utf8).write(to: home.appending(path: "config.json"))
            expect(try await run("chaind", ["--home", home.path]), says: ["config.json", text])
            // Nothing was made beside what was there.
            #expect(try FileManager.default.contentsOfDirectory(atPath: home.path) == ["config.json"])
        }
    }

    /// A model and data of one's own: what is wrong in them is said with its line, and `~` in a file is what it is for a
    /// shell.
    @Test func modelsJobsAndData() async throws {
        try await withFolder { home in
            func write(_ name: String, _ text: String) throws {
                try Data(text.utf8).write(to: home.appending(path: name))
            }
            func chain(_ arguments: String...) async throws -> Output {
                try await run("chain-cli", arguments, ["HOME": home.path])
            }
            let job = """
                id: mine
                protocol: fog
                model: ~/mine.yaml
                fogNodes: 1
                rounds: 1
                batchSize: 8
                learningRate: 0.1
                openTimeout: 60s
                commitMin: 10s
                commitMax: 60s
                revealTimeout: 10s
                validateTimeout: 10s
                validator: \(Account(Digest(sha256: [1]).bytes)?.description ?? "")

                """
            try write("job.yaml", job)
            expect(try await chain("job", "check", "~/job.yaml"), says: ["model '~/mine.yaml'", "can be read"])
            try write("mine.yaml", "input: [1, 32, 32]\nclasses: 10\nlayers:\n  - flatten\n  - dense: {unit: 10}\n")
            expect(try await chain("job", "check", "~/job.yaml"), says: ["~/mine.yaml", "line 5", "'units'"])
            try write("mine.yaml", "input: [1, 32, 32]\nclasses: 10\nlayers:\n  - flatten\n  - dense: {units: 12}\n")
            expect(try await chain("job", "check", "~/job.yaml"), says: ["~/mine.yaml", "10"])
            try write("mine.yaml", "input: [1, 32, 32]\nclasses: 10\nlayers:\n  - flatten\n  - dense: {units: 10}\n")
            #expect(try await chain("job", "check", "~/job.yaml").status == 0)
            // Nothing would be downloaded: what is missing is said, and where to get it.
            expect(
                try await chain("paper", "b", "--no-chain", "--out", "~/out", "--data", "~"),
                says: ["no train_32x32.mat", "ufldl.stanford.edu", "--dataset mnist"])
            try write("train_32x32.mat", "MATLAB 5.0 MAT-file, cut short")
            expect(
                try await chain("paper", "b", "--no-chain", "--out", "~/out", "--data", "~"), says: ["train_32x32.mat"])
        }
    }

    @Test func filesAndOptions() async throws {
        try await withFolder { folder in
            let missing = folder.appending(path: "missing").path
            expect(try await run("chaind", ["--home", missing]), says: [missing, "chaind init"])
            expect(try await run("chaind", ["verify", "--home", missing]), says: [missing, "chaind init"])
            expect(try await run("chaind", ["init", "--home", missing, "--genesis", missing]), says: ["there is no genesis at \(missing)"])
            expect(try await run("chaind", ["init", "--home", missing, "--api-port", "99999"]), says: ["99999"])
            expect(try await run("chaind", ["init", "--home", missing, "--owner", "edge1xyz"]), says: ["--owner edge1xyz"])
            expect(try await run("chaind", ["genesis", "--name", "n", "--member", missing]), says: ["there is no masternode's description at"])
            expect(try await run("chaind", ["devnet", "--home", missing, "--api-port", "65530"]), says: ["65530"])
            expect(try await run("chaind", ["devent", "--home", missing]), says: ["did you mean 'devnet'?"])
            #expect(!FileManager.default.fileExists(atPath: missing))

            // A genesis that is none.
            let home = folder.appending(path: "home")
            try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
            let genesis = home.appending(path: "genesis.json")
            try Data("{}".utf8).write(to: genesis)
            expect(
                try await run("chaind", ["init", "--home", missing, "--genesis", genesis.path]),
                says: [genesis.path, "the field 'chainName' is missing"])
            expect(
                try await run("chain-cli", ["audit", "verify", genesis.path, "--genesis", genesis.path]),
                says: ["the field 'chainName' is missing"])

            expect(try await run("chain-cli", ["status", "--node", "https://127.0.0.1:1"]), says: ["https://127.0.0.1:1: connection refused"], status: 1)
            expect(try await run("chain-cli", ["status", "--node", "http://127.0.0.1:99999"]), says: ["not the address of a node"])
            expect(try await run("chain-cli", ["stauts"]), says: ["did you mean 'status'?"])
            expect(try await run("chain-cli", ["job", "lst"]), says: ["'chain-cli job' has no command 'lst' (did you mean 'list'?)"])
            expect(try await run("chain-cli", ["audit", "verify", missing, "--genesis", missing]), says: ["there is no file at"])
            expect(try await run("chain-cli", ["keys", "list", "--kyes", "x"]), says: ["--keys"])
            // A variable that is set to nothing is not set.
            expect(
                try await run(
                    "chain-cli", ["tx", "submit", "--service", "s", "--action", "5", "--from", "a"],
                    ["EDGEPROOF_KEYS": "", "EDGEPROOF_PASSPHRASE_FILE": "", "HOME": missing]),
                says: ["there is no key 'a'", "keys new"])
            expect(
                try await run("chain-cli", ["keys", "new", "a", "--keys", missing], ["EDGEPROOF_PASSPHRASE_FILE": missing + "2"]),
                says: ["there is no passphrase file at \(missing)2"])
        }
    }

    /// https where a node speaks http: told as that, without a library's stack.
    @Test func httpsWhereThereIsNone() async throws {
        try await TestNetwork.with(masternodes: 1) { network in
            let url = network.plan.apiURL(0).replacingOccurrences(of: "http://", with: "https://")
            expect(try await run("chain-cli", ["status", "--node", url]), says: [url, "http://"], status: 1)
            // Several nodes in one option: the first that answers is taken.
            let both = try await run("chain-cli", ["status", "--json", "--node", "127.0.0.1:1, \(network.plan.apiURL(0))"])
            #expect(both.status == 0, "\(both.err)")
        }
    }

    /// Who comes second writes nothing.
    @Test func aRunningHomeStaysAsItIs() async throws {
        try await TestNetwork.with(masternodes: 1) { network in
            let home = network.plan.home(0)
            let before = try Data(contentsOf: home.configurationFile)
            let log = home.folder.appending(path: "log")
            let logged = try Data(contentsOf: log).count
            let second = try await run(
                "chaind", ["devnet", "--masternodes", "1", "--home", network.plan.folder.path, "--api-port", "23456"])
            expect(second, says: ["in use by process", "Nothing was changed"])
            expect(try await run("chaind", ["init", "--home", home.folder.path]), says: ["in use by process"])
            expect(try await run("chaind", ["verify", "--home", home.folder.path]), says: ["in use by process"])
            expect(
                try await run("chaind", ["--home", home.folder.path, "--masternode"], network.plan.environment),
                says: ["in use by process"])
            #expect(try Data(contentsOf: home.configurationFile) == before)
            #expect(try Data(contentsOf: log).count >= logged)
            #expect(!String(decoding: try Data(contentsOf: log), as: UTF8.self).contains("in use by process"))
        }
    }

    @Test func anExistingHomeKeepsItsName() async throws {
        try await withFolder { folder in
            let home = folder.appending(path: "node").path
            let first = try await run("chaind", ["init", "--home", home, "--name", "fog-7", "--api-port", "21000"])
            #expect(first.status == 0, "\(first.err)")
            // Without a name it prints the home's own; another name is refused, and so is another port.
            let again = try await run("chaind", ["init", "--home", home])
            #expect(again.status == 0 && again.out == first.out, "\(again.err)")
            expect(try await run("chaind", ["init", "--home", home, "--name", "fog-8"]), says: ["the home of 'fog-7' already", "--name"])
            expect(try await run("chaind", ["init", "--home", home, "--api-port", "21001"]), says: ["--api-port"])
        }
    }

    /// Each of these was taken in silence, or ended with another code than 2.
    @Test(arguments: [
        ("chaind --home ", "after --home is empty"), ("chaind init --name a --home ", "after --home is empty"),
        ("chaind devnet --init-only --home ", "after --home is empty"), ("chaind init --home=", "--home= has no value"),
        ("chaind init --home FOLDER/a --name a --api-port 5000 --peer-port 5000", "both 5000"),
        ("chaind devnet --home FOLDER/b --init-only --api-port 20000 --peer-port 20003", "overlap"),
        ("chaind devnet --home FOLDER/b --init-only --account a --account a", "given twice"),
        ("chaind devnet --home FOLDER/b --init-only --account ", "after --account is empty"),
        ("chaind genesis --name x --member /nonexistent", "there is no masternode's description"),
        ("chain-cli account ", "an argument is empty"), ("chain-cli tx submit --action 5 --service ", "after --service is empty"),
        ("chain-cli transfer edge1x 1,5", "not grouped by three digits"), ("chain-cli history alice --limit 0", "--limit"),
        ("chain-sim --seeds 5..1", "A <= B"), ("chain-sim --nodes 0", "1...64"), ("chain-sim --contract /nonexistent", "there is no contract"),
        ("chain-worker run --job j --role edge --key ", "after --key is empty"),
        ("chain-worker run --job j --role edge --key k --public-host ", "after --public-host is empty"),
        ("chain-worker run --job j --role edge --key k --fault-seed 3", "--fault-seed goes with --fault"),
        ("chain-worker run --job j --role validator --key k --fault lie:0.5", "a validator has no work to falsify"),
        ("chain-worker run --job j --role cloud --key k --fault copy:0.5", "--fault copy is for edges and fog nodes"),
        ("chain-worker run --job j --role validator --key k --weights w", "a validator trains nothing"),
        ("chain-worker evaluate --data d --model m --node h:1", "give --job, too"),
        ("chaind --home FOLDER/b --passphrase-file p", "add --masternode, or leave it out"),
        ("chain-sim --seeds 0..5 --forever", "write --seeds 0.."), ("chain-sim --json --verbose", "give one of them"),
        ("chain-cli tx submit --service s --action 5 --timeout 9", "--timeout goes with --wait"),
        ("chain-cli load --in-flight 5", "--in-flight goes with --rate max"),
        ("chain-cli paper a --out FOLDER/b --no-chain --contract c", "--no-chain leaves that out"),
        ("chain-cli paper a --out FOLDER/b --no-chain --clients 2", "--no-chain leaves that out"),
        ("chain-worker run --job j --role edge --key k --audit-share 0.5", "--audit-share is for validators"),
        ("chain-worker run --job j --role edge --key k --no-try-updates", "--no-try-updates is for clouds"),
        ("chain-cli load --devnet 1 --node http://127.0.0.1:9", "leave --node out"),
        ("chain-cli service register s --code /bin/sh --sponsor-total 5", "go with --sponsor-member"),
        ("chain-worker run --job j --role edge --key k", "no key file"), ("chain-worker run --job j --role edge --key k --node h:99999", "not the address"),
        ("chain-worker run --job j --role edge --key k --genesis /nonexistent", "there is no genesis file"),
        ("chain-worker evaluate --data /nonexistent --model /nonexistent", "there is no such file"),
        ("chain-worker evaluate --data /nonexistent --model /bin/sh", "/bin/sh is no model that this program reads"),
        ("chain-cli job model j /bin/sh", "/bin/sh is no model"),
        ("chain-cli contract upload /bin/sh --from a", "/bin/sh"), ("chain-cli audit verify /bin/sh --genesis /bin/sh", "/bin/sh"),
        ("chain-cli job check /bin/sh", "/bin/sh"), ("chain-cli contract test /bin/sh", "/bin/sh"),
    ])
    func nothingIsTakenInSilence(command: String, text: String) async throws {
        try await withFolder { folder in
            var words = command.split(separator: " ", omittingEmptySubsequences: false).map {
                $0.replacingOccurrences(of: "FOLDER", with: folder.path)
            }
            let program = words.removeFirst()
            expect(try await run(program, words), says: [text])
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0 == "b" }.isEmpty)
        }
    }

    /// A genesis funds nobody any more once it is made; whose owner starts without money is said.
    @Test func whoGetsMoney() async throws {
        try await withFolder { folder in
            let devnet = ["devnet", "--masternodes", "1", "--init-only", "--home", folder.appending(path: "net").path, "--account"]
            #expect(try await run("chaind", devnet + ["alice"]).status == 0)
            #expect(try await run("chaind", devnet + ["alice"]).status == 0)
            expect(try await run("chaind", devnet + ["carol"]), says: ["does not fund carol"])
            expect(try await run("chaind", devnet + ["alice", "--faucet"]), says: ["does not fund faucet"])

            let node = try await run("chaind", ["init", "--home", folder.appending(path: "node").path, "--name", "fog-7"])
            let member = folder.appending(path: "fog-7.json")
            try Data(node.out.utf8).write(to: member)
            let genesis = try await run("chaind", ["genesis", "--name", "x", "--member", member.path])
            #expect(genesis.status == 0 && genesis.err.contains("the owner of 'fog-7'") && genesis.err.contains("--allocate"))
            expect(
                try await run("chaind", ["genesis", "--name", "x", "--member", member.path, "--member", member.path]),
                says: ["share the consensus key"])
        }
    }

    /// What 'all' does not have in runs of few epochs is told to people and to programs.
    @Test func simulationsSayWhatTheyLeaveOut() async throws {
        let few = try await run("chain-sim", ["--seeds", "0..0", "--trials", "all", "--contract", "none", "--json"])
        #expect(few.status == 0 && few.err.contains("no upgrades in these runs"), "\(few.err)")
        let document = try #require(try JSONSerialization.jsonObject(with: Data(few.out.utf8)) as? [String: Any])
        #expect(document["trialsLeftOut"] as? [String] == ["upgrade"])
        #expect(document["trials"] as? [String] == ["copies", "disks", "joiners", "processor"])
    }

    @Test func oneVersionAndCompletions() async throws {
        var versions: Set<String> = []
        for program in ["chaind", "chain-cli", "chain-worker", "chain-sim"] {
            let output = try await run(program, ["--version"])
            #expect(output.status == 0)
            versions.insert(output.out)
            let completions = try await run(program, ["--generate-completion-script", "bash"])
            #expect(completions.status == 0 && completions.out.contains("complete"), "\(program)")
            let arguments = program == "chaind" ? ["--home", "nowhere", "--no-such-option"] : ["--no-such-option"]
            expect(try await run(program, arguments), says: ["no-such-option"])
        }
        #expect(versions.count == 1 && versions.first?.first?.isNumber == true)
    }

    /// A port that is taken: who listens there, in words.
    @Test func aTakenPort() async throws {
        try await TestNetwork.with(masternodes: 1) { network in
            try await withFolder { folder in
                let home = folder.appending(path: "node").path
                let ports = try FreePorts.take(1)
                _ = try await run(
                    "chaind",
                    ["init", "--home", home, "--api-port", "\(network.plan.apiPorts[0])", "--peer-port", "\(ports[0])"])
                try Data(contentsOf: network.plan.genesisFile).write(to: URL(filePath: home).appending(path: "genesis.json"))
                expect(
                    try await run("chaind", ["--home", home]),
                    says: ["\(network.plan.apiPorts[0])", "another program listens there already"], status: 1)
            }
        }
    }

    /// It would take a deposit as readily as one that is.
    @Test func aContractThatIsNoJob() async throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let counter = root.appending(path: "Contracts/.build/counter.wasm").path
        try #require(FileManager.default.fileExists(atPath: counter), "Contracts/build makes it")
        try await TestNetwork.with(masternodes: 1, accounts: ["alice", "bob", "cloud", "owner"]) { network in
            let file = network.plan.folder.appending(path: "digits.yaml")
            let page = try String(contentsOf: root.appending(path: "Docs/jobs.md"), encoding: .utf8)
            let yaml = try #require(page.firstMatch(of: /```yaml\n(.*?)```/.dotMatchesNewlines()))
            try Data(String(yaml.output.1).utf8).write(to: file)
            let before = try await network.cli("account", "alice", "--json").json?["balance"] as? String
            let refused = try await network.cli("job", "register", file.path, "--contract", counter, "--from", "alice")
            expect(
                Output(status: refused.status, out: refused.out, err: refused.err),
                says: ["the chain would refuse this job", "nothing was sent", "malformed init data"])
            #expect(try await network.cli("account", "alice", "--json").json?["balance"] as? String == before)
            #expect(try await network.cli("service", "list").out.contains("no services"))

            // Registered all the same, as a service that calls itself a job: told for what it is.
            let forced = try await network.cli(
                "service", "register", "fake", "--kind", "job", "--code", counter, "--from", "alice")
            #expect(forced.status == 0, "\(forced.err)")
            #expect(try await network.cli("job", "list").out.contains("BROKEN"))
            let shown = try await network.cli("job", "show", "fake")
            #expect(shown.status == 1 && shown.err.contains("does not answer as one"), "\(shown.err)")
        }
    }

    /// What a name, a deposit and a lock get wrong is said before anything is sent, or with the chain's own no.
    @Test func namesDepositsAndLocks() async throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let tally = root.appending(path: "Contracts/.build/tally.wasm").path
        try #require(FileManager.default.fileExists(atPath: tally), "Contracts/build makes it")
        try await TestNetwork.with(masternodes: 1) { network in
            func said(_ arguments: String...) async throws -> Output {
                let output = try await network.run("chain-cli", arguments, node: 0)
                return Output(status: output.status, out: output.out, err: output.err)
            }
            func sent(_ account: String) async throws -> String? {
                try await network.cli("account", account, "--json").json?["sequence"] as? String
            }
            let first = try await said("service", "register", "tally", "--code", tally, "--deposit", "50000000", "--from", "alice")
            #expect(first.status == 0, "\(first.err)")
            let before = (try await sent("alice"), try await sent("bob"))
            expect(
                try await said("service", "register", "tally", "--code", tally, "--from", "alice"),
                says: ["the name 'tally' is taken: you have registered it in block", "with this very code. Nothing was sent"], status: 1)
            expect(
                try await said("service", "register", "tally", "--code", tally, "--from", "bob"),
                says: ["the name 'tally' is taken: edge1", "choose another name"], status: 1)
            expect(
                try await said("service", "register", "t2", "--code", tally, "--deposit", "1" + String(repeating: "0", count: 30), "--from", "bob"),
                says: ["is more than edge1", "Nothing was sent"], status: 1)
            let after = (try await sent("alice"), try await sent("bob"))
            #expect(after == before)
            expect(
                try await said("service", "register", "t2", "--code", tally, "--sequence", "7", "--from", "bob"),
                says: ["--sequence is not for this"])

            for words in [["service", "show", "taly"], ["contract", "query", "taly"], ["job", "show", "taly"], ["job", "watch", "taly"]] {
                let output = try await network.run("chain-cli", words, node: 0)
                #expect(output.status == 1 && output.err.contains("(did you mean 'tally'?)"), "\(words): \(output.err)")
            }
            expect(
                try await said("contract", "call", "taly", "256", "--from", "alice"), says: ["(did you mean 'tally'?)"], status: 1)
            let worker = try await network.run(
                "chain-worker",
                [
                    "run", "--job", "taly", "--role", "edge", "--data", network.plan.folder.path, "--key", "alice", "--state",
                    network.plan.folder.appending(path: "worker").path,
                ], node: 0)
            #expect(worker.status == 1 && worker.err.contains("(did you mean 'tally'?)"), "\(worker.err)")

            // It succeeded where nothing was locked.
            expect(try await said("unlock", "5", "--from", "alice"), says: ["has locked nothing"], status: 1)
            expect(try await said("unlock", "0", "--from", "alice"), says: ["has locked nothing"], status: 1)
        }
    }

    /// Where the shell leaves `~` as it is, it is the home folder all the same, and HOME says which.
    @Test func homeFolder() async throws {
        try await withFolder { folder in
            let environment = ["HOME": folder.path]
            let made = try await run("chaind", ["init", "--home=~/node", "--name", "a"], environment)
            #expect(made.status == 0 && FileManager.default.fileExists(atPath: folder.appending(path: "node/config.json").path), "\(made.err)")
            expect(
                try await run("chain-cli", ["keys", "list", "--keys=~/node/keys"], environment), says: [], status: 0)
            expect(
                try await run(
                    "chain-worker", ["run", "--job", "j", "--role", "edge", "--key", "k", "--keys=~/keys"], environment),
                says: ["\(folder.path)/keys"])
            expect(
                try await run("chain-worker", ["evaluate", "--data", "x", "--model=~/m.safetensors"], environment),
                says: ["\(folder.path)/m.safetensors"])
        }
    }

    /// The same command again with the same sequence is the same transaction.
    @Test func aSequenceActsOnce() async throws {
        try await TestNetwork.with(masternodes: 1) { network in
            let first = try await network.cli("transfer", "bob", "1000", "--from", "alice", "--sequence", "0", "--json")
            #expect(first.status == 0, "\(first.err)")
            let again = try await network.cli("transfer", "bob", "1000", "--from", "alice", "--sequence", "0", "--json")
            #expect(again.status == 0 && again.out == first.out, "\(again.err)")
            let other = try await network.cli("transfer", "bob", "1001", "--from", "alice", "--sequence", "0")
            #expect(other.status == 1 && other.err.contains("belongs to another transaction"), "\(other.err)")
            #expect(try await network.cli("account", "alice").out.contains("next sequence  1"))
        }
    }

    /// No block comes: the outcome is unknown, with its own code and the id.
    @Test func anUnknownOutcomeHasItsCode() async throws {
        try await TestNetwork.with(masternodes: 4) { network in
            await network.kill(2)
            await network.kill(3)
            let output = try await network.cli(
                "transfer", "bob", "1", "--from", "alice", "--timeout", "3", "--json")
            #expect(output.status == 3, "\(output.err)")
            #expect((output.json?["id"] as? String)?.count == 64, "\(output.out)")
            #expect(output.err.contains("--sequence 0"), "\(output.err)")
        }
    }
}
