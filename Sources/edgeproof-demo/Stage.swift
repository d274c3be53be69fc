import LocalNetwork

/// What the demo asks of its processes: masternodes must run, workers may end well.
extension ProcessGroup {
    struct Ended: Error, CustomStringConvertible {
        let description: String
    }

    private static func isNode(_ process: ChildProcess) -> Bool { process.name.hasPrefix("node") }

    var workersDone: Bool { processes.allSatisfy { Self.isNode($0) || !$0.isRunning } }

    /// Throws when a process has ended that should run.
    func check(allowing name: String?) throws {
        for process in processes where process.name != name {
            guard let status = process.exitStatus, Self.isNode(process) || status != 0 else { continue }
            throw Ended(
                description:
                    "\(process.name) ended with status \(status); the end of \(process.logFile.path):\n\(process.logTail())"
            )
        }
    }
}
