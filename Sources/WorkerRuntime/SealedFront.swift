import Cryptography
import Encoding
import Primitives
import Training

/// The accepted front, sealed with HPKE for one edge: `info` names the job, `aad` the round it starts.
package struct SealedFront: BorshCodable, Sendable {
    package let round: UInt32
    /// Digest of the back that belongs to the front: both together make the digest that is on the chain.
    package let back: Digest
    package let message: SealedMessage

    private static func info(job: Account) -> [UInt8] { Array("edgeproof/front/1".utf8) + job.bytes }

    package init(_ checkpoint: Checkpoint, round: UInt32, job: Account, receiver: KEMPublicKey) throws {
        self.round = round
        back = checkpoint.back.digest
        message = try receiver.seal(checkpoint.front.borsh, info: Self.info(job: job), authenticating: round.borsh)
    }

    /// The front, if it is the one of the checkpoint that the chain names.
    package func open(job: Account, key: KEMPrivateKey, checkpoint: Digest) throws -> Network {
        let front = try Network(borsh: key.open(message, info: Self.info(job: job), authenticating: round.borsh))
        guard Checkpoint.digest(front: front.digest, back: back) == checkpoint else {
            throw WorkerError.peer("the cloud sent a front that is not of the accepted checkpoint \(checkpoint)")
        }
        return front
    }

    package func encode(to encoder: inout BorshEncoder) {
        encoder.integer(round)
        encoder.value(back)
        encoder.variable(message.encapsulatedKey)
        encoder.variable(message.ciphertext)
    }

    package init(from decoder: inout BorshDecoder) throws(BorshError) {
        round = try decoder.integer()
        back = try decoder.value()
        message = SealedMessage(
            encapsulatedKey: try decoder.variable(limit: 32),
            ciphertext: try decoder.variable(limit: WorkerLimits.sealedFrontBytes))
    }
}

/// The cloud's accepted model, for edges that were away.
actor ModelShelf {
    private(set) var current: (checkpoint: Checkpoint, round: UInt32)?

    func put(_ checkpoint: Checkpoint, round: UInt32) { current = (checkpoint, round) }
}
