/// The processes that one owner has started, by name. `stopAll` leaves none behind.
public actor ProcessGroup {
    public private(set) var processes: [ChildProcess] = []

    public init() {}

    /// Adds a process, in the place of one of the same name that has ended.
    public func add(_ process: ChildProcess) {
        processes.removeAll { $0.name == process.name && !$0.isRunning }
        processes.append(process)
    }

    public func process(_ name: String) -> ChildProcess? { processes.last { $0.name == name } }

    /// SIGKILL, and waits until it is gone.
    public func kill(_ name: String) async {
        process(name)?.kill()
        await process(name)?.waitForExit()
    }

    public func stop(_ name: String) async { await process(name)?.stop() }

    public func stopAll() async {
        for process in processes { process.terminate() }
        for process in processes { await process.stop() }
        processes = []
    }
}
