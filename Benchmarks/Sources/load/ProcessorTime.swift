import Foundation

/// Processor time in seconds, user and system together.
enum ProcessorTime {
    /// Of a process and its ended children's threads; 0 when there is no such process.
    static func of(_ process: Int32) -> Double {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return 0 }
        // After the name, which may hold spaces: the fields from the third on (proc(5)).
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Of this process.
    static var own: Double { of(getpid()) }
}
