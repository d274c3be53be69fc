// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that the product does not depend on what only measures it.
let package = Package(
    name: "edgeproof-benchmarks",
    dependencies: [
        .package(name: "edgeproof", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    ],
    targets: [
        .executableTarget(
            name: "vm",
            dependencies: [
                .product(name: "EdgeproofWebAssembly", package: "edgeproof"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: [.treatAllWarnings(as: .error)]),
        .executableTarget(
            name: "attack",
            dependencies: [
                .product(name: "EdgeproofAttacks", package: "edgeproof"),
                .product(name: "EdgeproofClient", package: "edgeproof"),
                .product(name: "EdgeproofNetwork", package: "edgeproof"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: [.treatAllWarnings(as: .error)]),
        .executableTarget(
            name: "tensor",
            dependencies: [
                .product(name: "EdgeproofTraining", package: "edgeproof"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: [.treatAllWarnings(as: .error)]),
        .executableTarget(
            name: "signatures",
            dependencies: [
                .product(name: "EdgeproofClient", package: "edgeproof"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: [.treatAllWarnings(as: .error)]),
        // A chain of one masternode that is measured step by step.
        .target(
            name: "ChainBench", dependencies: [.product(name: "EdgeproofLedger", package: "edgeproof")],
            path: "Sources/chain", swiftSettings: [.treatAllWarnings(as: .error)]),
        .executableTarget(
            name: "pipeline",
            dependencies: ["ChainBench", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: [.treatAllWarnings(as: .error)]),
        .executableTarget(
            name: "scale",
            dependencies: [
                "ChainBench",
                // The seeded generator.
                .product(name: "EdgeproofAttacks", package: "edgeproof"),
                .product(name: "EdgeproofLedger", package: "edgeproof"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: [.treatAllWarnings(as: .error)]),
        .executableTarget(
            name: "gas",
            dependencies: [
                "ChainBench",
                .product(name: "EdgeproofAttacks", package: "edgeproof"),
                .product(name: "EdgeproofLedger", package: "edgeproof"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: [.treatAllWarnings(as: .error)]),
    ]
)
