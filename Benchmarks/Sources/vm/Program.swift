import ArgumentParser
import Foundation
import WebAssembly

/// Times the contract VM: scripts/bench-vm calls it.
@main struct Program: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vm", abstract: "Time the contract VM.", subcommands: [Run.self, Check.self])
}

/// Processor time of this process: what else the machine does is not counted.
private func processorTime() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now)
    return Double(now.tv_sec) * 1e9 + Double(now.tv_nsec)
}

/// The shortest time of some runs: what disturbs a run only makes it longer.
private func shortest(of count: Int, _ body: () throws -> Double) rethrows -> Double {
    var best = Double.infinity
    for _ in 0..<count { best = min(best, try body()) }
    return best
}

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Time one call of a function i32 -> i32, gas on.")
    @Argument var file: String
    @Argument var argument: UInt32
    @Option(help: "Runs, of which the shortest counts.") var runs = 3

    func run() throws {
        let module = try Module(parsing: [UInt8](Data(contentsOf: URL(filePath: file))))
        let host = NoHost()
        var result: [Value] = []
        var gas: UInt64 = 0
        let nanoseconds = try shortest(of: runs) {
            let instance = try Instance(module: module, host: host, hostImports: [], gasLimit: .max)
            let before = instance.gasUsed
            let start = processorTime()
            result = try instance.invoke("run", [.i32(argument)])
            let time = processorTime() - start
            gas = instance.gasUsed - before
            return time
        }
        guard case .i32(let bits)? = result.first else { throw ValidationError("run returned \(result)") }
        print(Int32(bitPattern: bits), Int(nanoseconds), gas)
    }
}

private final class NoHost: HostFunctions {
    func call(_ function: Int, _ arguments: HostArguments, _ context: HostContext) throws(Trap) -> UInt64? { nil }
}

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Time the checking of the hostile modules of the tests, and print nanoseconds a byte, the worst first.")

    func run() throws {
        var lines: [(perByte: Double, perGas: Double, text: String)] = []
        for hostile in HostileModule.all {
            for size in [500, 5_000, 64_000] {
                let bytes = hostile.make(size)
                let nanoseconds = shortest(of: 20) {
                    let start = processorTime()
                    let module = try? Module(parsing: bytes)
                    let time = processorTime() - start
                    withExtendedLifetime(module) {}
                    return time
                }
                let perByte = nanoseconds / Double(bytes.count)
                let perGas = nanoseconds / Double(Gas.parsing(bytes: bytes.count))
                lines.append((perByte, perGas, "\(bytes.count) bytes  \(hostile.name)"))
            }
        }
        print("ns/byte  ns/gas")
        for line in lines.sorted(by: { $0.perByte > $1.perByte }) {
            print(String(format: "%7.1f  %6.2f  %@", line.perByte, line.perGas, line.text))
        }
    }
}
