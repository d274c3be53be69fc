import ChainClient
import Cryptography
import JobProtocol
import Primitives
import Training

/// One worker of one job, from joining to the end.
public struct Worker: Sendable {
    private let configuration: WorkerConfiguration
    private let report: @Sendable (WorkerEvent) -> Void

    public init(configuration: WorkerConfiguration, report: @escaping @Sendable (WorkerEvent) -> Void) {
        self.configuration = configuration
        self.report = report
    }

    /// Works until the job is finished, or the task is cancelled.
    /// - Throws: ``WorkerError/aborted(_:)`` when the job is, other ``WorkerError`` for what this worker can't do or be.
    public func run() async throws {
        try configuration.modelFile.map { try ModelFile.check($0) }
        let state = try WorkerState(folder: configuration.stateFolder)
        let client = ChainClient(nodes: configuration.nodes)
        do {
            let sender = try await TransactionSender(client: client, key: configuration.key)
            let reader = CertifiedReader(
                genesis: try await genesis(client, state), client: client, report: report)
            let job = try await findJob(client, sender, reader)
            let members = Members { try await job.participants() }
            let postman = Postman(
                members: members, key: configuration.key, genesis: sender.genesis, job: job.contract)
            do {
                try await run(job, members, postman, state)
            } catch {
                await postman.shutdown()
                throw error
            }
            await postman.shutdown()
        } catch {
            try? await client.shutdown()
            throw error
        }
        try? await client.shutdown()
    }

    /// The genesis that all proofs start from. Without a file of its own the worker takes a node's word the first time,
    /// says so, and holds every node to it from then on.
    private func genesis(_ client: ChainClient, _ state: WorkerState) async throws -> Genesis {
        let hash = try await client.status().genesisHash
        if let given = configuration.genesis {
            guard given.hash == hash else {
                throw WorkerError.untrusted("the node is on the chain \(hash), the genesis file is of \(given.hash)")
            }
            return given
        }
        let told = try await client.genesis()
        if let kept = try state.genesis() {
            guard kept == told.hash else {
                throw WorkerError.untrusted(
                    "the node is on the chain \(told.hash), this worker has worked on \(kept) before "
                        + "(another chain needs another --state folder)")
            }
        } else {
            try state.save(genesis: told.hash)
            report(.waiting("taking the node's word for the genesis \(told.hash); --genesis FILE checks it"))
        }
        return told
    }

    /// Waits for a job that does not exist yet where the configuration says so.
    private func findJob(
        _ client: ChainClient, _ sender: TransactionSender, _ reader: CertifiedReader
    ) async throws -> JobView {
        var hasSaid = false
        while true {
            do {
                return try await JobView(
                    client: client, sender: sender, job: configuration.job, reader: reader,
                    acceptedCode: configuration.acceptedCode, acceptedValidators: configuration.acceptedValidators,
                    report: report)
            } catch {
                guard case WorkerError.noSuchJob(let name, _) = error else { throw error }
                guard configuration.waits else {
                    throw WorkerError.noSuchJob(name, near: await client.nearestService(to: configuration.job))
                }
                if !hasSaid {
                    report(.waiting("there is no job '\(configuration.job)' yet; waiting for its registration"))
                }
                hasSaid = true
                try await Task.sleep(for: .milliseconds(WorkerLimits.pollMs))
            }
        }
    }

    private func run(_ job: JobView, _ members: Members, _ postman: Postman, _ state: WorkerState) async throws {
        let spec = try await job.status().spec
        let plan = try Joining.check(spec, role: configuration.role)
        let keys = try KeyRing(job: job.digest, stored: try state.keys()) { try state.save($0) }
        let parts = try await WorkerParts(
            configuration: configuration, spec: spec, plan: plan, job: job.contract,
            secrets: WorkerSecrets(key: configuration.key, job: job.contract, keys: keys), members: members,
            postman: postman, state: state, digest: job.digest, report: report)
        let answers = Answers(
            job: job.contract, genesis: job.sender.genesis, key: configuration.key, keys: keys, members: members,
            shelf: parts.shelf, samples: parts.samples, overlap: parts.overlap, audits: parts.audits,
            showsInputs: spec.inputAudit == .committee, report: report)
        let server = WorkerServer(
            host: configuration.host, port: configuration.port,
            admission: Admission(
                genesis: job.sender.genesis, job: job.contract, account: job.sender.account, keys: keys,
                members: members, evaluators: parts.evaluators),
            mailroom: Mailroom(
                inbox: parts.inbox, samples: parts.samples, updates: spec.isBufferedFog ? parts.updates : nil),
            envelopeLimit: try Joining.envelopeLimit(plan, spec)
        ) { await answers.answer($0) }
        let (ports, portReady) = AsyncStream.makeStream(of: Int.self)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await server.run { portReady.yield($0) }
                return false
            }
            group.addTask {
                for await port in ports {
                    let endpoint = configuration.endpoint(port: port)
                    report(.listening(endpoint))
                    let loop = WorkerLoop(
                        configuration: configuration, job: job, plan: plan, parts: parts, endpoint: endpoint,
                        state: state, report: report)
                    try await loop.run()
                    return true
                }
                throw CancellationError()
            }
            let isDone = try await group.next()
            group.cancelAll()
            if isDone == false {
                try Task.checkCancellation()
                throw WorkerError.cannotListen(configuration.host, "the server ended")
            }
        }
    }
}

