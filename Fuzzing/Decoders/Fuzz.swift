import Decoders
import Foundation
import TestSupport

/// The decoder that this run fuzzes: EDGEPROOF_FUZZ names it.
private let decoder: Decoder = {
    let name = ProcessInfo.processInfo.environment["EDGEPROOF_FUZZ"] ?? ""
    guard let decoder = Decoder(rawValue: name) else {
        let names = Decoder.allCases.map(\.rawValue).joined(separator: " ")
        FileHandle.standardError.write(Data("EDGEPROOF_FUZZ names no decoder; there are \(names)\n".utf8))
        exit(2)
    }
    return decoder
}()

/// One input: whatever it is, this returns, and what the decoder takes keeps its promises.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    do { return try decoder.check(Array(UnsafeBufferPointer(start: start, count: count))) ? 0 : 0 } catch {
        preconditionFailure("\(decoder.rawValue): \(error)")
    }
}

/// Writes values for mutations to begin with, instead of fuzzing.
private func writeSeeds(to folder: String) -> Int32 {
    var generator = SeededGenerator(seed: 1)
    for number in 0..<200 {
        do {
            try Data(decoder.seed(&generator)).write(to: URL(filePath: folder).appending(path: "seed-\(number)"))
        } catch { return 1 }
    }
    return 0
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<Int32>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ target: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// The package manager renames an executable's `main` after its module, so libFuzzer's own is not taken: this one hands
/// over to it.
@_cdecl("fuzz_decoders_main")
public func runFuzzer(_ count: Int32, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> Int32 {
    _ = decoder
    if let folder = ProcessInfo.processInfo.environment["EDGEPROOF_FUZZ_SEEDS"] { return writeSeeds(to: folder) }
    var (count, arguments) = (count, arguments)
    return runDriver(&count, &arguments, fuzzOneInput)
}
