// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

extension Target.Dependency {
    static let argumentParser = product(name: "ArgumentParser", package: "swift-argument-parser")
    static let crypto = product(name: "Crypto", package: "swift-crypto")
    static let cryptoExtras = product(name: "CryptoExtras", package: "swift-crypto")
    static let hummingbird = product(name: "Hummingbird", package: "hummingbird")
    static let hummingbirdCore = product(name: "HummingbirdCore", package: "hummingbird")
    static let logging = product(name: "Logging", package: "swift-log")
    static let nioEmbedded = product(name: "NIOEmbedded", package: "swift-nio")
    static let nioCore = product(name: "NIOCore", package: "swift-nio")
    static let nioHTTP1 = product(name: "NIOHTTP1", package: "swift-nio")
    static let nioHTTPTypes = product(name: "NIOHTTPTypes", package: "swift-nio-extras")
    static let nioPosix = product(name: "NIOPosix", package: "swift-nio")
    static let nioSSL = product(name: "NIOSSL", package: "swift-nio-ssl")
    static let yams = product(name: "Yams", package: "Yams")
}

/// A module of the product. Which module may import which is fixed in the architecture and held by LayeringTests.
func module(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(of name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name + "Tests", dependencies: dependencies, swiftSettings: strict)
}

let values: [Target.Dependency] = ["Encoding", "Cryptography", "Primitives"]

