import LocalNetwork

/// The processes of a run. Whatever happens, `stopAll` leaves none behind.
actor Stage {
    private var processes: [ChildProcess] = []

    struct Ended: Error, CustomStringConvertible {
        let description: String
    }

    func add(_ process: ChildProcess) {
        processes.removeAll { $0.name == process.name && !$0.isRunning }
        processes.append(process)
    }

    func kill(_ name: String) async {
        for process in processes where process.name == name {
            process.kill()
            await process.waitForExit()
        }
    }

    private static func isNode(_ process: ChildProcess) -> Bool { process.name.hasPrefix("node") }

    var workersDone: Bool { processes.allSatisfy { Self.isNode($0) || !$0.isRunning } }

    /// Throws when a process has ended that should run.
    func check(allowing name: String?) throws {
        for process in processes where process.name != name {
            guard let status = process.exitStatus, Self.isNode(process) || status != 0 else { continue }
            throw Ended(
                description: "\(process.name) ended with status \(status); the end of \(process.logFile.path):\n\(process.logTail())")
        }
    }

    func checkWorkers() throws { try check(allowing: nil) }

    func stopAll() async {
        for process in processes { process.terminate() }
        for process in processes { await process.stop() }
        processes = []
    }
}
