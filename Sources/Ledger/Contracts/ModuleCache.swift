import Cryptography
import Synchronization
import WebAssembly

/// Parsed contracts by the hash of their code, as many as fit a number of bytes of memory, the least recently used ones
/// dropped. What a call costs never depends on what is in here.
final class ModuleCache: Sendable {
    private struct Contents {
        var modules: [Digest: (module: ContractModule, used: UInt64)] = [:]
        var clock: UInt64 = 0
        var bytes = 0
    }

    /// Bytes of memory that the modules take together; the last one that was used is kept whatever it takes.
    private let capacity: Int
    private let contents = Mutex(Contents())

    init(capacity: Int) { self.capacity = max(1, capacity) }

    /// The module, parsed if it has to be. Two threads may parse the same one at a time; either result is kept.
    func module(
        _ hash: Digest, code: [UInt8]
    ) throws(ContractModule.Problem) -> ContractModule {
        if let known = find(hash) { return known }
        let module = try ContractModule(checking: code)
        contents.withLock { contents in
            contents.clock += 1
            if contents.modules.updateValue((module, contents.clock), forKey: hash) == nil {
                contents.bytes += module.module.memoryBytes
            }
            while contents.bytes > capacity, contents.modules.count > 1,
                let oldest = contents.modules.min(by: { $0.value.used < $1.value.used })
            {
                contents.modules[oldest.key] = nil
                contents.bytes -= oldest.value.module.module.memoryBytes
            }
        }
        return module
    }

    private func find(_ hash: Digest) -> ContractModule? {
        contents.withLock { contents in
            guard let entry = contents.modules[hash] else { return nil }
            contents.clock += 1
            contents.modules[hash] = (entry.module, contents.clock)
            return entry.module
        }
    }
}
