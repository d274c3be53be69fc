import Cryptography
import Encoding
import Testing

@Suite(.timeLimit(.minutes(20))) struct MerkleLogTests {
    /// The eight leaves that certificate transparency implementations share, and the roots of their prefixes.
    @Test func rootVectors() throws {
        let entries = [
            "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
        ]
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ]
        let leaves = try entries.map { MerkleLog.leafHash(try hex($0)) }
        for (size, root) in roots.enumerated() {
            #expect(MerkleLog.root(Array(leaves.prefix(size))).hex == root, "size \(size)")
        }
    }

    /// Section 2.1.1 of RFC 9162 as it is written, to compare the frontier with.
    private func recursiveRoot(_ leaves: ArraySlice<Digest>) -> Digest {
        guard let first = leaves.first else { return MerkleLog.emptyRoot }
        if leaves.count == 1 { return first }
        var k = 1
        while k * 2 < leaves.count { k *= 2 }
        let middle = leaves.startIndex + k
        return MerkleLog.nodeHash(recursiveRoot(leaves[..<middle]), recursiveRoot(leaves[middle...]))
    }

    private let leaves = (0..<64).map { MerkleLog.leafHash(UInt64($0).borsh) }

    @Test func frontiersGiveTheRootsAndRoundTrip() throws {
        var frontier = MerkleFrontier()
        for size in 0...leaves.count {
            #expect(frontier.size == UInt64(size))
            #expect(frontier.root == recursiveRoot(leaves.prefix(size)), "size \(size)")
            #expect(try MerkleFrontier(borsh: frontier.borsh) == frontier)
            if size < leaves.count { frontier.append(leaves[size]) }
        }
        #expect(throws: BorshError.self) { try MerkleFrontier(borsh: UInt64.max.borsh + [1, 2, 3]) }
    }

    @Test func inclusionForAllSizesAndMutations() throws {
        for size in 1...64 {
            let tree = Array(leaves.prefix(size))
            let root = MerkleLog.root(tree)
            for index in 0..<size {
                let proof = try #require(MerkleLog.inclusionProof(tree, index: index))
                func verifies(
                    leaf: Digest? = nil, index i: Int? = nil, size s: Int? = nil, proof p: [Digest]? = nil,
                    root r: Digest? = nil
                ) -> Bool {
                    MerkleLog.verifyInclusion(
                        leaf: leaf ?? tree[index], index: UInt64(i ?? index), size: UInt64(s ?? size), proof: p ?? proof,
                        root: r ?? root)
                }
                #expect(verifies(), "\(index) of \(size)")
                var mutations = [
                    verifies(leaf: .zero), verifies(root: .zero), verifies(index: size), verifies(proof: proof + [.zero]),
                    !proof.isEmpty && verifies(proof: Array(proof.dropLast())),
                ]
                for other in 0..<size where other != index { mutations.append(verifies(index: other)) }
                for position in proof.indices {
                    var changed = proof
                    changed[position] = changed[position].flipped(position)
                    mutations.append(verifies(proof: changed))
                }
                #expect(!mutations.contains(true), "\(index) of \(size)")
            }
            #expect(MerkleLog.inclusionProof(tree, index: size) == nil)
            #expect(MerkleLog.inclusionProof(tree, index: -1) == nil)
        }
        #expect(!MerkleLog.verifyInclusion(leaf: .zero, index: 0, size: 0, proof: [], root: MerkleLog.emptyRoot))
    }

    @Test func consistencyForAllSizesAndMutations() throws {
        let roots = (0...64).map { MerkleLog.root(Array(leaves.prefix($0))) }
        for size in 1...64 {
            let tree = Array(leaves.prefix(size))
            for old in 1...size {
                let proof = try #require(MerkleLog.consistencyProof(tree, oldSize: old))
                func verifies(
                    old o: Int? = nil, oldRoot: Digest? = nil, newRoot: Digest? = nil, proof p: [Digest]? = nil
                ) -> Bool {
                    MerkleLog.verifyConsistency(
                        oldSize: UInt64(o ?? old), oldRoot: oldRoot ?? roots[old], newSize: UInt64(size),
                        newRoot: newRoot ?? roots[size], proof: p ?? proof)
                }
                #expect(verifies(), "\(old) in \(size)")
                var mutations = [
                    verifies(oldRoot: .zero), verifies(newRoot: .zero), verifies(proof: proof + [.zero]),
                    verifies(old: size + 1), verifies(old: 0),
                    !proof.isEmpty && verifies(proof: Array(proof.dropLast())),
                ]
                for position in proof.indices {
                    var changed = proof
                    changed[position] = changed[position].flipped(255 - position)
                    mutations.append(verifies(proof: changed))
                }
                #expect(!mutations.contains(true), "\(old) in \(size)")
            }
            #expect(MerkleLog.consistencyProof(tree, oldSize: 0) == nil)
            #expect(MerkleLog.consistencyProof(tree, oldSize: size + 1) == nil)
        }
    }
}

extension Digest {
    func flipped(_ bit: Int) -> Digest {
        var changed = bytes
        changed[bit / 8] ^= 0x80 >> UInt8(bit % 8)
        return Digest(changed) ?? .zero
    }
}
