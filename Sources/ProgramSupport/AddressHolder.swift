import Glibc

/// The part of an IP address that stands for whoever has it: an IPv4 address, or the first 64 bits of an IPv6 one, which
/// is what one subscriber gets. Limits for each address are limits for each of these.
public struct AddressHolder: Hashable, Sendable {
    public let name: String
    /// What one holder may have many of: the first 48 bits of an IPv6 address, which a site gets, or all of an IPv4 one.
    public let site: String
    /// The networks that it lies in, beyond itself, the narrower first: of an IPv6 address the first 56 and 48 bits, which
    /// providers give to one subscriber as well.
    public let wider: [String]
    /// Of this machine. Where a reverse proxy runs on it, everybody comes from there.
    public let isLoopback: Bool

    public static func == (lhs: AddressHolder, rhs: AddressHolder) -> Bool { lhs.name == rhs.name }
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }

    /// Nil for what is no IP address.
    public init?(_ ip: String) {
        var v4 = in_addr()
        if inet_pton(AF_INET, ip, &v4) == 1 {
            self.init(v4: withUnsafeBytes(of: &v4) { Array($0) })
            return
        }
        var v6 = in6_addr()
        // A link-local address comes with its interface.
        guard inet_pton(AF_INET6, String(ip.prefix { $0 != "%" }), &v6) == 1 else { return nil }
        let bytes = withUnsafeBytes(of: &v6) { Array($0) }
        let mapped: [UInt8] = Array(repeating: 0, count: 10) + [0xff, 0xff]
        if bytes.starts(with: mapped) {
            self.init(v4: Array(bytes.suffix(4)))
            return
        }
        let groups = stride(from: 0, to: 8, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
        func network(_ groups: some Sequence<UInt16>, _ bits: Int) -> String {
            groups.map { String($0, radix: 16) }.joined(separator: ":") + "::/\(bits)"
        }
        let site = network(groups.prefix(3), 48)
        self.init(
            name: network(groups, 64), site: site,
            wider: [network(groups.prefix(3) + groups.suffix(1).map { $0 & 0xff00 }, 56), site],
            isLoopback: bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1)
    }

    private init(v4 bytes: [UInt8]) {
        let name = bytes.map(String.init).joined(separator: ".")
        self.init(name: name, site: name, wider: [], isLoopback: bytes.first == 127)
    }

    private init(name: String, site: String, wider: [String], isLoopback: Bool) {
        self.name = name
        self.wider = wider
        self.site = site
        self.isLoopback = isLoopback
    }
}
