// swift-tools-version: 6.2
import PackageDescription

// A package of its own, built by scripts/fuzz with `-sanitize=fuzzer`, which instruments every module in it. It takes the
// engine's sources by links, not the product as a dependency: nothing but what is fuzzed has to be there.
let package = Package(
    name: "edgeproof-fuzzing",
    targets: [
        .target(name: "CWasmCore"),
        .target(name: "WebAssembly", dependencies: ["CWasmCore"]),
        .executableTarget(
            name: "fuzz-vm", dependencies: ["WebAssembly"],
            swiftSettings: [.treatAllWarnings(as: .error), .unsafeFlags(["-parse-as-library"])]),
    ]
)
