import Foundation

/// Reads and writes small files that only their owner may read.
enum SecretFile {
    static let longest = 65_536

    static func read(_ path: String) throws(KeyFileError) -> [UInt8] {
        // Not blocking: a pipe in the file's place must not hang the program.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw systemError(path) }
        defer { close(descriptor) }
        // The open file is checked, not the name: it cannot be exchanged in between.
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw systemError(path) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
        guard status.st_mode & 0o077 == 0 else {
            throw .othersMayRead(path: path, mode: UInt32(status.st_mode & 0o777))
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = chunk.withUnsafeMutableBytes { Foundation.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw systemError(path)
            }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk[0..<count])
            guard bytes.count <= longest else { throw .tooLong(path: path, limit: longest) }
        }
    }

    /// Writes a new file of mode 0600, whole and durable, or throws `.exists`.
    static func create(_ bytes: [UInt8], at path: String) throws(KeyFileError) {
        let temporary = path + ".new-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw systemError(temporary) }
        defer { unlink(temporary) }
        try fill(descriptor, with: bytes, path: temporary)
        // A hard link, unlike a rename, does not replace what is there.
        guard link(temporary, path) == 0 else {
            if errno == EEXIST { throw .exists(path: path) }
            throw systemError(path)
        }
        let folder = (path as NSString).deletingLastPathComponent
        let folderDescriptor = open(folder.isEmpty ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folderDescriptor >= 0 else { throw systemError(folder) }
        defer { close(folderDescriptor) }
        guard fsync(folderDescriptor) == 0 else { throw systemError(folder) }
    }

    /// Writes and syncs, and closes the descriptor.
    private static func fill(_ descriptor: Int32, with bytes: [UInt8], path: String) throws(KeyFileError) {
        defer { close(descriptor) }
        // The mode given to `open` passes through the process's mask.
        guard fchmod(descriptor, 0o600) == 0 else { throw systemError(path) }
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Foundation.write(descriptor, $0.baseAddress?.advanced(by: written), $0.count - written)
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw systemError(path)
            }
            written += count
        }
        guard fsync(descriptor) == 0 else { throw systemError(path) }
    }

    private static func systemError(_ path: String) -> KeyFileError {
        let code = errno
        if code == ENOENT { return .notFound(path: path) }
        return .inputOutput(path: path, detail: String(cString: strerror(code)))
    }
}
