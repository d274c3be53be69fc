import Synchronization

/// Memory for activations and gradients, aligned to cache lines. What is given back is kept for the next step, which
/// needs the same sizes again: a training loop asks the system for memory in its first step only.
final class BlockStorage: @unchecked Sendable {
    let base: UnsafeMutablePointer<Float>
    private let bytes: Int

    init(count: Int) {
        let bytes = max(1, (count * MemoryLayout<Float>.stride + 63) / 64) * 64
        self.bytes = bytes
        let memory = Self.shelf.withLock { $0.take(bytes) } ?? Shelved.allocate(bytes)
        base = memory.pointer.assumingMemoryBound(to: Float.self)
    }

    deinit {
        let memory = Shelved(pointer: UnsafeMutableRawPointer(base), bytes: bytes)
        if !Self.shelf.withLock({ $0.put(memory) }) { memory.pointer.deallocate() }
    }

    private struct Shelved: @unchecked Sendable {
        let pointer: UnsafeMutableRawPointer
        let bytes: Int

        static func allocate(_ bytes: Int) -> Shelved {
            Shelved(pointer: .allocate(byteCount: bytes, alignment: 64), bytes: bytes)
        }
    }

    /// Kept memory, by its size. Pieces of sizes that nobody asks for any more go when the shelf is full.
    private struct Shelf: Sendable {
        private var pieces: [Shelved] = []
        private var bytes = 0

        mutating func take(_ size: Int) -> Shelved? {
            guard let index = pieces.lastIndex(where: { $0.bytes == size }) else { return nil }
            bytes -= size
            return pieces.remove(at: index)
        }

        mutating func put(_ memory: Shelved) -> Bool {
            guard memory.bytes <= BlockStorage.keptBytes else { return false }
            while bytes + memory.bytes > BlockStorage.keptBytes || pieces.count >= 256, !pieces.isEmpty {
                let oldest = pieces.removeFirst()
                bytes -= oldest.bytes
                oldest.pointer.deallocate()
            }
            pieces.append(memory)
            bytes += memory.bytes
            return true
        }
    }

    /// In all: enough for the steps of the models that the repository has.
    private static let keptBytes = 512 << 20
    private static let shelf = Mutex(Shelf())
}
