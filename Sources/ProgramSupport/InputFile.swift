import Foundation

/// Files that a person names.
public enum InputFile {
    /// - Parameters:
    ///   - path: `~` is the home folder.
    ///   - what: completes "there is no ...", as in "genesis file".
    ///   - limit: bytes; a longer file is not what it should be.
    public static func read(_ path: String, _ what: String = "file", limit: Int) throws(FileProblem) -> [UInt8] {
        let full = FilePath.expanded(path)
        guard !path.isEmpty else { throw FileProblem("the name of the \(what) is empty") }
        let descriptor = open(full, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw FileProblem(
                errno == ENOENT ? "there is no \(what) at \(path)" : "cannot read \(path): \(reason(errno))")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileProblem("cannot read \(path): \(reason(errno))") }
        guard status.st_mode & S_IFMT != S_IFDIR else { throw FileProblem("\(path) is a folder; a \(what) is wanted") }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = chunk.withUnsafeMutableBytes { Foundation.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw FileProblem("cannot read \(path): \(reason(errno))")
            }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk[0..<count])
            guard bytes.count <= limit else {
                throw FileProblem("\(path) has more than \(limit) bytes: it is no \(what)")
            }
        }
    }

    /// What the system's error numbers mean for whoever named the file.
    public static func reason(_ code: Int32) -> String {
        switch code {
        case ENOENT: "there is no such file or folder"
        case EACCES, EPERM: "permission denied"
        case ENOSPC: "the disk is full"
        case EROFS: "the disk is read-only"
        case EISDIR: "it is a folder"
        case ENOTDIR: "a part of its path is no folder"
        case EMFILE, ENFILE: "too many files are open"
        default: String(cString: strerror(code))
        }
    }

    /// Why nobody can listen at an address.
    public static func listenReason(_ code: Int32?) -> String {
        switch code {
        case EADDRINUSE: "another program listens there already; stop it, or choose another port"
        case EADDRNOTAVAIL: "this machine has no such address"
        case EACCES, EPERM: "permission denied; ports below 1024 need special rights"
        case let code?: String(cString: strerror(code))
        case nil: "the address can't be resolved; write an IP address, or a name that this machine knows"
        }
    }
}

/// A file that can't be used as it was named.
public struct FileProblem: Error, Equatable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}
