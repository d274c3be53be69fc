import CEd25519
import Synchronization

/// A key made ready for many checks, each of which then costs two fifths. Takes 10 kB.
final class PreparedKey: @unchecked Sendable {  // Written before anybody else has it, and never again.
    private let content: UnsafeMutablePointer<ced_key>

    init(_ point: ced_point) {
        content = .allocate(capacity: 1)
        var point = point
        ced_prepare_key(content, &point)
    }

    deinit { content.deallocate() }

    /// Whether the equation of one signature holds. Answer and challenge have 32 bytes each.
    func holds(_ r: inout ced_point, answer: UnsafePointer<UInt8>, challenge: UnsafePointer<UInt8>) -> Bool {
        ced_equation_holds_for(content, &r, answer, challenge) == 1
    }
}

/// Keys that are checked one by one again and again: those of masternodes, whose votes come alone, and of busy senders.
///
/// A key is prepared when it comes a second time, which costs as much as a check. It has one place in a table of fixed size:
/// who sends many keys takes places from others, and makes a check cost twice what it may, no more than it costs anyway
/// without a table. Results don't depend on what is in it.
final class PreparedKeys: Sendable {
    static let shared = PreparedKeys(places: 1_024, decoded: .shared)

    private let mask: Int
    private let decoded: DecodedKeys
    private let table: Mutex<[(words: Words256, key: PreparedKey)?]>

    /// - Parameter places: a power of two.
    init(places: Int, decoded: DecodedKeys) {
        precondition(places > 0 && places & (places - 1) == 0)
        mask = places - 1
        self.decoded = decoded
        table = Mutex(Array(repeating: nil, count: places))
    }

    private func place(of key: PublicKey) -> Int { Int(truncatingIfNeeded: key.words.b) & mask }

    /// Nil for a key that was not seen before.
    func key(_ key: PublicKey) -> PreparedKey? {
        let place = place(of: key)
        if let found = table.withLock({ table in table[place].flatMap { $0.words == key.words ? $0.key : nil } }) {
            return found
        }
        guard let point = decoded.known(key) else { return nil }
        let prepared = PreparedKey(point)
        table.withLock { $0[place] = (key.words, prepared) }
        return prepared
    }

    /// Whether ``key(_:)`` is there or can be made at once.
    func hasSeen(_ key: PublicKey) -> Bool {
        table.withLock { $0[place(of: key)]?.words == key.words } || decoded.known(key) != nil
    }
}
