import Foundation
import Primitives

enum GenesisFile {
    struct Unusable: Error, CustomStringConvertible { let description: String }

    static func read(_ path: String) throws -> Genesis {
        guard let data = try? Data(contentsOf: URL(filePath: path)) else {
            throw Unusable(description: "--genesis \(path): the file can't be read; give the chain's genesis.json")
        }
        do { return try GenesisDocument.decode(data) } catch {
            throw Unusable(description: "--genesis \(path) is no genesis file: \(error)")
        }
    }
}
