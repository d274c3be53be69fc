import Cryptography

/// Pages that updates have made or met, as they stand in memory: the next update needs not read, decode and hash them again.
///
/// A page is found by the hash of its top, which says all that it holds and where it stands: so what is found is right,
/// whichever version of the tree it was put here for. An update takes a page out, changes it in its place, and puts it back
/// under its new hash; where two versions follow the same one, the second reads what the first has taken.
///
/// Bounded: two generations, of which the older is let go of when the newer is full.
public final class PageCache {
    private let generation: Int
    private var newer: [Digest: TreePage] = [:]
    private var older: [Digest: TreePage] = [:]

    /// - Parameter generation: at least 1. Twice as many pages are held at most, of 1.6 kB each.
    public init(generation: Int = 4_096) { self.generation = max(1, generation) }

    /// Pages that are held.
    public var count: Int { newer.count + older.count }

    /// The page whose top has this hash, which is not here any more then.
    func take(_ hash: Digest) -> TreePage? { newer.removeValue(forKey: hash) ?? older.removeValue(forKey: hash) }

    func put(_ page: TreePage) {
        if newer.count >= generation { (older, newer) = (newer, [:]) }
        newer[page.hash] = page
    }
}
