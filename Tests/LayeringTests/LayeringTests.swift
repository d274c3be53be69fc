import Foundation
import Testing

/// Arrows between modules go down only (architecture, section 1). The rules are held against the package's own
/// description, so that a new dependency in the manifest shows here.
@Suite(.timeLimit(.minutes(20))) struct LayeringTests {
    private static let layers: [String: Int] = [
        "Encoding": 0, "CEd25519": 0, "CSHA256": 0, "Cryptography": 0, "Primitives": 0,
        "Consensus": 1, "Mempool": 1, "StateTree": 1, "WebAssembly": 1, "Ledger": 1, "Audit": 1, "Tensor": 1,
        "CTensorKernels": 1, "Training": 1, "JobProtocol": 1, "JobContract": 1, "CZlib": 1, "CWasmCore": 1,
        "NodeCore": 1, "StateSync": 1,
        "CCRC32C": 2, "CLevelDB": 2, "Storage": 2, "KeyFiles": 2, "NodeHome": 2, "PeerNetwork": 2, "APIModel": 2,
        "ModelFiles": 2,
        "ProgramSupport": 2, "CommandSupport": 2, "NodeAPI": 2, "WebClient": 2, "ChainClient": 2,
        "TestSupport": 0, "HostileModules": 0, "Samples": 0, "Attacks": 3, "Decoders": 3, "ContractTemplates": 2,
        "Experiments": 3, "NodeHost": 3, "WorkerRuntime": 3, "LocalNetwork": 3, "Simulation": 3, "ChainCommands": 3,
        "chaind": 4, "chain-cli": 4, "chain-worker": 4, "chain-sim": 4, "edgeproof-demo": 4,
        "ByzantineNode": 4, "AttackPeers": 4,
    ]

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    struct Description: Decodable {
        struct Target: Decodable {
            let name: String
            let type: String
            let target_dependencies: [String]?
            let product_dependencies: [String]?
        }
        let targets: [Target]
    }

    private static func describe() throws -> [Description.Target] {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        let scratch = FileManager.default.temporaryDirectory.appending(path: "layering-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: scratch) }
        // A scratch path of its own: the build that runs this test holds the lock of the usual one.
        process.arguments = [
            "swift", "package", "--package-path", root.path, "--scratch-path", scratch.path, "describe", "--type",
            "json",
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return try JSONDecoder().decode(Description.self, from: data).targets.filter { $0.type != "test" }
    }

    @Test func arrowsGoDownOnly() throws {
        let targets = try Self.describe()
        #expect(targets.count > 15)
        for target in targets {
            let layer = try #require(Self.layers[target.name], "\(target.name) has no layer: add it to the map")
            for dependency in target.target_dependencies ?? [] {
                let below = try #require(Self.layers[dependency])
                #expect(below <= layer, "\(target.name) (layer \(layer)) depends on \(dependency) (layer \(below))")
            }
        }
    }

    @Test func consensusSeesValuesAlone() throws {
        let consensus = try #require(try Self.describe().first { $0.name == "Consensus" })
        #expect(Set(consensus.target_dependencies ?? []).isSubset(of: ["Encoding", "Cryptography", "Primitives"]))
        #expect((consensus.product_dependencies ?? []).isEmpty)
    }

    @Test func workersNeverReachTheNode() throws {
        let targets = try Self.describe()
        let byName = Dictionary(uniqueKeysWithValues: targets.map { ($0.name, $0) })
        var reached: Set<String> = []
        var open = ["WorkerRuntime", "chain-worker", "ChainClient"]
        while let name = open.popLast() {
            guard reached.insert(name).inserted else { continue }
            open += byName[name]?.target_dependencies ?? []
        }
        #expect(
            reached.isDisjoint(with: [
                "NodeCore", "NodeHost", "Storage", "Ledger", "Consensus", "PeerNetwork", "NodeAPI",
            ]))
    }

    @Test func simulatorNeedsNoSocketsOrDisk() throws {
        let targets = try Self.describe()
        let byName = Dictionary(uniqueKeysWithValues: targets.map { ($0.name, $0) })
        var reached: Set<String> = []
        var products: Set<String> = []
        var open = ["Simulation"]
        while let name = open.popLast() {
            guard reached.insert(name).inserted else { continue }
            open += byName[name]?.target_dependencies ?? []
            products.formUnion(byName[name]?.product_dependencies ?? [])
        }
        for name in reached {
            #expect((Self.layers[name] ?? 9) <= 1 || name == "Simulation", "Simulation reaches \(name)")
        }
        #expect(products.isSubset(of: ["Crypto", "CryptoExtras"]), "Simulation links \(products)")
    }

    @Test func pureModulesImportNoInputOrOutput() throws {
        // Dispatch is not among them: Tensor spreads its loops over threads with it, and gives the same bits.
        let forbidden = ["NIO", "Hummingbird", "WebClient", "Glibc", "CLevelDB", "Storage"]
        let sources = Self.root.appending(path: "Sources")
        for (module, layer) in Self.layers where layer <= 1 {
            let folder = sources.appending(path: module)
            let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
            while let file = files?.nextObject() as? URL {
                guard file.pathExtension == "swift" else { continue }
                let text = try String(contentsOf: file, encoding: .utf8)
                for line in text.split(separator: "\n") where line.hasPrefix("import ") {
                    for name in forbidden {
                        #expect(!line.hasPrefix("import \(name)"), "\(module)/\(file.lastPathComponent): \(line)")
                    }
                }
            }
        }
    }
}