let package = Package(
    name: "edgeproof",
    products: [
        .executable(name: "chaind", targets: ["chaind"]),
        .executable(name: "chain-cli", targets: ["chain-cli"]),
        .executable(name: "chain-worker", targets: ["chain-worker"]),
        .executable(name: "chain-sim", targets: ["chain-sim"]),
        .library(name: "EdgeproofClient", targets: ["ChainClient", "JobProtocol", "KeyFiles", "Primitives", "Cryptography", "Encoding"]),
        .library(name: "EdgeproofNetwork", targets: ["LocalNetwork"]),
        .library(name: "EdgeproofWebAssembly", targets: ["WebAssembly"]),
        .library(name: "EdgeproofTraining", targets: ["ModelFiles", "Training", "Tensor"]),
        // For Benchmarks: what the attack run shares with the test of it.
        .library(name: "EdgeproofAttacks", targets: ["Attacks", "HostileModules", "TestSupport"]),
        .library(
            name: "EdgeproofLedger", targets: ["Ledger", "Mempool", "StateTree", "Storage", "Primitives", "Cryptography", "Encoding"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.31.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        // Without its traits: nothing here reads settings by swift-configuration.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // Layer 0: values
        module("Encoding", []),
        .target(name: "CEd25519"),
        .target(name: "CSHA256"),
        module("Cryptography", ["Encoding", "CEd25519", "CSHA256", .crypto, .cryptoExtras]),
        module("Primitives", ["Encoding", "Cryptography"]),

        // Layer 1: pure
        module("Consensus", values),
        module("Mempool", values),
        module("StateTree", values),
        .target(name: "CWasmCore"),
        module("WebAssembly", ["CWasmCore"]),
        module("Ledger", values + ["WebAssembly"]),
        module("Audit", values + ["StateTree"]),
        module("NodeCore", values + ["Consensus", "Mempool", "StateTree", "Ledger"]),
        module("StateSync", values + ["StateTree"]),
        .target(name: "CTensorKernels", exclude: ["kernels.inc"]),
        module("Tensor", ["CTensorKernels"]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        module("Training", values + ["Tensor", "CZlib"]),
        module("JobProtocol", values),

        // Layer 2: input and output
        .target(name: "CCRC32C"),
        .systemLibrary(name: "CLevelDB", providers: [.apt(["libleveldb-dev"])]),
        module("Storage", values + ["StateTree", "CCRC32C", "CLevelDB", "ProgramSupport"]),
        module("KeyFiles", ["Encoding", "Cryptography"]),
        module("NodeHome", values + ["KeyFiles", "ProgramSupport"]),
        module("PeerNetwork", values + ["ProgramSupport", .nioCore, .nioPosix, .nioSSL, .crypto, .logging]),
        module("ModelFiles", ["Tensor", "Training", .yams]),
        module("ProgramSupport", []),
        module("CommandSupport", ["Encoding", "ProgramSupport", .argumentParser]),
        module("APIModel", values),
        module(
            "NodeAPI",
            values + [
                "APIModel", "JobProtocol", "ProgramSupport", "CZlib", .hummingbird, .hummingbirdCore, .nioCore, .nioHTTP1, .nioHTTPTypes,
                .logging,
            ],
            resources: ["explorer.html", "explorer.css", "explorer.js"].map { .embedInCode("Explorer/\($0)") }),
        module("WebClient", ["ProgramSupport", .nioCore, .nioHTTP1, .nioPosix, .nioSSL]),
        module("ChainClient", values + ["APIModel", "JobProtocol", "WebClient", .nioCore, .nioHTTP1, .nioPosix, .logging]),

        // What `contract new` writes, out of the folder where it is built and tested.
        .target(
            name: "ContractTemplates", path: "Contracts",
            exclude: ["Job", "README.md", "build"], sources: ["Templates"],
            resources: [
                "C/edgeproof.h", "Tally/tally.c", "Tally/tally.test.yaml", "Counter/Counter.swift", "Counter/counter.test.yaml",
                "SDK/Borsh.swift", "SDK/Bytes.swift", "SDK/Chain.swift", "SDK/Context.swift", "SDK/Contract.swift",
                "SDK/Host.swift", "SDK/Keys.swift", "SDK/Runtime.swift", "SDK/Service.swift", "SDK/Storage.swift",
                "SDK/Text.swift", "SDK/Values.swift",
            ].map { .embedInCode($0) }, swiftSettings: strict),

        // Layer 3: composed
        module(
            "NodeHost",
            values + [
                "Consensus", "Mempool", "StateTree", "Ledger", "Audit", "NodeCore", "StateSync", "Storage", "KeyFiles",
                "NodeHome", "PeerNetwork", "NodeAPI", "ProgramSupport", .logging,
            ]),
        module(
            "WorkerRuntime",
            values + [
                "Audit", "JobProtocol", "Tensor", "Training", "ChainClient", "ProgramSupport", "WebClient", .nioCore, .nioPosix, .nioHTTP1,
            ]),

        module("Experiments", ["Encoding", "Cryptography", "Tensor", "Training"]),

        module("LocalNetwork", values + ["KeyFiles", "NodeHome", "ProgramSupport", .nioCore, .nioPosix]),

        module("Simulation", values + ["Consensus", "Mempool", "StateTree", "Ledger", "NodeCore", "StateSync"]),

        module(
            "ChainCommands",
            values + [
                "ChainClient", "JobProtocol", "Audit", "Ledger", "KeyFiles", "APIModel", "CommandSupport", "ProgramSupport",
                "WebAssembly", "Training", "ModelFiles", "LocalNetwork", "Experiments", "ContractTemplates", .argumentParser, .yams,
            ]),

        // Layer 4: programs
        program("chain-sim", ["Simulation", "CommandSupport", "ProgramSupport", .argumentParser]),
        program(
            "chaind",
            values + [
                "Consensus", "NodeHost", "NodeHome", "StateSync", "LocalNetwork", "KeyFiles", "CommandSupport", "ProgramSupport",
                .argumentParser, .logging,
            ]),
        program("chain-cli", ["ChainCommands"]),
        program(
            "chain-worker",
            values + [
                "WorkerRuntime", "Training", "JobProtocol", "ChainClient", "KeyFiles", "CommandSupport", "ProgramSupport",
                .argumentParser,
            ]),
        program(
            "edgeproof-demo",
            values + ["LocalNetwork", "ChainClient", "JobProtocol", "KeyFiles", "CommandSupport", "ProgramSupport", .argumentParser]),

        // Tests
        .executableTarget(
            name: "ByzantineNode",
            dependencies: values + [
                "Consensus", "KeyFiles", "NodeCore", "NodeHome", "PeerNetwork", "ProgramSupport", .argumentParser,
                .logging,
            ], path: "Tests/ByzantineNode", swiftSettings: strict),
        .executableTarget(
            name: "AttackPeers",
            dependencies: values + [
                "ChainClient", "KeyFiles", "Ledger", "LocalNetwork", "NodeCore", "PeerNetwork", .argumentParser, .nioCore,
                .nioPosix,
            ], path: "Tests/AttackPeers", swiftSettings: strict),
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: strict),
        .target(name: "HostileModules", dependencies: ["TestSupport"], path: "Tests/HostileModules", swiftSettings: strict),
        .target(
            name: "Attacks", dependencies: values + ["HostileModules", "ChainClient"], path: "Tests/Attacks",
            swiftSettings: strict),
        .target(name: "Samples", dependencies: values + ["TestSupport"], path: "Tests/Samples", swiftSettings: strict),
        .target(
            name: "Decoders",
            dependencies: values + [
                "Consensus", "NodeCore", "StateTree", "StateSync", "Audit", "PeerNetwork", "NodeHome", "Training", "ModelFiles",
                "JobProtocol", "Samples", "TestSupport", .nioCore,
            ], path: "Tests/Decoders", swiftSettings: strict),
        // The job contract's own code, compiled for the host: a test walks through its states.
        .target(
            name: "JobContract", dependencies: values + ["JobProtocol"], path: "Contracts/Job",
            exclude: ["Shared.swift", "Entry.swift"], swiftSettings: strict),
        tests(of: "Encoding", ["Encoding", "TestSupport"]),
        tests(of: "Cryptography", ["Encoding", "CEd25519", "CSHA256", "Cryptography", "TestSupport", .crypto]),
        tests(of: "Primitives", values + ["TestSupport", "Samples"]),
        tests(of: "Decoders", ["Decoders", "TestSupport"]),
        tests(of: "Consensus", values + ["Consensus"]),
        tests(of: "Mempool", values + ["Mempool"]),
        tests(of: "StateTree", values + ["StateTree", "TestSupport"]),
        tests(of: "WebAssembly", ["WebAssembly"]),
        tests(of: "JobProtocol", values + ["JobProtocol"]),
        tests(of: "Contracts", values + ["WebAssembly", "JobProtocol", "JobContract"]),
        tests(of: "Ledger", values + ["Ledger", "WebAssembly", "JobProtocol", "TestSupport"]),
        tests(of: "Audit", values + ["StateTree", "Audit", "TestSupport"]),
        tests(of: "Tensor", ["Tensor"]),
        tests(of: "Training", values + ["Tensor", "Training", "CZlib"]),
        tests(of: "ModelFiles", ["Training", "ModelFiles"]),
        tests(of: "Experiments", ["Encoding", "Cryptography", "Tensor", "Training", "Experiments"]),
        tests(of: "Storage", values + ["StateTree", "Storage"]),
        tests(of: "KeyFiles", ["Encoding", "Cryptography", "KeyFiles"]),
        tests(
            of: "PeerNetwork",
            values + [
                "PeerNetwork", "LocalNetwork", "TestSupport", .crypto, .nioCore, .nioEmbedded, .nioPosix, .nioSSL, .logging,
            ]),
        tests(
            of: "NodeAPI",
            values + ["NodeAPI", "APIModel", "ChainClient", "JobProtocol", "ProgramSupport", .hummingbird, "WebClient", .logging]),
        tests(of: "WebClient", ["WebClient", .nioCore, .nioHTTP1, .nioPosix, .nioSSL]),
        tests(
            of: "ChainClient",
            values + ["ChainClient", "APIModel", "KeyFiles", .nioCore]),
        tests(
            of: "ChainCommands",
            values + [
                "ChainCommands", "ChainClient", "JobProtocol", "Training", "APIModel", "CommandSupport", "ProgramSupport", "KeyFiles",
                "WebAssembly",
                "ContractTemplates",
                .argumentParser, .yams,
            ]),
        tests(
            of: "WorkerRuntime",
            values + ["WorkerRuntime", "Audit", "StateTree", "JobProtocol", "Training", "Tensor", "ChainClient"]),
        tests(
            of: "Node",
            values + [
                "Consensus", "Mempool", "StateTree", "Ledger", "Storage", "PeerNetwork", "NodeCore", "StateSync",
                "NodeHome", "NodeHost", "Simulation", "Audit", "TestSupport", .logging,
            ]),
        tests(of: "Simulation", values + ["Consensus", "NodeCore", "StateSync", "Simulation"]),
        tests(of: "Layering", []),
        tests(
            of: "EndToEnd",
            values + [
                "ChainClient", "JobProtocol", "KeyFiles", "LocalNetwork", "NodeHome", "NodeHost", "StateSync", "Storage", "TestSupport",
                "APIModel", "Attacks", "WebClient", .nioCore, .nioHTTP1, .nioPosix, "chaind", "chain-cli", "chain-worker", "chain-sim",
                "ByzantineNode",
            ]),
    ]
)

// Built by scripts/fuzz alone, with `-sanitize=fuzzer`, which instruments every module that is compiled.
if Context.environment["EDGEPROOF_FUZZING"] != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzz-decoders", dependencies: ["Decoders", "TestSupport"], path: "Fuzzing/Decoders",
            swiftSettings: [.treatAllWarnings(as: .error), .unsafeFlags(["-parse-as-library"])]))
    package.products.append(.executable(name: "fuzz-decoders", targets: ["fuzz-decoders"]))
}

// EDGEPROOF_ONLY=LedgerTests,AuditTests builds just these targets and what they need: a change in one module is then
// compiled and tested without everything above it.
if let only = Context.environment["EDGEPROOF_ONLY"] {
    let byName = Dictionary(uniqueKeysWithValues: package.targets.map { ($0.name, $0) })
    var wanted: Set<String> = []
    func want(_ name: String) {
        guard let target = byName[name], wanted.insert(name).inserted else { return }
        for dependency in target.dependencies {
            switch dependency {
            case .targetItem(let name, _), .byNameItem(let name, _): want(name)
            default: break
            }
        }
    }
    for name in only.split(separator: ",") { want(String(name)) }
    package.targets.removeAll { !wanted.contains($0.name) }
    package.products.removeAll { product in
        switch product {
        case let executable as Product.Executable: !wanted.isSuperset(of: executable.targets)
        case let library as Product.Library: !wanted.isSuperset(of: library.targets)
        default: true
        }
    }
}