/// What a participant works with, by its role.
struct WorkerParts: Sendable {
    let secrets: WorkerSecrets
    let members: Members
    let postman: Postman
    let inbox: Inbox
    let shelf = ModelShelf()
    let evaluators = Evaluators()
    let audits: AuditShelf
    /// An asynchronous fog job's cloud's.
    let updates = UpdateBuffer()
    /// An edge's or fog node's own images.
    let images: ImageSet?
    /// A cloud's or validator's.
    let reserved: ImageSet?
    /// Of the devices of a fog node, or of an edge in a job that has devices.
    let samples: SampleStore?
    /// A device's samples.
    let feed: DeviceFeed?
    /// Of the samples that this worker trains on.
    let overlap: Overlap?
    /// What the application says.
    let sampleCount: Int

    init(
        configuration: WorkerConfiguration, spec: JobSpec, plan: TrainingPlan, job: Account, secrets: WorkerSecrets,
        members: Members, postman: Postman, state: WorkerState, digest: Digest,
        report: @escaping @Sendable (WorkerEvent) -> Void
    ) async throws {
        let secret = try state.secret()
        self.secrets = secrets
        self.members = members
        self.postman = postman
        inbox = Inbox(shareBytes: Joining.shareBytes(spec))
        let role = configuration.role
        let isReserved = role == .cloud || role == .validator
        let found = try configuration.data.map { try $0.load(plan.data.kind, isReserved: isReserved) }
        try found.map { try Self.check($0, plan, folder: configuration.data?.folder ?? "") }
        // Devices' samples are enough for an edge, as for a fog node.
        let takesSamples = role == .fog || (role == .edge && spec.devices > 0)
        if found == nil, (role == .edge && !takesSamples) || role == .device || role == .validator {
            throw WorkerError.unusableData("a worker with the role \(role) needs images: give --data")
        }
        images = role == .edge || role == .fog ? found : nil
        reserved = isReserved ? found : nil
        if takesSamples {
            let ring = secrets.keys
            samples = SampleStore(
                shareBytes: WorkerLimits.sampleBytes / max(1, Int(spec.devices)), shape: plan.model.input,
                classes: plan.model.classes
            ) { envelope in
                guard let key = ring.key(for: envelope.context.receiverKemKey) else {
                    throw EnvelopeError.notForThisReceiver
                }
                let message = try DeviceSamplesMessage(
                    borsh: envelope.open(expecting: envelope.context, key: key).payload)
                guard message.step == envelope.context.step, message.round == envelope.context.round else {
                    throw EnvelopeError.malformedPayload
                }
                return message
            }
        } else {
            samples = nil
        }
        audits = AuditShelf(
            AuditShelf.Store(job: digest, state: state, report: report) { [images, samples, own = OwnSamples()] kept in
                try await Self.base(of: kept, spec: spec, plan: plan, images: images, own: own, samples: samples)
            })
        if role == .device, let found {
            // The key's own part of the choice; the place in the job is not known before the job takes the device.
            let device = Account(secrets.key.publicKey).bytes[..<4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            let queue = TrainingQueue()
            let made = try await queue.run {
                try DeviceStep.samples(of: found, plan: plan, device: device, secret: secret)
            }
            feed = DeviceFeed(samples: made)
            sampleCount = made.count
        } else {
            feed = nil
            sampleCount = found?.count ?? 0
        }
        overlap =
            isReserved
            ? nil
            : found.map { images in
                Overlap(job: job, count: images.count) { index in
                    Array(images.pixels[index * images.stride..<(index + 1) * images.stride]) + [images.labels[index]]
                }
            }
    }

    /// What a round that was kept has worked on; nil while devices have not handed over their samples again.
    private static func base(
        of kept: KeptAudit, spec: JobSpec, plan: TrainingPlan, images: ImageSet?, own: OwnSamples,
        samples: SampleStore?
    ) async throws -> AuditLog.Base? {
        let round = try Joining.roundPlan(plan, spec, round: kept.round)
        guard let samples else {
            let shard = try images.map { try plan.source($0, edge: Int(kept.place), of: Int(spec.workers)) }
            return AuditLog.Base(model: kept.model, plan: round, shard: shard)
        }
        var all = kept.devices.isEmpty ? nil : try await samples.samples(of: kept.devices)
        if let images {
            let own = try await own.of(images, plan)
            if all == nil { all = own } else { try all?.append(own) }
        }
        guard let all, all.digest == kept.samples else { return nil }
        return AuditLog.Base(
            model: kept.model, plan: round, shard: spec.trainingProtocol == .split ? all : nil, samples: all)
    }

    private static func check(_ images: ImageSet, _ plan: TrainingPlan, folder: String) throws {
        do {
            try images.checkLabels(classes: plan.model.classes)
            if plan.device.projection == 0 {
                _ = try images.features(of: [0], input: plan.model.input, normalisation: .unit)
            }
        } catch { throw WorkerError.unusableData("\(folder): \(error)") }
    }
}

/// A fog node's own images as samples, made once.
private actor OwnSamples {
    private var made: FeatureSet?

    func of(_ images: ImageSet, _ plan: TrainingPlan) throws -> FeatureSet {
        if let made { return made }
        let samples = try plan.evaluationSamples(images)
        made = samples
        return samples
    }
}
