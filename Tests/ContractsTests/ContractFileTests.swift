import Testing
import WebAssembly

@Suite("The contracts as the chain takes them")
struct ContractFileTests {
    @Test("size, exports, imports and memory are within the chain's limits", arguments: ["job", "counter"])
    func limits(name: String) throws {
        let file = try ContractFile(name)
        #expect(file.bytes.count < 60_000)
        #expect(file.module.hasMemoryExport("memory"))
        for export in ["init", "action", "scheduled", "query"] {
            #expect(file.module.hasFunctionExport(export, FunctionType()))
        }
        let offered = Set(TestHost.imports.map(\.name))
        #expect(file.module.imports.allSatisfy { $0.module == "edgeproof" && offered.contains($0.name) })
        #expect(file.module.instantiationGas < 16 * Gas.page)
    }

    @Test("what the frequent calls of a job cost")
    func gas() throws {
        let job = try JobDriver.started()
        let edge = job.edges[0]
        #expect(job.chain.act(edge.account, 6, edge.work(0).commitment(0, edge.account), post: "r0/c") == .done)
        let commit = job.chain.gasUsed
        job.commit([.cloud, job.edges[1]], round: 0)
        #expect(job.chain.act(edge.account, 6, edge.work(0).reveal, post: "r0/r") == .done)
        let reveal = job.chain.gasUsed
        job.reveal([.cloud, job.edges[1]], round: 0)
        #expect(job.chain.act(job.spec.validator, 6, validation(metric: 500_000, checkpoint: 1), post: "r0/v") == .done)
        let validation = job.chain.gasUsed
        job.chain.endBlock()
        let closing = job.chain.gasUsed
        #expect(job.chain.query([1]).outcome == .done)
        let participants = job.chain.gasUsed
        let spent = [
            ("commit", commit), ("reveal", reveal), ("validation", validation), ("closing a round", closing),
            ("query of participants", participants),
        ]
        for (what, gas) in spent { #expect(gas < 40_000, "\(what): \(gas)") }
    }
}
