import Testing
import WebAssembly

@Suite("The contracts as the chain takes them")
struct ContractFileTests {
    @Test("size, exports, imports and memory are within the chain's limits", arguments: ["job", "counter"])
    func limits(name: String) throws {
        let file = try ContractFile(name)
        // What a transaction can carry.
        #expect(file.bytes.count < 65_200)
        #expect(file.module.hasMemoryExport("memory"))
        for export in ["init", "action", "scheduled", "query"] {
            #expect(file.module.hasFunctionExport(export, FunctionType()))
        }
        let offered = Set(TestHost.imports.map(\.name))
        #expect(file.module.imports.allSatisfy { $0.module == "edgeproof" && offered.contains($0.name) })
        #expect(file.module.instantiationGas < 16 * Gas.page)
    }
}
