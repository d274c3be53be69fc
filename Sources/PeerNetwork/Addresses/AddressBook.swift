import Cryptography
import Primitives

/// Where masternodes listen, for those that are admitted alone, at most two addresses each.
///
/// An endorsement has no date. So the address that a masternode itself gave in the last connection with it goes first;
/// beside it, one more that others passed on is tried. An address that was passed on gives way to another one only
/// after it was dialled in vain: else whoever repeats old endorsements could push out the one that is right.
package struct AddressBook {
    package static let addressesPerKey = 2

    package struct Entry: Equatable {
        package let address: EndorsedAddress
        package let target: PeerAddress
        /// The masternode gave it in a connection.
        package let isConfirmed: Bool
        package fileprivate(set) var hasFailed = false
    }

    private let limit: Int
    private var entries: [PublicKey: [Entry]] = [:]

    /// - Parameter limit: masternodes.
    package init(limit: Int) { self.limit = max(0, limit) }

    /// Masternodes with an address.
    package var count: Int { entries.count }

    /// What to dial, the likeliest first.
    package func targets(of key: PublicKey) -> [PeerAddress] { entries[key]?.map(\.target) ?? [] }

    /// Where masternodes are said to listen.
    package var hosts: [String] { entries.values.flatMap { $0.map(\.target.host) } }

    /// All entries by key, for the file.
    package var all: [Entry] { entries.sorted { $0.key < $1.key }.flatMap(\.value) }

    /// The masternode itself said so just now. Returns whether the book has changed.
    package mutating func confirm(_ address: EndorsedAddress) -> Bool {
        guard let target = address.target, hasRoom(for: address.consensusKey) else { return false }
        let entry = Entry(address: address, target: target, isConfirmed: true)
        guard entries[address.consensusKey] != [entry] else { return false }
        entries[address.consensusKey] = [entry]
        return true
    }

    /// Whether the address, if it is genuine, would be taken: asked before its signature is checked.
    package func wants(_ address: EndorsedAddress) -> Bool {
        guard let target = address.target, hasRoom(for: address.consensusKey) else { return false }
        let present = entries[address.consensusKey] ?? []
        // An address that is there says nothing new, whichever process endorsed it.
        guard !present.contains(where: { $0.target == target }) else { return false }
        return present.count < Self.addressesPerKey || present.contains(where: \.isReplaceable)
    }

    /// Takes a genuine address that somebody passed on. Returns whether the book has changed.
    package mutating func add(_ address: EndorsedAddress) -> Bool {
        guard wants(address), let target = address.target else { return false }
        var present = entries[address.consensusKey] ?? []
        if present.count >= Self.addressesPerKey, let index = present.firstIndex(where: \.isReplaceable) {
            present.remove(at: index)
        }
        present.append(Entry(address: address, target: target, isConfirmed: false))
        entries[address.consensusKey] = present
        return true
    }

    /// Nobody who holds the key answered there.
    package mutating func failed(_ target: PeerAddress) {
        guard let key = target.consensusKey, let index = entries[key]?.firstIndex(where: { $0.target == target }) else {
            return
        }
        entries[key]?[index].hasFailed = true
    }

    /// Forgets all others. Returns whether the book has changed.
    package mutating func keep(only keys: Set<PublicKey>) -> Bool {
        let kept = entries.filter { keys.contains($0.key) }
        defer { entries = kept }
        return kept.count != entries.count
    }

    /// One address of each masternode, or of as many drawn ones as fit into an answer.
    package func answer(using generator: inout some RandomNumberGenerator) -> AddressAnswer {
        let first = entries.keys.sorted().compactMap { entries[$0]?.first?.address }
        return AddressAnswer(first.count <= AddressAnswer.longest ? first : first.shuffled(using: &generator))
    }

    private func hasRoom(for key: PublicKey) -> Bool { entries[key] != nil || entries.count < limit }
}

extension AddressBook.Entry {
    fileprivate var isReplaceable: Bool { !isConfirmed && hasFailed }
}
