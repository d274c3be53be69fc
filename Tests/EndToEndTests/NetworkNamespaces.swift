import Foundation
import Synchronization

/// Hosts of a network of their own: network namespaces with one address each, joined by a bridge. This process stands
/// on the bridge too, so that it reaches the hosts and can be what lies between them: each pair of hosts has an address
/// on the bridge, at which a ``FaultProxy`` takes and makes the pair's connections. What a host sends to that address
/// can be dropped without a word, by a blackhole route.
///
/// The addresses are of 198.18.0.0/15, which is set aside for tests (RFC 2544). Names carry this process's id, so that
/// what an earlier test left when it was killed is found, and removed.
final class NetworkNamespaces: Sendable {
    static let mostHosts = 9

    let hosts: Int
    private let prefix: String
    private let name: String
    private let subnet: String
    private let dropped = Mutex<Set<Drop>>([])

    private struct Drop: Hashable {
        let host: Int
        let address: String
    }

    private static let made = Mutex(0)

    init(hosts: Int) throws {
        precondition((2...Self.mostHosts).contains(hosts))
        let number = Self.made.withLock { made in
            made += 1
            return made
        }
        let letter = String(UnicodeScalar(UInt8(97 + number % 26)))
        let process = ProcessInfo.processInfo.processIdentifier
        self.hosts = hosts
        prefix = "edgp\(process)\(letter)"
        name = "edgeproof-\(process)-\(letter)"
        subnet = try Self.freeSubnet(from: Int(process) + number)
        do { try make() } catch {
            close()
            throw error
        }
    }

    /// Address of a host.
    func address(_ host: Int) -> String { "\(subnet).\(10 + host)" }

    /// Address of this process, as the two hosts see it where they look for each other.
    func between(_ first: Int, _ second: Int) -> String {
        "\(subnet).\(100 + 10 * min(first, second) + max(first, second))"
    }

    /// The command that runs a program on a host. It becomes that program, so signals reach it.
    func command(on host: Int, _ program: String, _ arguments: [String]) throws -> (program: URL, arguments: [String]) {
        (URL(filePath: try IP.path()), ["netns", "exec", namespace(host), program] + arguments)
    }

    // MARK: Faults

    /// Whether what `host` sends towards `other` vanishes. The other direction stays as it is.
    func drop(_ isDropped: Bool, from host: Int, towards other: Int) throws {
        let drop = Drop(host: host, address: between(host, other))
        let changed = dropped.withLock { isDropped ? $0.insert(drop).inserted : $0.remove(drop) != nil }
        guard changed else { return }
        try IP.run("-n", namespace(host), "route", isDropped ? "add" : "del", "blackhole", drop.address + "/32")
    }

    /// Whether the host's cable is in its socket.
    func plug(_ host: Int, _ isPlugged: Bool) throws {
        try IP.run("link", "set", link(host), isPlugged ? "up" : "down")
    }

    /// Ends all faults.
    func heal() throws {
        for first in 0..<hosts {
            try plug(first, true)
            for second in 0..<hosts where second != first { try drop(false, from: first, towards: second) }
        }
    }

    // MARK: Making and removing

    private func namespace(_ host: Int) -> String { "\(name)-\(host)" }
    private func link(_ host: Int) -> String { "\(prefix)\(host)" }
    private var bridge: String { "\(prefix)b" }

