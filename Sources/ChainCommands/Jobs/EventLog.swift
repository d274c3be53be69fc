import CommandSupport
import Experiments
import Foundation
import ProgramSupport

/// A TensorBoard event file that grows as something goes on: each entry is in the file before the next one is asked for.
struct EventLog {
    private var file: EventFile
    private let handle: FileHandle
    let folder: URL

    /// Starts a new file in the folder, in the place of an earlier one: TensorBoard would show both as one curve.
    init(folder path: String, run: String) throws {
        let base = URL(filePath: FilePath.expanded(path), directoryHint: .isDirectory)
        folder = base.appending(path: run, directoryHint: .isDirectory)
        let target = folder.appending(path: "events.out.tfevents.0.edgeproof")
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data().write(to: target)
            handle = try FileHandle(forWritingTo: target)
        } catch {
            throw UsageError("cannot write event files to \(folder.path): \(Reason.text(error))")
        }
        file = EventFile(time: Date().timeIntervalSince1970)
    }

    mutating func add(_ scalars: [(tag: String, value: Double)], step: Int) throws {
        let now = Date().timeIntervalSince1970
        for (tag, value) in scalars { file.scalar(tag, step: step, value: value, time: now) }
        try handle.write(contentsOf: Data(file.take()))
    }
}
