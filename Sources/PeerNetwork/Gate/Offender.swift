import Cryptography
import ProgramSupport

/// Who answers for an offence: what a peer can't change at will.
///
/// A masternode answers by its key, so that others behind its address are left alone. A follower has no lasting key and
/// answers by its address, except on this machine: there everybody has the same one, and a follower answers by its
/// process's TLS key.
package enum Offender: Hashable, Sendable, CustomStringConvertible {
    case masternode(PublicKey)
    /// An IPv4 address, or the first 64 bits of an IPv6 one, which is what one subscriber gets.
    case address(String)
    case process(PublicKey)

    /// - Parameters:
    ///   - tlsKey: nil when the peer has not proved one.
    ///   - sparesLoopback: whether addresses of this machine answer for nothing.
    package init?(consensusKey: PublicKey?, tlsKey: PublicKey?, remoteIP: String?, sparesLoopback: Bool) {
        if let consensusKey {
            self = .masternode(consensusKey)
        } else if let holder = remoteIP.flatMap(AddressHolder.init), !(sparesLoopback && holder.isLoopback) {
            self = .address(holder.name)
        } else if let tlsKey {
            self = .process(tlsKey)
        } else {
            return nil
        }
    }

    /// Networks of which it is a part, with the part of its offences that count against all of each: whoever has a /48 of
    /// IPv6 has 65,536 networks to come back from.
    var wider: [(network: Offender, parts: Int)] {
        guard case .address(let name) = self, name.hasSuffix("/64"), let holder = AddressHolder(String(name.dropLast(3)))
        else { return [] }
        return zip(holder.wider, [4, 16]).map { (.address($0), $1) }
    }

    package var description: String {
        switch self {
        case .masternode(let key): "masternode \(key)"
        case .address(let name): "address \(name)"
        case .process(let key): "local process \(key)"
        }
    }
}
