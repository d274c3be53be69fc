import Testing
import WebAssembly

@Suite("The contracts as the chain takes them", .timeLimit(.minutes(20)))
struct ContractFileTests {
    @Test("size, exports, imports and memory are within the chain's limits", arguments: ["job", "counter", "tally"])
    func limits(name: String) throws {
        let file = try ContractFile(name)
        // What a transaction can carry.
        #expect(file.bytes.count < 65_200)
        #expect(file.module.hasMemoryExport("memory"))
        // Nothing to set up and nothing scheduled: then those entries may be missing.
        let entries = name == "tally" ? ["action", "query"] : ["init", "action", "scheduled", "query"]
        for export in entries { #expect(file.module.hasFunctionExport(export, FunctionType())) }
        let offered = Set(TestHost.imports.map(\.name))
        #expect(file.module.imports.allSatisfy { $0.module == "edgeproof" && offered.contains($0.name) })
        #expect(file.module.instantiationGas < 16 * Gas.page)
    }
}
