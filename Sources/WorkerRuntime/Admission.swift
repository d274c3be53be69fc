import Cryptography
import Primitives
import Training

/// Decides at the door whether an envelope may wait here. What costs least is checked first; the signature, over all of
/// the ciphertext, comes last, and only for what a member of the job may send to this worker.
package struct Admission: Sendable {
    package enum Refusal: Error, Equatable {
        /// Made for another chain, job or receiver.
        case elsewhere
        /// The sender has no place in the job.
        case stranger
        /// A kind or a place that the sender does not have.
        case notItsPart
        case badSignature
    }

    let genesis: Digest
    let job: Account
    let kemKey: KEMPublicKey
    let members: Members

    package init(genesis: Digest, job: Account, kemKey: KEMPublicKey, members: Members) {
        self.genesis = genesis
        self.job = job
        self.kemKey = kemKey
        self.members = members
    }

    package func check(_ envelope: Envelope) async throws(Refusal) {
        let context = envelope.context
        guard context.genesisHash == genesis, context.jobId == job, context.receiverKemKey == kemKey else {
            throw .elsewhere
        }
        guard let sender = await members.member(context.senderKey) else { throw .stranger }
        switch context.kind {
        case .activation, .frontDifference:
            guard sender.role == .edge, sender.index == context.index else { throw .notItsPart }
        case .deviceSamples:
            guard sender.role == .device else { throw .notItsPart }
        case .fogDifference:
            guard sender.role == .fog, sender.index == context.index else { throw .notItsPart }
        case .gradient, .frontAverage, .fogMean:
            guard sender.role == .cloud else { throw .notItsPart }
        }
        do { try envelope.verifyPublicly() } catch { throw .badSignature }
    }
}
