import CEd25519
import Synchronization

/// A key made ready for many checks, each of which then costs a third, and a tenth in company. Takes 8 kB.
final class PreparedKey: @unchecked Sendable {  // Written before anybody else has it, and never again.
    /// Entries begin where cache lines do.
    private let content: UnsafeMutablePointer<ced_key>

    init(_ point: ced_point) {
        content = UnsafeMutableRawPointer.allocate(byteCount: MemoryLayout<ced_key>.size, alignment: 64)
            .bindMemory(to: ced_key.self, capacity: 1)
        var point = point
        ced_prepare_key(content, &point)
    }

    deinit { UnsafeMutableRawPointer(content).deallocate() }

    /// Whether each of the claims, which are by these keys, holds by ``Ed25519Rule``. Each has an answer of its own, by no
    /// coefficients, so bad ones cost half as much again as good ones in company, and need no search.
    static func hold(_ claims: [SignatureClaim], keys: [PreparedKey]) -> [Bool] {
        precondition(claims.count == keys.count)
        var holds = [UInt8](repeating: 0, count: claims.count)
        withExtendedLifetime(keys) {
            ced_signatures_hold(
                &holds, keys.map { .init($0.content) }, Ed25519Rule.nonces(claims), Ed25519Rule.answers(claims),
                Ed25519Rule.challenges(claims), claims.count)
        }
        return holds.map { $0 == 1 }
    }

    /// Whether the claim, which is by this key, holds by ``Ed25519Rule``.
    func holds(_ claim: SignatureClaim) -> Bool {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { challenge in
            guard let k = challenge.baseAddress else { return false }
            Ed25519Rule.challenge(claim, into: k)
            return claim.signature.r.withBytes { r in
                claim.signature.s.withBytes { s in
                    guard let r = r.bindMemory(to: UInt8.self).baseAddress, let s = s.bindMemory(to: UInt8.self).baseAddress
                    else { return false }
                    var table = UnsafePointer<ced_key>?.some(.init(content))
                    var holds: UInt8 = 0
                    // The table may have another key in this one's place by now.
                    withExtendedLifetime(self) { ced_signatures_hold(&holds, &table, r, s, k, 1) }
                    return holds == 1
                }
            }
        }
    }
}

/// Keys that are checked again and again: those of masternodes, and of busy senders.
///
/// A key is prepared when it has come some times, so that what this costs is spread over as many checks. It has one of few
/// places in a table of fixed size, and who is seen there oftener than others keeps it: who sends many keys makes a check
/// cost twice what it may, no more than it costs anyway without a table. Results don't depend on what is in it.
final class PreparedKeys: Sendable {
    static let shared = PreparedKeys(sets: 256, decoded: .shared)

    /// Preparing costs as much as that many checks of the key can save in batches.
    private static let enough: UInt8 = 8
    /// So much oftener than others a key counts as seen at most: one that is no longer in use leaves.
    private static let most: UInt8 = 16
    private static let ways = 4

    /// Place by place.
    private struct Table {
        var words: [Words256]
        var keys: [PreparedKey?]
        /// How much oftener than others the key of that place was seen here; 0 where there is none.
        var worth: [UInt8]
    }

    private let mask: Int
    private let decoded: DecodedKeys
    private let table: Mutex<Table>

    /// - Parameter sets: a power of two. Each has four places.
    init(sets: Int, decoded: DecodedKeys) {
        precondition(sets > 0 && sets & (sets - 1) == 0)
        mask = sets - 1
        self.decoded = decoded
        let places = Self.ways * sets
        table = Mutex(
            Table(
                words: Array(repeating: .zero, count: places), keys: Array(repeating: nil, count: places),
                worth: Array(repeating: 0, count: places)))
    }

    private enum Seen {
        case prepared(PreparedKey)
        /// Often enough to be prepared now.
        case often(Int)
        case seldom
    }

    /// Notes that the key was seen.
    private func see(_ words: Words256, _ table: inout Table) -> Seen {
        // y coordinates are as good as random, but for keys that somebody chose.
        let first = Self.ways * (Int(truncatingIfNeeded: words.b) & mask)
        var weakest = first
        for place in first..<first + Self.ways {
            if table.words[place] == words, table.worth[place] > 0 {
                if table.worth[place] < Self.most { table.worth[place] += 1 }
                if let key = table.keys[place] { return .prepared(key) }
                return table.worth[place] >= Self.enough ? .often(place) : .seldom
            }
            if table.worth[place] < table.worth[weakest] { weakest = place }
        }
        if table.worth[weakest] > 0 { table.worth[weakest] -= 1 }
        if table.worth[weakest] == 0 {
            table.words[weakest] = words
            table.keys[weakest] = nil
            table.worth[weakest] = 1
        }
        return .seldom
    }

    /// Of each key what is prepared of it; nil for one that was not seen often.
    func keys<Keys: Collection<PublicKey>>(_ keys: Keys) -> [PreparedKey?] {
        /// Those to be prepared, by their place in the table, with where they stand among the keys.
        var often: [Int: (key: PublicKey, indices: [Int])] = [:]
        var found: [PreparedKey?] = table.withLock { table in
            keys.enumerated().map { index, key in
                switch see(key.words, &table) {
                case .prepared(let prepared): return prepared
                case .often(let place):
                    if often[place]?.key == key {
                        often[place]?.indices.append(index)
                    } else {
                        often[place] = (key, [index])
                    }
                    return nil
                case .seldom: return nil
                }
            }
        }
        for (place, (key, indices)) in often {
            guard let prepared = prepare(key, for: place) else { continue }
            for index in indices { found[index] = prepared }
        }
        return found
    }

    func key(_ key: PublicKey) -> PreparedKey? {
        switch table.withLock({ see(key.words, &$0) }) {
        case .prepared(let prepared): prepared
        case .often(let place): prepare(key, for: place)
        case .seldom: nil
        }
    }

    /// Nil where the key's bytes encode none.
    private func prepare(_ key: PublicKey, for place: Int) -> PreparedKey? {
        guard let point = decoded.point(of: key) else { return nil }
        let prepared = PreparedKey(point)
        table.withLock { table in
            // Unless another key, or another thread, came first.
            if table.words[place] == key.words, table.keys[place] == nil { table.keys[place] = prepared }
        }
        return prepared
    }
}
