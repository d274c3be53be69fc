import Cryptography
import Encoding
import JobProtocol
import Primitives
import Training

/// Answers what other workers ask; who asks was checked at the door.
struct Answers: Sendable {
    let job: Account
    let genesis: Digest
    let key: PrivateKey
    let keys: KeyRing
    let members: Members
    let shelf: ModelShelf
    let samples: SampleStore?
    /// Of this worker's own samples; nil for one that trains on none.
    let overlap: Overlap?
    let audits: AuditShelf
    /// Whether the job's terms let this worker's own inputs be seen by the committee.
    let showsInputs: Bool
    let report: @Sendable (WorkerEvent) -> Void

    func answer(_ request: WorkerRequest) async -> [UInt8]? {
        switch request.kind {
        case .model:
            guard let (digest, receiver) = SealedModel.read(request.argument), let model = await shelf.model(digest)
            else {
                return nil
            }
            // A committee has no role in the job: it evaluates the whole.
            let role = await members.member(request.asker)?.role ?? .validator
            return try? SealedModel.seal(model.part(for: role), digest: digest, for: receiver, job: job)
        case .sameKey:
            report(
                .warning(
                    "another worker with this key was started; it is told that this one works. Give each a key of its own"
                ))
            let presence = Presence(job: job, nonce: request.argument)
            return try? key.sign(presence, domain: .workerPresence, genesis: genesis).bytes
        case .overlap:
            guard let overlap, let other = Overlap(opening: request.argument, job: job, keys: keys.all) else {
                return nil
            }
            let shared = overlap.shared(with: other)
            if shared >= Overlap.worthAWarning { report(.warning(Overlap.warning(shared, with: request.asker))) }
            return UInt32(shared).borsh
        case .audit:
            guard let question = try? AuditQuestion(borsh: request.argument),
                let log = await audits.log(
                    of: question.round, patience: .milliseconds(WorkerLimits.samplesAgainMs)),
                let evidence = try? log.evidence(question)
            else { return nil }
            // What a cloud works on is shown anyway; a worker's own samples only where the terms said so.
            if case .samples = evidence.inputs, !showsInputs { return nil }
            return try? AuditMaterial(model: log.base.model, evidence: evidence).seal(for: question, job: job)
        case .samples:
            guard let held = await samples?.held(of: request.asker) else { return nil }
            return DeviceFeed.Held(parts: held).borsh
        }
    }
}

extension Overlap {
    static func warning(_ shared: Int, with account: Account) -> String {
        "about \(shared * 100 / size) % of the samples are \(account.short)'s, too: give each worker a part of its own "
            + "(--shard I/N with another I)"
    }
}
