import Foundation
import ProgramSupport

/// The right to write into a folder, held by one process at a time: nothing in a home is made or changed before it is
/// held. The system takes it back when the process ends, however it ends.
///
/// The lock is on an open file (`flock`), so the file's being there means nothing; it names the process that has it.
public final class HomeLock: Sendable {
    private let descriptor: Int32

    /// Makes the folder if there is none.
    ///
    /// - Throws: ``NodeHomeError/inUse(_:process:)`` when another process has it.
    public init(_ folder: URL) throws(NodeHomeError) {
        do {
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw .unusable(
                folder.path, "the folder can't be made; check the path, its permissions and the disk's space")
        }
        let file = folder.appending(path: "lock").path
        let opened = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard opened >= 0 else { throw .unusable(file, InputFile.reason(errno)) }
        guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            let holder = Self.holder(opened)
            close(opened)
            guard code == EWOULDBLOCK else { throw .unusable(file, InputFile.reason(code)) }
            throw .inUse(folder.path, process: holder)
        }
        let name = Array("\(getpid())\n".utf8)
        _ = ftruncate(opened, 0)
        _ = name.withUnsafeBytes { pwrite(opened, $0.baseAddress, $0.count, 0) }
        descriptor = opened
    }

    deinit { close(descriptor) }

    private static func holder(_ descriptor: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
        guard count > 0 else { return nil }
        return Int32(String(decoding: bytes.prefix(count).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }
}
