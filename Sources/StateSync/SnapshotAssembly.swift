import Cryptography
import Primitives
import StateTree

/// The tree over the leaves that a join has proven, as it grows: what is stored is the state that the head certifies, or
/// the node does not start with it, whatever happened on the way to the disk.
package struct SnapshotAssembly: Sendable {
    /// What the tree's root will be.
    private let root: Digest
    private var reached = StateTree.emptyRoot

    package init(root: Digest) { self.root = root }

    /// - Parameter reader: the pages that were stored so far.
    /// - Returns: what these leaves change in the stored pages.
    package mutating func add(
        _ leaves: [StateChunk.Leaf], to reader: some PageReader
    ) throws(StateTreeError) -> TreeUpdate {
        let update = try StateTree.update(
            reader: reader, changes: leaves.map { ($0.key.path, StateTree.valueHash($0.value)) })
        reached = update.root
        return update
    }

    package struct Mismatch: Error, CustomStringConvertible {
        let reached: Digest
        let root: Digest

        package var description: String {
            "the state that was stored has root \(reached), the header certifies \(root): check the disk"
        }
    }

    /// All leaves were added.
    package func finish() throws(Mismatch) {
        guard reached == root else { throw Mismatch(reached: reached, root: root) }
    }
}
