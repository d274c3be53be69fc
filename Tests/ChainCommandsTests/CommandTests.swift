import ArgumentParser
import ChainClient
import ChainCommands
import Cryptography
import Foundation
import JobProtocol
import Primitives
import Testing
import Training

@Suite(.timeLimit(.minutes(20))) struct CommandTests {
    static let validator = Account(Digest(sha256: [1]).bytes) ?? .zero

    static let yaml = """
        id: digits
        title: "LeNet-5: digits"
        edges: 2
        quorum: 1
        rounds: 12
        stepsPerRound: 20
        batchSize: 32
        learningRate: 0.05
        openTimeout: 2min
        commitMin: 15s
        commitMax: 60 s
        revealTimeout: 20000 ms
        validateTimeout: 15000ms
        epsilon: 0.000001
        seed: anything
        validator: someone
        deposit: 1,000,000
        """

    @Test(arguments: [
        ["--rate", "fast"], ["--rate", "-1"], ["--rate", "1000,max"], ["--seconds", "0"], ["--senders", "0"],
        ["--bytes", "155"],
        ["--in-flight", "0"], ["--per-request", "0"], ["--per-request", "513"], ["--devnet", "0"], ["--devnet", "4,"],
        ["--devnet", "4", "--from", "alice"],
        ["--link", "100Mbit,50ms"], ["--devnet", "33", "--link", "100Mbit,50ms"],
        ["--devnet", "4", "--link", "100Mbit"], ["--devnet", "4", "--link", "100,50"],
        ["--devnet", "4", "--link", "999kbit,50ms"], ["--devnet", "4", "--link", "1Mbit,6s"],
        ["--devnet", "4", "--link", "-1Mbit,50ms"], ["--devnet", "4", "--link", "1Mbit,50ms,"],
    ])
    func loadSaysWhatItCantTake(arguments: [String]) {
        #expect(throws: (any Error).self) { try ChainCLI.parseAsRoot(["load"] + arguments) }
    }

    /// An option that would do nothing with those beside it is refused, with what to do about it.
    @Test(arguments: [
        (["tx", "submit", "--service", "s", "--action", "5", "--timeout", "9"], "--timeout goes with --wait"),
        (["governance", "propose", "--upgrade", "2", "--timeout", "9"], "--timeout goes with --wait"),
        (["governance", "vote", "3", "--approve", "--timeout", "9"], "--timeout goes with --wait"),
        (["masternode", "register", "--home", "h", "--timeout", "9"], "--timeout goes with --wait"),
        (["masternode", "unregister", "fog-7", "--timeout", "9"], "--timeout goes with --wait"),
        (["masternode", "resume", "fog-7", "--timeout", "9"], "--timeout goes with --wait"),
        (["tx", "cancel", "00", "--sequence", "3"], "--sequence and --gas are not for this"),
        (["tx", "cancel", "00", "--gas", "500000"], "--sequence and --gas are not for this"),
        (["load", "--in-flight", "5"], "--in-flight goes with --rate max"),
        (["load", "--in-flight", "5", "--devnet", "1", "--rate", "0,100"], "--in-flight goes with --rate max"),
        (["load", "--rate", "10", "--seconds", "30", "--per-request", "301"], "not one request would be full"),
        (["load", "--rate", "max", "--per-request", "5"], "--per-request goes with a fixed --rate"),
        (["load", "--devnet", "1", "--rate", "0,max", "--per-request", "5"], "--per-request goes with a fixed --rate"),
        (["load", "--rate", "0", "--fund", "5"], "--rate 0 sends nothing"),
        (["load", "--rate", "0", "--bytes", "300"], "--rate 0 sends nothing"),
        (["load", "--devnet", "1", "--rate", "0", "--senders", "5"], "--rate 0 sends nothing"),
        (["load", "--devnet", "1", "--keys", "/k"], "--keys out"),
        (["keys", "new", "alice", "--node", "a:1"], "leave --node out"),
        (["keys", "list", "--node", "a:1"], "leave --node out"),
        (["keys", "export", "alice", "--yes"], "--yes goes with --secret-seed"),
        (["job", "check", "digits.yaml", "--node", "a:1"], "leave --node out"),
        (["audit", "verify", "f", "--genesis", "g", "--node", "a:1"], "leave --node out"),
        (["service", "retire", "s", "--yes"], "--yes goes with --apply"),
    ])
    func whatWouldDoNothingIsRefused(arguments: [String], text: String) {
        do {
            _ = try ChainCLI.parseAsRoot(arguments)
            Issue.record("\(arguments) was taken")
        } catch {
            #expect(ChainCLI.fullMessage(for: error).contains(text), "\(ChainCLI.fullMessage(for: error))")
            #expect(Failure(error).exitCode == 2)
        }
    }

    /// And where it does something it is taken.
    @Test(arguments: [
        ["tx", "submit", "--service", "s", "--action", "5", "--timeout", "9", "--wait"],
        ["tx", "submit", "--service", "s", "--action", "5", "--timeout", "9", "--sequence", "3"],
        ["governance", "vote", "3", "--approve", "--timeout", "9", "--wait"],
        ["transfer", "bob", "1", "--timeout", "9"],
        ["tx", "cancel", "00", "--timeout", "9"], ["load", "--rate", "max", "--in-flight", "5"],
        ["load", "--devnet", "1", "--rate", "0,max", "--in-flight", "5", "--bytes", "300", "--senders", "3"],
        ["keys", "export", "alice", "--secret-seed", "--yes"], ["service", "retire", "s", "--apply", "--yes"],
    ])
    func whatDoesSomethingIsTaken(arguments: [String]) throws { _ = try ChainCLI.parseAsRoot(arguments) }

    @Test(arguments: [
        ["--rate", "max", "--nodes", "http://127.0.0.1:1,http://127.0.0.1:2"],
        ["--devnet", "1,4", "--rate", "0,1000,max", "--json"], ["--devnet", "4", "--link", "100Mbit,50ms"],
        ["--devnet", "32", "--link", "1500kbit,0ms"], ["--devnet", "4", "--link", "10Gbit,5s"],
    ])
    func loadTakes(arguments: [String]) throws { _ = try ChainCLI.parseAsRoot(["load"] + arguments) }

    private func parse(_ yaml: String) throws -> JobSpecFile {
        try JobSpecFile(yaml: yaml) { name in
            #expect(name == "someone")
            return Self.validator
        }
    }

    @Test func readsASpecification() throws {
        let file = try parse(Self.yaml)
        #expect(file.service.description == "digits")
        #expect(file.deposit == 1_000_000)
        let spec = file.spec
        #expect(spec.title == "LeNet-5: digits")
        #expect(file.plan.learningRate == 50_000 && spec.epsilonMicro == 1)
        #expect(spec.openTimeoutMs == 120_000 && spec.commitMinMs == 15_000 && spec.commitMaxMs == 60_000)
        #expect(spec.revealTimeoutMs == 20_000 && spec.validateTimeoutMs == 15_000)
        #expect(file.plan.seed.bytes == Digest(sha256: Array("anything".utf8)).bytes)
        #expect(file.validator == Self.validator && spec.clouds == 1 && file.plan.validationSamples == 1_000)
    }

    @Test func aForecastNamesWhatCannotWork() throws {
        let file = try parse(Self.yaml)
        var asked: [(Network.Part, Int)] = []
        func forecast(step: Duration) throws -> JobForecast {
            try JobForecast(file.spec, file.plan, samples: 1_000) { part, batch in
                asked.append((part, batch))
                return step
            }
        }
        let fast = try forecast(step: .milliseconds(1))
        let (batch, workers, steps) = (Int(file.plan.batchSize), Int(file.spec.workers), Int(file.spec.stepsPerRound))
        #expect(fast.problems.isEmpty)
        #expect(fast.parameters == 61_706)
        #expect(fast.roles.map(\.role) == ["edge", "cloud"])
        #expect(fast.roles.map(\.count) == [workers, 1])
        #expect(fast.roundMs == UInt64(2 * steps))
        #expect(asked.map(\.0) == [.front, .back] && asked.map(\.1) == [batch, batch * workers])
        #expect(fast.roles[1].downBytesPerRound == workers * fast.roles[0].upBytesPerRound)
        // Slower than a round may last.
        let slow = try forecast(step: .milliseconds(file.spec.commitMaxMs))
        #expect(slow.problems.count == 1 && slow.problems[0].contains("commitMax"))
        #expect(slow.text.contains("problem: a round takes"))
    }

    /// Devices hand the front's work to their edge.
    @Test func readsASplitJobWithDevices() throws {
        let yaml = Self.yaml + "\ndevices: 4\ndeviceFraction: 0.5\ndeviceNoise: 0.02\n"
        let file = try parse(yaml)
        #expect(file.spec.trainingProtocol == .split && file.spec.devices == 4)
        #expect(file.plan.device.fraction == 500_000 && file.plan.device.noise == 20_000)
        for (refused, reason) in [
            (yaml + "join: weightedSum\n", "devices, and a weighted sum"),
            (Self.yaml + "\ndeviceNoise: 0.02\n", "deviceNoise means something in a job with devices alone"),
            (yaml + "projection: 64\n", "projection means something in a fog job alone"),
        ] {
            let error = #expect(throws: UsageError.self) { try parse(refused) }
            #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
        }
    }

    @Test func weightsThatDoNotFitAreRefused() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "weights-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "start.safetensors")
        let yaml = Self.yaml + "\nweights: \(path.path)\n"
        #expect(throws: UsageError.self) { try parse(yaml) }
        let checkpoint = try Checkpoint.initial(seed: .zero)
        try Data(SavedModel(checkpoint).file).write(to: path)
        #expect(try parse(yaml).spec.initialCheckpoint == checkpoint.digest)
        #expect(try parse(Self.yaml).spec.initialCheckpoint == .zero)
        try Data(SavedModel(checkpoint).file.dropLast()).write(to: path)
        #expect(throws: UsageError.self) { try parse(yaml) }
    }

    @Test func readsAFogJob() throws {
        let yaml = """
            id: houses
            protocol: fog
            fogNodes: 3
            devices: 18
            rounds: 100
            batchSize: 32
            learningRate: 0.1
            aggregation: trimmed:0.2
            sharedFraction: 0.1
            deviceFraction: 0.5
            dataset: svhn
            openTimeout: 2min
            commitMin: 15s
            commitMax: 60s
            revealTimeout: 20s
            validateTimeout: 20s
            validator: someone
            committee: someone
            workerPrice: 7
            """
        let file = try parse(yaml)
        #expect(file.spec.trainingProtocol == .fog && file.spec.workers == 3 && file.spec.devices == 18)
        #expect(file.spec.committee == .named([Self.validator], size: 1) && file.spec.workerPrice == 7)
        #expect(file.plan.aggregation == .trimmed(200_000) && file.plan.sharedFraction == 100_000)
        #expect(file.plan.device.fraction == 500_000 && file.plan.momentum == 0)
        #expect(try TrainingPlan(checking: file.spec.plan) == file.plan)
        // The papers' models have names: on SVHN with its colours.
        let convolutional = try parse(yaml + "\nmodel: fog-cnn").plan.model
        #expect(convolutional.input == [3, 32, 32] && convolutional.layers.count == 11)
        for (line, replacement, reason) in [
            ("aggregation: trimmed:0.2", "aggregation: vote", "aggregation 'vote'"),
            ("aggregation: trimmed:0.2", "aggregation: trimmed:0.7", "below 0.5"),
            ("aggregation: trimmed:0.2\nsharedFraction: 0.1", "aggregation: secureSum:4", "more than half"),
            ("aggregation: trimmed:0.2\nsharedFraction: 0.1", "quorum: 1\naggregation: secureSum:2", "a quorum of 1"),
            ("dataset: svhn", "dataset: cifar", "dataset 'cifar'"),
            ("dataset: svhn", "model: nowhere.yaml", "model 'nowhere.yaml'"),
            ("fogNodes: 3", "fogNodes: 3\nedges: 3", "mean the same"),
            ("commitMin: 15s", "commitMin: 9s", "commitMin '9s' is not 10s to 30 days"),
        ] {
            let error = #expect(throws: UsageError.self) {
                try parse(yaml.replacingOccurrences(of: line, with: replacement))
            }
            #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
        }
    }

    private static let private8 = """
        id: patients
        protocol: fog
        fogNodes: 3
        rounds: 100
        batchSize: 32
        learningRate: 0.1
        clipNorm: 1.5
        noiseMultiplier: 1.1
        delta: 0.00001
        epsilonBudget: 8
        openTimeout: 2min
        commitMin: 15s
        commitMax: 60s
        revealTimeout: 20s
        validateTimeout: 20s
        validator: someone
        """

    @Test func readsAPrivacyBudget() throws {
        let file = try parse(Self.private8)
        #expect(
            file.plan.privacy
                == PrivacyPlan(
                    clipNorm: 1_500_000, noiseMultiplier: 1_100_000, deltaPico: 10_000_000, epsilonBudget: 8_000_000))
        #expect(try TrainingPlan(checking: file.spec.plan) == file.plan)
        let forecast = try JobForecast(file.spec, file.plan, samples: 1_000) { _, _ in .milliseconds(1) }
        #expect(forecast.problems.contains { $0.contains("the privacy budget is spent after") }, "\(forecast.problems)")
        // Sample by sample.
        let role = try #require(forecast.roles.first)
        #expect(role.computeMsPerRound == UInt64(role.stepsPerRound) * UInt64(file.plan.batchSize))
        for (line, replacement, reason) in [
            ("epsilonBudget: 8\n", "", "'epsilonBudget' is missing"), ("clipNorm: 1.5\n", "", "'clipNorm' is missing"),
            ("delta: 0.00001", "delta: 1e-5", "delta '1e-5'"), ("delta: 0.00001", "delta: 0.0", "delta '0.0'"),
            ("delta: 0.00001", "delta: 1", "delta '1'"), ("delta: 0.00001", "delta: 0.0000000000001", "12 places"),
            ("epsilonBudget: 8", "epsilonBudget: 0", "budget (epsilon) is 0"),
            ("noiseMultiplier: 1.1", "noiseMultiplier: 0.001", "noise multiplier"),
            ("protocol: fog", "protocol: split\nstepsPerRound: 2", "clipNorm means something in a fog job alone"),
            ("clipNorm: 1.5", "clipNorm: 1.5\nboundaryBits: 8", "boundaryBits means something in a split job alone"),
        ] {
            let error = #expect(throws: UsageError.self) {
                try parse(Self.private8.replacingOccurrences(of: line, with: replacement))
            }
            #expect(error?.description.contains(reason) == true, "\(replacement): \(String(describing: error))")
        }
    }

    @Test(arguments: [
        ("rounds: 12", "rounds: -1", "line 5: rounds '-1'"),
        ("rounds: 12", "rounds: 0", "rounds is not 1 to"),
        ("rounds: 12", "", "'rounds' is missing"),
        ("rounds: 12", "round: 12", "line 5: there is no field 'round'"),
        ("rounds: 12", "rounds: [1, 2]", "rounds takes one value"),
        ("learningRate: 0.05", "learningRate: 5e-2", "learningRate '5e-2'"),
        ("learningRate: 0.05", "learningRate: 0.0000001", "learningRate '0.0000001'"),
        ("openTimeout: 2min", "openTimeout: 2 weeks", "openTimeout '2 weeks'"),
        ("openTimeout: 2min", "openTimeout: 999999999999999999h", "openTimeout"),
        ("quorum: 1", "quorum: 3", "quorum is not 1 to"),
        ("id: digits", "id: chain", "cannot have the name"),
        ("id: digits", "id: [", "not YAML"),
        // Each of these took a deposit once.
        ("batchSize: 32", "batchSize: 60000", "the batch size is 60000"),
        ("learningRate: 0.05", "learningRate: 20", "the learning rate is 20"),
        ("epsilon: 0.000001", "epsilon: 5", "epsilon is over 1"),
        (
            "deposit: 1,000,000", "validationSamples: 99999",
            "99999 validation samples; the reserved part of mnist has 10000"
        ),
        ("openTimeout: 2min", "openTimeout: 60", "line 9: openTimeout '60' is not a time with its unit"),
        ("openTimeout: 2min", "openTimeout: 60ms", "line 9: openTimeout '60ms' is not 10s to 30 days"),
        ("edges: 2", "edges: 2\nprotocol: swarm", "protocol 'swarm'"),
    ])
    func refusesSpecifications(line: String, replacement: String, reason: String) {
        let error = #expect(throws: UsageError.self) {
            try parse(Self.yaml.replacingOccurrences(of: line, with: replacement))
        }
        #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }

    @Test(arguments: [
        ["status"], ["block", "latest"], ["block", "7", "--receipts", "--json"], ["keys", "list", "--keys", "/k"],
        ["keys", "new", "alice"],
        ["tx", "submit", "--service", "s", "--post", "p", "--action", "5", "--data", "hello", "--wait"],
        ["tx", "show", "00"], ["transfer", "bob", "5"], ["account", "alice"], ["history", "alice", "--from", "3"],
        ["audit", "alice", "--output", "f"], ["audit", "verify", "f", "--genesis", "g", "--checkpoint", "1:2"],
        ["reputation", "alice", "--explain"], ["masternode", "list"],
        ["masternode", "show", "fog-7"], ["masternode", "status", "--json"],
        ["masternode", "register", "--home", "h", "--from", "o", "--wait"],
        ["masternode", "register", "--member", "f", "--name", "fog-7"],
        ["masternode", "unregister", "ab12", "--from", "o", "--wait"],
        ["masternode", "resume", "fog-7", "--node", "a:1"],
        ["governance", "list", "--open"], ["governance", "show", "3"], ["governance", "parameters", "--json"],
        ["governance", "propose", "--set", "heartbeatMs=20000", "--from", "o", "--wait"],
        ["governance", "propose", "--remove", "fog-7", "--from-epoch", "12", "--home", "h"],
        ["governance", "propose", "--upgrade", "2", "--from-epoch", "40"], ["governance", "vote", "3", "--approve"],
        ["governance", "vote", "3", "--reject", "--home", "h"], ["contract", "upload", "f"],
        ["contract", "call", "s", "256", "--data-hex", "00"], ["contract", "query", "s"], ["service", "list"],
        ["service", "show", "s"], ["service", "register", "s", "--code", "f"], ["job", "register", "spec.yaml"],
        ["job", "list"], ["job", "show", "j"], ["job", "watch", "j", "--timeout", "5"], ["job", "pause", "j"],
        ["job", "resume", "j"], ["job", "abort", "j", "--node", "http://a:1", "--node", "http://b:2"],
    ])
    func parses(arguments: [String]) throws {
        let command = try ChainCLI.parseAsRoot(arguments)
        // Each command says what it does and shows an example, as its groups do.
        let type = Swift.type(of: command)
        #expect(!type.configuration.abstract.isEmpty)
        #expect(type.configuration.discussion.contains("Example"), "\(arguments)")
        #expect(command is any AsyncParsableCommand)
    }

    @Test(arguments: [
        ["nothing"], ["tx", "submit", "--service", "s"], ["tx", "submit", "--service", "s", "--action", "70000"],
        ["audit", "verify", "f"], ["transfer", "bob"],
        ["masternode", "register"], ["masternode", "register", "--home", "h", "--member", "f"], ["masternode", "show"],
        ["governance", "vote", "3"], ["governance", "vote", "3", "--approve", "--reject"],
        ["governance", "vote", "x", "--approve"],
        ["governance", "propose", "--upgrade", "70000"], ["governance", "show"], ["status", "--jso"],
    ])
    func badUsageEndsWithTwo(arguments: [String]) {
        #expect(throws: (any Error).self) {
            do { _ = try ChainCLI.parseAsRoot(arguments) } catch {
                #expect(Failure(error).exitCode == 2)
                throw error
            }
        }
    }

    @Test func errorsEndWithTheirCode() throws {
        #expect(Failure(UsageError("x")).exitCode == 2)
        #expect(Failure(ClientError.badNode("x")).exitCode == 2)
        #expect(Failure(ClientError.unreachable([])).exitCode == 1)
        #expect(Failure(Refused("c", "x")).exitCode == 1)
        #expect(throws: (any Error).self) {
            do {
                var help = try ChainCLI.parseAsRoot(["--help"])
                try help.run()
            } catch {
                #expect(Failure(error).exitCode == 0)
                throw error
            }
        }
    }
}
