import Cryptography
import Glibc

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
        } else if let network = remoteIP.flatMap(Self.network), !(sparesLoopback && network.isLoopback) {
            self = .address(network.name)
        } else if let tlsKey {
            self = .process(tlsKey)
        } else {
            return nil
        }
    }

    package var description: String {
        switch self {
        case .masternode(let key): "masternode \(key)"
        case .address(let name): "address \(name)"
        case .process(let key): "local process \(key)"
        }
    }

    /// The part of an address that stands for its holder; nil for what is no IP address.
    static func network(_ ip: String) -> (name: String, isLoopback: Bool)? {
        var v4 = in_addr()
        if inet_pton(AF_INET, ip, &v4) == 1 {
            return networkOfV4(withUnsafeBytes(of: &v4) { Array($0) })
        }
        var v6 = in6_addr()
        // A link-local address comes with its interface.
        guard inet_pton(AF_INET6, String(ip.prefix { $0 != "%" }), &v6) == 1 else { return nil }
        let bytes = withUnsafeBytes(of: &v6) { Array($0) }
        let mapped: [UInt8] = Array(repeating: 0, count: 10) + [0xff, 0xff]
        if bytes.starts(with: mapped) { return networkOfV4(Array(bytes.suffix(4))) }
        let groups = stride(from: 0, to: 8, by: 2).map { index in
            String(UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1]), radix: 16)
        }
        let isLoopback = bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
        return (groups.joined(separator: ":") + "::/64", isLoopback)
    }

    private static func networkOfV4(_ bytes: [UInt8]) -> (name: String, isLoopback: Bool) {
        (bytes.map(String.init).joined(separator: "."), bytes.first == 127)
    }
}
