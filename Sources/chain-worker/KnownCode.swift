import CommandSupport
import Cryptography
import Foundation
import ProgramSupport

/// The job contracts that this worker works for: those that its operator names, else the one that belongs to this
/// program.
enum KnownCode {
    /// - Parameter given: hashes, or files with the contract's code.
    static func find(_ given: [String]) throws -> Set<Digest> {
        if !given.isEmpty { return Set(try given.map(read)) }
        return Set(try own().map { [try hash(of: $0)] } ?? [])
    }

    private static func read(_ text: String) throws -> Digest {
        if text.utf8.count == 64, let digest = Digest(hex: text.lowercased()) { return digest }
        return try hash(of: URL(filePath: FilePath.expanded(text)))
    }

    private static func hash(of file: URL) throws -> Digest {
        guard let code = try? Data(contentsOf: file) else {
            throw UsageError(
                "--accept-code \(file.path): neither the 64 hexadecimal digits of a SHA-256 nor a file that can be read"
            )
        }
        return Digest(sha256: Array(code))
    }

    /// Installed beside the program, or built in the folder of sources that it was built in.
    private static func own() -> URL? {
        let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        var folder = program.deletingLastPathComponent()
        let installed = folder.deletingLastPathComponent().appending(path: "share/edgeproof/contracts/job.wasm")
        if FileManager.default.fileExists(atPath: installed.path) { return installed }
        while folder.pathComponents.count > 1 {
            let built = folder.appending(path: "Contracts/.build/job.wasm")
            if FileManager.default.fileExists(atPath: built.path) { return built }
            folder = folder.deletingLastPathComponent()
        }
        return nil
    }
}
