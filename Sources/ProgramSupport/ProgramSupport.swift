import Dispatch
import Foundation

/// # ProgramSupport
///
/// How the long-running programs start and stop.
///
/// The module promises
/// - SIGINT and SIGTERM cancel the program's task, and it ends in order;
/// - a program that was started with ``stopWithParent`` set ends when the process that started it is gone, however
///   that one ended.
public enum ProgramSupport {
    /// Environment variable: any value but the empty one binds the program's life to its parent's.
    public static let stopWithParent = "EDGEPROOF_STOP_WITH_PARENT"

    /// Runs the body until it ends by itself or the process is asked to stop, which cancels it.
    ///
    /// - Returns: whether it ended by itself.
    @discardableResult
    public static func untilStopped(_ body: @escaping @Sendable () async throws -> Void) async throws -> Bool {
        let parent = getppid()
        let task = Task { try await body() }
        let sources = [SIGINT, SIGTERM].map { signal in
            Foundation.signal(signal, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: signal, queue: .global())
            source.setEventHandler { task.cancel() }
            source.resume()
            return source
        }
        let bound = ProcessInfo.processInfo.environment[stopWithParent].map { !$0.isEmpty } ?? false
        let watcher = Task {
            while bound, !Task.isCancelled {
                if getppid() != parent { task.cancel() }
                try? await Task.sleep(for: .milliseconds(500))
            }
        }
        defer {
            watcher.cancel()
            for source in sources { source.cancel() }
        }
        do {
            try await task.value
            return true
        } catch is CancellationError {
            return false
        }
    }
}
