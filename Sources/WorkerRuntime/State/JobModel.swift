import Cryptography
import Encoding
import Foundation
import JobProtocol
import Primitives
import ProgramSupport
import Training

/// A model of a job, as far as one participant has it.
package enum JobModel: Sendable, Equatable {
    /// Both halves of a split job's model.
    case split(Checkpoint)
    /// The front of a split job's model, and the digest of the back that belongs to it.
    case front(Network, back: Digest)
    /// A fog job's model.
    case whole(Network)

    /// What the chain calls it.
    package var digest: Digest {
        switch self {
        case .split(let checkpoint): checkpoint.digest
        case .front(let front, let back): Checkpoint.digest(front: front.digest, back: back)
        case .whole(let network): network.weightsDigest
        }
    }

    /// The part that a participant of this role trains with.
    package func part(for role: Role) -> JobModel {
        // A device needs none; what its edge may see is all that it gets.
        if case .split(let checkpoint) = self, role == .edge || role == .device {
            return .front(checkpoint.front, back: checkpoint.back.digest)
        }
        return self
    }

    /// All of it in one network; nil where a half is missing.
    package var network: Network? {
        switch self {
        case .split(let checkpoint): try? checkpoint.network
        case .front: nil
        case .whole(let network): network
        }
    }

    /// Where a job starts that names no checkpoint.
    package static func initial(_ plan: TrainingPlan, protocol: JobSpec.TrainingProtocol) throws -> JobModel {
        switch `protocol` {
        case .split: .split(try Checkpoint.initial(plan.model, seed: plan.seed))
        case .fog: .whole(try plan.initialNetwork())
        }
    }

    /// Where a job starts that names a checkpoint: the weights of a safetensors file.
    package static func starting(
        _ plan: TrainingPlan, protocol: JobSpec.TrainingProtocol, from file: URL
    ) throws -> JobModel {
        do {
            let bytes = Array(try Data(contentsOf: file))
            return switch `protocol` {
            case .split: .split(try Checkpoint(plan.model, startingFrom: bytes))
            case .fog: .whole(try Network(plan.model, startingFrom: bytes))
            }
        } catch {
            throw WorkerError.unusableModel(file.path, Reason.text(error))
        }
    }

    /// Bytes that a model of this plan takes at most: parameters and velocities, and their description.
    package static func limit(_ plan: TrainingPlan) throws -> Int {
        8 * (try plan.model.parameterCount) + 65_536
    }
}

/// `{ 0, checkpoint }`, `{ 1, front, back: digest }` or `{ 2, network }`.
extension JobModel: BorshCodable {
    package func encode(to encoder: inout BorshEncoder) {
        switch self {
        case .split(let checkpoint):
            encoder.integer(UInt8(0))
            encoder.value(checkpoint)
        case .front(let front, let back):
            encoder.integer(UInt8(1))
            encoder.value(front)
            encoder.value(back)
        case .whole(let network):
            encoder.integer(UInt8(2))
            encoder.value(network)
        }
    }

    package init(from decoder: inout BorshDecoder) throws(BorshError) {
        let tag: UInt8 = try decoder.integer()
        switch tag {
        case 0: self = .split(try decoder.value())
        case 1: self = .front(try decoder.value(), back: try decoder.value())
        case 2: self = .whole(try decoder.value())
        default: throw decoder.failure(.unknownTag(tag))
        }
    }
}

/// A model on its way to one asker: `enc || ct` of HPKE, `info` names the job, `aad` the model's digest.
package enum SealedModel {
    private static func info(job: Account) -> [UInt8] { Array("edgeproof/model/1".utf8) + job.bytes }

    /// The argument of a ``WorkerRequest/Kind/model`` question: the wanted digest, and the key to seal for. The asker's
    /// signature stands under both.
    package static func question(_ digest: Digest, key: KEMPublicKey) -> [UInt8] { digest.bytes + key.bytes }

    package static func read(_ argument: [UInt8]) -> (digest: Digest, key: KEMPublicKey)? {
        guard argument.count == 64, let digest = Digest(argument[..<32]), let key = KEMPublicKey(argument[32...]) else {
            return nil
        }
        return (digest, key)
    }

    package static func seal(_ model: JobModel, digest: Digest, for key: KEMPublicKey, job: Account) throws -> [UInt8] {
        let message = try key.seal(model.borsh, info: info(job: job), authenticating: digest.bytes)
        return message.encapsulatedKey + message.ciphertext
    }

    /// The model, if it is the one that was asked for.
    package static func open(_ bytes: [UInt8], digest: Digest, key: KEMPrivateKey, job: Account) throws -> JobModel {
        guard bytes.count > 32 else { throw WorkerError.peer("the answer is no model") }
        let message = SealedMessage(encapsulatedKey: Array(bytes[..<32]), ciphertext: Array(bytes[32...]))
        let model = try JobModel(borsh: key.open(message, info: info(job: job), authenticating: digest.bytes))
        guard model.digest == digest else {
            throw WorkerError.peer("it gave another model than the chain names: \(model.digest) for \(digest)")
        }
        return model
    }
}

/// The models that this participant can give to others: the accepted one, the running round's, the best.
actor ModelShelf {
    private var models: [Digest: JobModel] = [:]

    func put(_ model: JobModel) { models[model.digest] = model }
    func model(_ digest: Digest) -> JobModel? { models[digest] }
    func keepOnly(_ digests: Set<Digest>) { models = models.filter { digests.contains($0.key) } }
}
