import Foundation
import WebAssembly

/// A contract as `Contracts/build` made it.
struct ContractFile {
    struct Missing: Error, CustomStringConvertible {
        let path: String
        var description: String { "\(path) is missing: run Contracts/build" }
    }

    let bytes: [UInt8]
    let module: Module

    init(_ name: String) throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appendingPathComponent("Contracts/.build/\(name).wasm")
        guard let data = try? Data(contentsOf: file) else { throw Missing(path: "Contracts/.build/\(name).wasm") }
        bytes = Array(data)
        module = try Module(parsing: bytes)
    }
}

/// Small, seeded, the same everywhere.
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) } }
}
