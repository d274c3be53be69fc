import ChainClient
import Foundation

/// What the nodes on this machine, and this program, take of it. Nodes elsewhere are left out; where one of this machine
/// can't be found, all are, since a sum that lacks it would pass for that of all.
struct LoadMachine: Sendable {
    /// The process that listens at each address; nil where there is none on this machine.
    private let processes: [Int32?]

    init(_ addresses: [NodeAddress]) {
        let ports = addresses.map { address -> Int? in
            guard let parts = URLComponents(string: address.url), let port = parts.port,
                ["127.0.0.1", "localhost", "[::1]", "::1"].contains(parts.host ?? "")
            else { return nil }
            return port
        }
        let found = ports.map { $0.flatMap(Self.listener) }
        let isComplete = zip(ports, found).allSatisfy { $0 == nil || $1 != nil }
        processes = isComplete ? found : ports.map { _ in nil }
    }

    struct Reading: Sendable {
        struct Node: Sendable {
            var cpuSeconds: Double
            var memoryBytes: UInt64
            var storedBytes: UInt64
            var sentBytes: UInt64
        }

        var nodes: [Node?]
        var ownSeconds: Double
        var at: ContinuousClock.Instant

        func since(_ before: Reading) -> Use {
            Use(
                nodes: zip(nodes, before.nodes).map { now, then in
                    guard let now, let then else { return nil }
                    return Node(
                        cpuSeconds: now.cpuSeconds - then.cpuSeconds, memoryBytes: now.memoryBytes,
                        storedBytes: now.storedBytes - min(now.storedBytes, then.storedBytes),
                        sentBytes: now.sentBytes - min(now.sentBytes, then.sentBytes))
                }, ownSeconds: ownSeconds - before.ownSeconds,
                seconds: LoadBook.milliseconds(at - before.at) / 1_000)
        }
    }

    /// Between two readings.
    struct Use: Sendable {
        let nodes: [Reading.Node?]
        let ownSeconds: Double
        let seconds: Double
    }

    func reading(_ clients: [ChainClient]) async -> Reading {
        var nodes: [Reading.Node?] = []
        for (process, client) in zip(processes, clients) {
            guard let process else {
                nodes.append(nil)
                continue
            }
            nodes.append(
                Reading.Node(
                    cpuSeconds: Self.cpuSeconds(process), memoryBytes: Self.peakMemory(process),
                    storedBytes: Self.field("write_bytes:", of: "/proc/\(process)/io"),
                    sentBytes: Self.sentBytes((try? await client.metrics()) ?? "")))
        }
        return Reading(nodes: nodes, ownSeconds: Self.cpuSeconds(getpid()), at: .now)
    }

    private static func sentBytes(_ metrics: String) -> UInt64 {
        let name = "edgeproof_peer_bytes_sent_total "
        return metrics.split(separator: "\n").first { $0.hasPrefix(name) }.flatMap { UInt64($0.dropFirst(name.count)) } ?? 0
    }

    /// User and system time of a process; 0 when there is none (proc(5)).
    private static func cpuSeconds(_ process: Int32) -> Double {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return 0 }
        // After the name, which may hold spaces: the fields from the third on.
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private static func peakMemory(_ process: Int32) -> UInt64 { field("VmHWM:", of: "/proc/\(process)/status") * 1_024 }

    private static func field(_ name: String, of file: String) -> UInt64 {
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return 0 }
        for line in text.split(separator: "\n") where line.hasPrefix(name) {
            return line.dropFirst(name.count).split(whereSeparator: { $0 == " " || $0 == "\t" }).first.flatMap { UInt64($0) } ?? 0
        }
        return 0
    }

    /// The kernel writes its table of sockets in pieces, between which the table changes: a line can be missed.
    private static let tries = 10

    private static func listener(on port: Int) -> Int32? {
        (0..<tries).lazy.compactMap { _ in process(listeningOn: port) }.first
    }

    /// The process that listens on a port: the socket from the kernel's table, its owner from the processes' descriptors.
    private static func process(listeningOn port: Int) -> Int32? {
        let suffix = ":" + String(format: "%04X", port)
        var inodes: Set<Substring> = []
        for file in ["/proc/net/tcp", "/proc/net/tcp6"] {
            guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { continue }
            for line in text.split(separator: "\n").dropFirst() {
                let fields = line.split(separator: " ")
                // 0A is the state of a socket that listens.
                if fields.count > 9, fields[1].hasSuffix(suffix), fields[3] == "0A" { inodes.insert(fields[9]) }
            }
        }
        let names = Set(inodes.map { "socket:[\($0)]" })
        let files = FileManager.default
        for process in (try? files.contentsOfDirectory(atPath: "/proc"))?.compactMap({ Int32($0) }) ?? [] {
            let folder = "/proc/\(process)/fd"
            for descriptor in (try? files.contentsOfDirectory(atPath: folder)) ?? [] {
                if let target = try? files.destinationOfSymbolicLink(atPath: "\(folder)/\(descriptor)"), names.contains(target) {
                    return process
                }
            }
        }
        return nil
    }
}