    private func make() throws {
        try IP.run("link", "add", bridge, "type", "bridge")
        try IP.run("addr", "add", "\(subnet).1/24", "dev", bridge)
        for first in 0..<hosts {
            for second in 0..<hosts where second > first {
                try IP.run("addr", "add", between(first, second) + "/24", "dev", bridge)
            }
        }
        try IP.run("link", "set", bridge, "up")
        for host in 0..<hosts {
            let namespace = namespace(host)
            try IP.run("netns", "add", namespace)
            try IP.run("link", "add", link(host), "type", "veth", "peer", "name", "eth0", "netns", namespace)
            try IP.run("link", "set", link(host), "master", bridge, "up")
            try IP.run("-n", namespace, "addr", "add", address(host) + "/24", "dev", "eth0")
            try IP.run("-n", namespace, "link", "set", "lo", "up")
            try IP.run("-n", namespace, "link", "set", "eth0", "up")
            // Nodes tell each other where they listen; here all that passes between them passes through this process.
            for other in 0..<hosts where other != host {
                try IP.run("-n", namespace, "route", "add", "blackhole", address(other) + "/32")
            }
        }
    }

    /// Removes everything; programs on the hosts must have ended.
    func close() {
        for host in 0..<hosts {
            _ = try? IP.run("link", "del", link(host))
            _ = try? IP.run("netns", "del", namespace(host))
        }
        _ = try? IP.run("link", "del", bridge)
    }

    private static func freeSubnet(from start: Int) throws -> String {
        for offset in 0..<512 {
            let number = (start + offset) % 512
            let subnet = "198.\(18 + number / 256).\(number % 256)"
            if try IP.run("-4", "route", "show", "root", subnet + ".0/24").isEmpty { return subnet }
        }
        throw IPFailure(command: "route show", detail: "all of 198.18.0.0/15 is in use on this machine")
    }

    // MARK: Whether it can be done here

    /// Why this machine can't do it, or nil. Also removes what tests that were killed have left.
    static let problem: String? = {
        guard geteuid() == 0 else { return "network namespaces need root" }
        do {
            try removeLeftovers()
            let probe = try NetworkNamespaces(hosts: 2)
            defer { probe.close() }
            try probe.drop(true, from: 0, towards: 1)
            let (_, arguments) = try probe.command(on: 0, "true", [])
            try IP.run(arguments)
            return nil
        } catch { return "\(error)" }
    }()

    static var isPossible: Bool {
        guard let problem else { return true }
        print("network namespaces can't be made here, so their tests are skipped: \(problem)")
        return false
    }

    private static func removeLeftovers() throws {
        func isGone(_ digits: Substring) -> Bool { Int32(digits).map { kill($0, 0) != 0 && errno == ESRCH } ?? false }
        for line in try IP.run("netns", "list").split(separator: "\n") {
            let parts = line.prefix { $0 != " " }.split(separator: "-")
            guard parts.count == 4, parts[0] == "edgeproof", isGone(parts[1]) else { continue }
            let name = parts.joined(separator: "-")
            // Whoever is left there was stopped in mid-run by a test that did not live to wake it.
            for pid in (try? IP.run("netns", "pids", name))?.split(separator: "\n") ?? [] {
                if let pid = Int32(pid) { kill(pid, SIGKILL) }
            }
            _ = try? IP.run("netns", "del", name)
        }
        for line in try IP.run("-br", "link").split(separator: "\n") {
            let name = line.prefix { !" @".contains($0) }
            guard name.hasPrefix("edgp") else { continue }
            let digits = name.dropFirst(4).prefix { $0.isNumber }
            guard !digits.isEmpty, isGone(digits) else { continue }
            _ = try? IP.run("link", "del", String(name))
        }
    }
}

/// The program `ip` of iproute2.
enum IP {
    static func path() throws -> String {
        let places = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"]
        guard let path = places.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
            throw IPFailure(command: "", detail: "it is not installed: run scripts/setup")
        }
        return path
    }

    @discardableResult
    static func run(_ arguments: String...) throws -> String { try run(arguments) }

    /// What it printed.
    @discardableResult
    static func run(_ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: try path())
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw IPFailure(command: arguments.joined(separator: " "), detail: text)
        }
        return text
    }
}

struct IPFailure: Error, CustomStringConvertible {
    let command: String
    let detail: String
    var description: String { "ip \(command): \(detail.trimmingCharacters(in: .whitespacesAndNewlines))" }
}
