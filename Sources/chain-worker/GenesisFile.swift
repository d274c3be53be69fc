import CommandSupport
import Foundation
import Primitives
import ProgramSupport

enum GenesisFile {
    static func read(_ path: String) throws -> Genesis {
        let data = Data(try InputFile.read(path, "genesis file", limit: 64 << 20))
        do { return try GenesisDocument.decode(data) } catch {
            throw UsageError("--genesis \(path) is no genesis file: \(error)")
        }
    }
}
