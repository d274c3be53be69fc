import Foundation
import Synchronization

/// TCP ports of loopback that nobody listened on a moment ago, each given out once by this process.
///
/// They lie below the range from which the kernel takes the ports of outgoing connections: such a connection of any
/// program could else take a port between its choice here and the start of the node that is to listen there.
public enum FreePorts {
    private static let range = 20_000..<32_000
    private static let given = Mutex<Set<Int>>([])

    public static func take(_ count: Int) throws -> [Int] {
        try given.withLock { given in
            var ports: [Int] = []
            var candidate = Int.random(in: range)
            var tries = 0
            while ports.count < count {
                tries += 1
                guard tries <= range.count else { throw POSIXError(.EADDRINUSE) }
                candidate = candidate + 1 < range.upperBound ? candidate + 1 : range.lowerBound
                guard !given.contains(candidate), canListen(candidate) else { continue }
                given.insert(candidate)
                ports.append(candidate)
            }
            return ports
        }
    }

    private static func canListen(_ port: Int) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
