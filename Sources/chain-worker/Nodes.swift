import ChainClient
import Foundation
import ProgramSupport

/// The nodes to ask: those of the options, else of EDGEPROOF_NODE (several separated by commas), else the one on this
/// machine.
enum Nodes {
    static func find(_ options: [String]) throws -> [NodeAddress] {
        let given = options.isEmpty ? [Environment.value("EDGEPROOF_NODE")].compactMap { $0 } : options
        return given.isEmpty ? [.standard] : try given.flatMap { try NodeAddress.list($0) }
    }
}
