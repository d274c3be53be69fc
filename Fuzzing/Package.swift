// swift-tools-version: 6.2
import PackageDescription

// A package of its own, built by scripts/fuzz with `-sanitize=fuzzer`, which instruments every module it takes in.
// `main` comes from libFuzzer.
let package = Package(
    name: "edgeproof-fuzzing",
    dependencies: [.package(name: "edgeproof", path: "..")],
    targets: [
        .executableTarget(
            name: "fuzz-vm",
            dependencies: [.product(name: "EdgeproofWebAssembly", package: "edgeproof")],
            swiftSettings: [.treatAllWarnings(as: .error), .unsafeFlags(["-parse-as-library"])])
    ]
)
