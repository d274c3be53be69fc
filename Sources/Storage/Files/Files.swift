import Foundation
import ProgramSupport

/// POSIX file calls with typed errors.
enum Files {
    static func attempt<Value>(_ path: String, _ body: () throws -> Value) throws(StorageError) -> Value {
        do { return try body() } catch { throw .inputOutput(path: path, detail: Reason.text(error)) }
    }

    static func systemError(_ path: String, _ call: String) -> StorageError {
        let code = errno
        if code == ENOENT { return .notFound(path: path) }
        return .inputOutput(path: path, detail: "\(call): \(InputFile.reason(code))")
    }

    static func folder(of path: String) -> String {
        let parent = (path as NSString).deletingLastPathComponent
        return parent.isEmpty ? "." : parent
    }

    /// A rename is durable when the folder is.
    static func synchroniseFolder(_ path: String) throws(StorageError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw systemError(path, "open") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw systemError(path, "fsync") }
    }

    /// Makes the files in a folder durable, and the folder.
    static func synchroniseContents(_ folder: String) throws(StorageError) {
        let names = try attempt(folder) { try FileManager.default.contentsOfDirectory(atPath: folder) }
        for name in names {
            let path = folder + "/" + name
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw systemError(path, "open") }
            defer { close(descriptor) }
            guard fsync(descriptor) == 0 else { throw systemError(path, "fsync") }
        }
        try synchroniseFolder(folder)
    }

    /// Renames, and makes it durable. Both names are in one folder.
    static func rename(_ from: String, to path: String) throws(StorageError) {
        guard Foundation.rename(from, path) == 0 else { throw systemError(path, "rename") }
        try synchroniseFolder(folder(of: path))
    }

    /// Writes all of the bytes from this place of the file on.
    ///
    /// - Parameter page: bytes of the file from one of whose multiples to the next is written at a time; nil for all at once.
    static func write(
        _ bytes: [UInt8], to descriptor: Int32, at offset: UInt64 = 0, page: UInt64? = nil, path: String
    ) throws(StorageError) {
        var written = 0
        while written < bytes.count {
            let place = offset + UInt64(written)
            let most = page.map { $0 - place % $0 } ?? .max
            let count = bytes.withUnsafeBytes { raw in
                pwrite(
                    descriptor, raw.baseAddress?.advanced(by: written), min(raw.count - written, Int(clamping: most)), off_t(place))
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw systemError(path, "write")
            }
            written += count
        }
    }

    static func read(_ descriptor: Int32, path: String) throws(StorageError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = chunk.withUnsafeMutableBytes { Foundation.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw systemError(path, "read")
            }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk[0..<count])
        }
    }
}

/// Replaces small files whole.
public enum AtomicFile {
    /// Writes the bytes so that, whatever happens, the path holds the old content or the new one: a temporary file in
    /// the same folder is written and synced, renamed, and the folder synced.
    ///
    /// - Parameter mode: the new file's permissions.
    public static func write(_ bytes: [UInt8], to path: String, mode: UInt32 = 0o600) throws(StorageError) {
        let temporary = path + ".new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode_t(mode))
        guard descriptor >= 0 else { throw Files.systemError(temporary, "open") }
        do throws(StorageError) {
            defer { close(descriptor) }
            // The mode given to `open` passes through the process's mask.
            guard fchmod(descriptor, mode_t(mode)) == 0 else { throw Files.systemError(temporary, "fchmod") }
            try Files.write(bytes, to: descriptor, path: temporary)
            guard fsync(descriptor) == 0 else { throw Files.systemError(temporary, "fsync") }
        } catch {
            unlink(temporary)
            throw error
        }
        try Files.rename(temporary, to: path)
    }

    public static func read(_ path: String) throws(StorageError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Files.systemError(path, "open") }
        defer { close(descriptor) }
        return try Files.read(descriptor, path: path)
    }
}
