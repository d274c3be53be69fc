import Glibc

/// The part of an IP address that stands for whoever has it: an IPv4 address, or the first 64 bits of an IPv6 one, which
/// is what one subscriber gets. Limits for each address are limits for each of these.
public struct AddressHolder: Hashable, Sendable {
    public let name: String
    /// Of this machine. Where a reverse proxy runs on it, everybody comes from there.
    public let isLoopback: Bool

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
        let groups = stride(from: 0, to: 8, by: 2).map { index in
            String(UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1]), radix: 16)
        }
        self.init(
            name: groups.joined(separator: ":") + "::/64",
            isLoopback: bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1)
    }

    private init(v4 bytes: [UInt8]) {
        self.init(name: bytes.map(String.init).joined(separator: "."), isLoopback: bytes.first == 127)
    }

    private init(name: String, isLoopback: Bool) {
        self.name = name
        self.isLoopback = isLoopback
    }
}
