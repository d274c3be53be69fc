import Cryptography
import NodeCore
import Primitives
import StateTree
import Storage

/// A store that was made from a snapshot has no state to execute its first block on. What can be checked without is:
/// who finalised the blocks, that they follow one another and hold what their headers say, that each header certifies
/// the receipts stored for its parent, and that the values are exactly those that the head's header certifies.
extension ChainVerifier {
    func runFromSnapshot(progress: (Height, Height) -> Void) throws -> Result {
        let base = try store.base()
        guard let head = try store.head(), head.height >= base else {
            throw Failure(height: base, reason: "it is missing")
        }
        let links = try store.links()
        var nextLink = 0
        var trusted = TrustedSet(genesis: genesis)
        var transactions: UInt64 = 0
        var parent: (header: Header, digest: Digest)?
        var height = base
        while height <= head.height {
            func fail(_ reason: String) -> Failure { Failure(height: height, reason: reason) }
            guard let finalized = try store.block(at: height) else { throw fail("it is missing") }
            let header = finalized.block.header
            let digest = header.digest(genesis: genesis.hash)
            guard finalized.block.isBoundByHeader else { throw fail("its body is not what its header says") }
            if let parent {
                guard header.parent == parent.digest else { throw fail("its parent is another block") }
                // The receipts of the base's parent are not here, those of every later one are.
                guard let receipts = try store.receipts(at: parent.header.height) else {
                    throw fail("the receipts of its parent are missing")
                }
                guard Receipt.root(receipts) == header.receiptsRoot else {
                    throw fail("the stored receipts of its parent are not those that its header certifies")
                }
            }
            while nextLink < links.count, links[nextLink].header.epoch < header.epoch {
                do { try trusted.follow(links[nextLink]) } catch { throw fail("a link before it is wrong: \(error)") }
                nextLink += 1
            }
            if let finalization = finalized.finalization {
                do { try trusted.check(header, finalization: finalization) } catch { throw fail("\(error)") }
            } else if height == head.height || height == base {
                throw fail("it has no Finalization of its own")
            }
            transactions += UInt64(finalized.block.transactions.count)
            parent = (header, digest)
            if height.value % 100 == 0 || height == head.height { progress(height, head.height) }
            height = height.next
        }
        guard let last = parent, last.digest == head.digest else {
            throw Failure(height: head.height, reason: "it does not have the digest of the head")
        }
        try checkState(last.header)
        return Result(
            height: head.height, digest: head.digest, time: last.header.time, stateRoot: last.header.stateRoot,
            transactions: transactions, base: base,
            unchecked: "This node joined by a snapshot at height \(base): blocks below it are not here, and those from "
                + "it on were not executed again, since the state before them is gone. A node with the whole chain can.")
    }

    /// The values, hashed again, have the root that the header certifies, and so has the stored tree.
    private func checkState(_ header: Header) throws {
        var pairs: [(path: Digest, valueHash: Digest)] = []
        try store.everyValue { key, value in pairs.append((key.path, StateTree.valueHash(value))) }
        let root = try StateTree.root(of: pairs)
        guard root == header.stateRoot else {
            throw Failure(
                height: header.height, reason: "the stored values have root \(root), the header \(header.stateRoot)")
        }
        let reader = StateLayer(stored: header.stateRoot, store: store)
        for pair in pairs {
            let found = try StateTree.prove(reader: reader, path: pair.path)
            guard found.valueHash == pair.valueHash,
                found.proof.verify(root: root, path: pair.path, valueHash: pair.valueHash)
            else { throw Failure(height: header.height, reason: "the stored tree lacks the value at \(pair.path)") }
        }
    }
}
