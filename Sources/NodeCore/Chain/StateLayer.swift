import Cryptography
import Ledger
import Primitives
import StateTree

/// What the node reads of its store: the state that the newest finalised header certifies.
public protocol StateSource: AnyObject {
    func value(_ key: StateKey) throws -> [UInt8]?
    func page(_ key: [UInt8]) throws -> [UInt8]?
}

/// The state after one block: what the block changed, over the state before it.
///
/// Layers form chains down to the store. Once the store holds a layer, ``sink()`` lets go of it, so a chain is never
/// longer than the blocks that are not final.
package final class StateLayer: StateReader, PageReader {
    /// What the block changed, nil for what it removed.
    package let values: [StateKey: [UInt8]?]
    private let pages: [[UInt8]: [UInt8]?]
    private var below: StateLayer?
    private let store: any StateSource
    package let root: Digest

    init(delta: StateDelta, tree: TreeUpdate, below: StateLayer?, store: any StateSource) {
        values = Dictionary(delta.changes.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
        var pages: [[UInt8]: [UInt8]?] = [:]
        for key in tree.removals { pages.updateValue(nil, forKey: key.bytes) }
        for (key, page) in tree.puts { pages.updateValue(page, forKey: key.bytes) }
        self.pages = pages
        self.below = below
        self.store = store
        root = tree.root
    }

    /// The state that the store holds.
    package init(stored root: Digest, store: any StateSource) {
        values = [:]
        pages = [:]
        below = nil
        self.store = store
        self.root = root
    }

    /// The store now holds everything below this layer.
    package func sink() { below = nil }

    package func value(_ key: StateKey) throws -> [UInt8]? {
        var layer: StateLayer? = self
        while let current = layer {
            if let change = current.values[key] { return change }
            layer = current.below
        }
        return try store.value(key)
    }

    package func page(_ key: NodeKey) throws -> [UInt8]? {
        let bytes = key.bytes
        var layer: StateLayer? = self
        while let current = layer {
            if let change = current.pages[bytes] { return change }
            layer = current.below
        }
        return try store.page(bytes)
    }
}
