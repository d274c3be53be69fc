import CEd25519
import Synchronization

/// The points of keys that were seen lately: to find one takes a tenth of a check's time, and most keys come back.
///
/// A table of fixed size in which a key has one place: who sends many keys takes places from others, and costs them a
/// decoding, no more. Results don't depend on what is in it.
final class DecodedKeys: Sendable {
    static let shared = DecodedKeys(places: 4_096)

    private let mask: Int
    private let table: Mutex<[Place?]>

    private struct Place: Sendable {
        let key: Words256
        let point: ced_point
    }

    /// - Parameter places: a power of two. A place takes 200 bytes.
    init(places: Int) {
        precondition(places > 0 && places & (places - 1) == 0)
        mask = places - 1
        table = Mutex(Array(repeating: nil, count: places))
    }

    private func place(of key: Words256) -> Int {
        // y coordinates are as good as random, but for keys that somebody chose.
        Int(truncatingIfNeeded: key.b) & mask
    }

    /// The key's point; nil where its bytes encode none.
    func point(of key: PublicKey) -> ced_point? {
        if let found = known(key) { return found }
        guard let point = Ed25519Rule.decode(key.words) else { return nil }
        remember([(key, point)])
        return point
    }

    func known(_ key: PublicKey) -> ced_point? {
        table.withLock { table in
            guard let found = table[place(of: key.words)], found.key == key.words else { return nil }
            return found.point
        }
    }

    func remember(_ keys: [(PublicKey, ced_point)]) {
        guard !keys.isEmpty else { return }
        table.withLock { table in
            for (key, point) in keys { table[place(of: key.words)] = Place(key: key.words, point: point) }
        }
    }
}
