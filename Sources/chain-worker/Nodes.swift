import ChainClient
import Foundation

/// The nodes to ask: those of the options, else of EDGEPROOF_NODE (several separated by commas), else the one on this
/// machine.
enum Nodes {
    static func find(_ options: [String]) throws -> [NodeAddress] {
        let given = options.isEmpty ? ProcessInfo.processInfo.environment["EDGEPROOF_NODE"].map { [$0] } ?? [] : options
        let texts = given.flatMap { $0.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) } }
        return try (texts.isEmpty ? [NodeAddress.standard.url] : texts).map { try NodeAddress($0) }
    }
}
