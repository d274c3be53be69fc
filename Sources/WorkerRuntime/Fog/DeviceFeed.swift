import Cryptography
import Encoding
import JobProtocol
import Primitives
import Training

/// A device's part in fog learning: its samples, chosen, normalised and blurred, go to its fog node, sealed, and again
/// whenever the fog node has lost them.
package struct DeviceFeed: Sendable {
    private let samples: FeatureSet

    package init(samples: FeatureSet) { self.samples = samples }

    package var count: Int { samples.count }

    /// What a fog node answers to ``WorkerRequest/Kind/samples``: which parts of the asker's samples are there.
    package struct Held: BorshCodable, Hashable, Sendable {
        static let mostParts = 4_096
        static let limit = 4 + 4 * mostParts
        package let parts: [UInt32]

        package init(parts: [UInt32]) { self.parts = parts }

        package func encode(to encoder: inout BorshEncoder) { encoder.array(parts) }

        package init(from decoder: inout BorshDecoder) throws(BorshError) {
            parts = try decoder.array(limit: Self.mostParts, smallestElement: 4)
        }
    }

    /// Asks what is missing and sends it.
    /// - Returns: whether the fog node had everything already.
    package func deliver(_ exchange: Exchange, me: JobParticipant, fog: JobParticipant) async throws -> Bool {
        guard let answer = try await exchange.postman.ask(.samples, of: fog.account, limit: Held.limit) else {
            return false
        }
        let held = try Held(borsh: answer)
        let missing = try DeviceSamplesMessage.parts(of: samples, round: exchange.plan.round)
            .filter { !held.parts.contains($0.step) }
        for message in missing {
            // Each part stands for itself, so that any of them can be sent again.
            var conversation = exchange.conversation(edge: me, cloud: fog)
            let envelope = try exchange.seal(.deviceSamples(message), in: &conversation)
            try await exchange.postman.deliver(envelope, to: fog.account, until: exchange.deadline)
        }
        return missing.isEmpty
    }
}
