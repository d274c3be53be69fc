import Cryptography
import Encoding
import StateTree
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(20))) struct ProofTests {
    @Test(arguments: [11, 12] as [UInt64])
    func proofsVerifyAndEverySingleBitMatters(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var tree = MemoryTree()
        for _ in 0..<4 {
            let known = tree.pairs.keys.sorted()
            var batch: [Digest: Digest] = [:]
            for _ in 0..<6 {
                let near = known.isEmpty ? nil : known[generator.below(known.count)].flipped(generator.below(24))
                batch[near ?? generator.digest()] = generator.digest()
            }
            try tree.update(batch.map { ($0.key, $0.value) })
        }
        let root = tree.modelRoot
        let known = tree.pairs.keys.sorted()
        let absent = (0..<6).map { _ in generator.digest() } + known.prefix(4).map { $0.flipped(generator.below(256)) }
        for path in known + absent {
            let (valueHash, proof) = try StateTree.prove(reader: tree, path: path)
            let context: Comment = "seed \(seed), path \(path)"
            #expect(valueHash == tree.pairs[path], context)
            #expect(proof.verify(root: root, path: path, valueHash: valueHash), context)
            #expect(!proof.verify(root: root, path: path, valueHash: valueHash == nil ? .zero : nil), context)
            let bytes = proof.borsh
            #expect(try StateProof(borsh: bytes) == proof, context)

            var accepted: [String] = []
            for bit in 0..<bytes.count * 8 {
                var changed = bytes
                changed[bit / 8] ^= 1 << UInt8(bit % 8)
                guard let mutated = try? StateProof(borsh: changed) else { continue }
                if mutated.verify(root: root, path: path, valueHash: valueHash) { accepted.append("proof bit \(bit)") }
            }
            for bit in 0..<256 {
                if proof.verify(root: root.flipped(bit), path: path, valueHash: valueHash) {
                    accepted.append("root bit \(bit)")
                }
                if let valueHash, proof.verify(root: root, path: path, valueHash: valueHash.flipped(bit)) {
                    accepted.append("value bit \(bit)")
                }
                // A proof that nothing is below a prefix speaks for all its paths: what verifies must be true.
                let other = path.flipped(bit)
                if proof.verify(root: root, path: other, valueHash: valueHash),
                    valueHash != nil || tree.pairs[other] != nil
                {
                    accepted.append("path bit \(bit)")
                }
            }
            #expect(accepted.isEmpty, context)
            // Another proof for the same claim, longer or shorter.
            for siblings in [Array(proof.siblings.dropLast()), Array(proof.siblings.dropFirst()),
                proof.siblings + [StateTree.emptyRoot], [StateTree.emptyRoot] + proof.siblings]
            where siblings != proof.siblings {
                var encoder = BorshEncoder()
                encoder.fixed(bytes.prefix(bytes.count - 4 - 32 * proof.siblings.count))
                encoder.array(siblings)
                let mutated = try? StateProof(borsh: encoder.bytes)
                #expect(mutated?.verify(root: root, path: path, valueHash: valueHash) != true, context)
            }
        }
    }

    @Test func emptyTreeAndBounds() throws {
        let path = Digest(sha256: [])
        let (valueHash, proof) = try StateTree.prove(reader: EmptyTree(), path: path)
        #expect(valueHash == nil && proof.borsh == [1, 0, 0, 0, 0])
        #expect(proof.verify(root: StateTree.emptyRoot, path: path, valueHash: nil))
        #expect(!proof.verify(root: StateTree.emptyRoot, path: path, valueHash: .zero))
        // 256 siblings are the most, and a leaf of the claimed path proves no absence.
        let most = [0, 0, 1, 0, 0] + [UInt8](repeating: 1, count: 256 * 32)
        #expect(try StateProof(borsh: most).siblings.count == 256)
        #expect(!(try StateProof(borsh: most).verify(root: .zero, path: path, valueHash: .zero)))
        #expect(throws: BorshError.self) { try StateProof(borsh: [0, 1, 1, 0, 0] + [UInt8](repeating: 1, count: 257 * 32)) }
        let own = try StateProof(borsh: [2] + path.bytes + Digest.zero.bytes + [0, 0, 0, 0])
        let root = Digest(domain: "edgeproof/state-leaf/1", parts: path.bytes, Digest.zero.bytes)
        #expect(!own.verify(root: root, path: path, valueHash: nil))
        #expect(own.verify(root: root, path: .zero, valueHash: nil))
        // Beside a leaf, or nothing, there is something in every map: a root for which that is not so is none of one.
        let leaf = Digest(domain: "edgeproof/state-leaf/1", parts: Digest.zero.bytes, Digest.zero.bytes)
        let nothing = StateTree.emptyRoot
        let lone = Digest(domain: "edgeproof/state-inner/1", parts: leaf.bytes, nothing.bytes)
        let beside = try StateProof(borsh: [0, 1, 0, 0, 0] + nothing.bytes)
        #expect(!beside.verify(root: lone, path: .zero, valueHash: .zero))
        let hollow = Digest(domain: "edgeproof/state-inner/1", parts: nothing.bytes, nothing.bytes)
        let between = try StateProof(borsh: [1, 1, 0, 0, 0] + nothing.bytes)
        #expect(!between.verify(root: hollow, path: .zero, valueHash: nil))
        for tag: UInt8 in [3, 255] { #expect(throws: BorshError.self) { try StateProof(borsh: [tag, 0, 0, 0, 0]) } }
    }
}
