import Testing
import WebAssembly

/// Checking a module takes work in proportion to its bytes, whoever wrote it. Work is counted, not timed: times are
/// measured by `scripts/bench-vm`, which runs the same modules.
@Suite(.timeLimit(.minutes(20))) struct LinearityTests {
    /// Steps of checking, whether or not the module is taken.
    private func work(_ bytes: [UInt8]) -> (steps: Int, error: ModuleError?) {
        Module.measuringWork(parsing: bytes)
    }

    @Test func hostileModulesTakeLinearWork() {
        for hostile in HostileModule.all {
            for size in [1_000, 4_000, 16_000, 64_000] {
                let bytes = hostile.make(size)
                #expect(bytes.count <= size + 400, "\(hostile) of \(size) has \(bytes.count) bytes")
                let (steps, error) = work(bytes)
                let isRefused = hostile.name.contains("refused")
                #expect((error == nil) == !isRefused, "\(hostile) of \(size): \(error.map(\.description) ?? "taken")")
                #expect(
                    steps <= 1_000 + 16 * bytes.count,
                    "\(hostile) of \(bytes.count) bytes took \(steps) steps, \(steps / bytes.count) a byte")
            }
        }
    }

    /// Ten times the bytes are at most ten times the work and a little.
    @Test func workGrowsWithTheBytes() {
        for hostile in HostileModule.all {
            let (small, large) = (hostile.make(6_000), hostile.make(60_000))
            let (few, many) = (work(small).steps, work(large).steps)
            #expect(
                Double(many) <= 1.5 * Double(few) * Double(large.count) / Double(small.count) + 4_096,
                "\(hostile): \(few) steps for \(small.count) bytes, \(many) for \(large.count)")
        }
    }

    /// A module that would take more steps than its bytes allow is refused: the promise is checked, not believed.
    @Test func workIsBounded() throws {
        var limits = Limits()
        limits.workPerByte = 1
        limits.workBase = 0
        let hostile = try #require(HostileModule.all.first { $0.name == "wide blocks" })
        let bytes = hostile.make(10_000)
        #expect {
            _ = try Module(parsing: bytes, limits: limits)
        } throws: { error in
            (error as? ModuleError)?.kind == .limitExceeded
        }
        _ = try Module(parsing: bytes)
    }

    /// What a parsed module takes in memory is in proportion to its bytes too.
    @Test func memoryIsBounded() throws {
        for hostile in HostileModule.all {
            let bytes = hostile.make(60_000)
            guard let module = try? Module(parsing: bytes) else { continue }
            #expect(
                module.memoryBytes <= 8_192 + Module.memoryBytesPerByte * bytes.count,
                "\(hostile): \(module.memoryBytes) bytes of memory for \(bytes.count) bytes")
        }
    }
}
