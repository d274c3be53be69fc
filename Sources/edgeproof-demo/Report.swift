import Foundation

/// `.demo/report.json`: what the run has shown.
struct Report: Encodable {
    struct Percentiles: Encodable {
        let p50: UInt64
        let p95: UInt64
        /// Transactions behind the percentiles.
        let samples: Int
    }

    struct Participant: Encodable {
        let name: String
        let account: String
        let role: String
        let actions: UInt64
        let historyEntries: UInt64
        /// R in millionths of the largest score, by role.
        let reputation: [String: UInt64]
        let audit: String
        let auditVerified: Bool
    }

    /// On the test part, which nobody trained on.
    let accuracy: Double
    let loss: Double
    let testImages: Int
    let masternodes: Int
    let rounds: UInt32
    let acceptedRounds: UInt32
    let blocks: UInt64
    let transactions: UInt64
    let finalityMs: Percentiles
    let stateRootsAgree: Bool
    let stateRoot: String
    let stateHeight: UInt64
    let restartedNodeCaughtUp: Bool
    let auditsVerified: Int
    let participants: [Participant]
    let genesisHash: String
    let job: String
    let checkpoint: String
    let seconds: Double

    func write(to file: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try encoder.encode(self).write(to: file, options: .atomic)
    }
}
