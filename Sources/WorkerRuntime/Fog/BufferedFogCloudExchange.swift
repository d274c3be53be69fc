import Cryptography
import JobProtocol
import Primitives
import Training

/// The cloud's side of one round of an asynchronous fog job. It makes the next model of the differences whose senders
/// have committed on the chain, as soon as there are enough of them (the job's K), or with the quorum when the time is
/// short. What was made from an older model counts less (``JobStaleness``); what comes too late for the round waits for
/// the next one.
///
/// It goes by the chain's commitments, and not by what has arrived, because only who has committed in a round is credited
/// for it: so no work is used that can't be paid, and none is paid that was not used.
package struct BufferedFogCloudExchange: Sendable {
    let exchange: Exchange
    let me: JobParticipant
    /// The active fog nodes.
    let nodes: [JobParticipant]
    let plan: TrainingPlan
    let quorum: Int
    /// K.
    let enough: Int
    let epsilonMicro: UInt64
    let start: Network
    /// On which each difference is tried; nil to accept all that are well-formed.
    let reserved: FeatureSet?
    /// From when on the quorum suffices: early enough to commit in time.
    let closing: ContinuousClock.Instant
    let buffer: UpdateBuffer
    /// Who has committed in the running round, by the chain; nil while it is not in the round's commit phase.
    let committed: @Sendable () async throws -> [Account: FogCommitment]?

    package init(
        exchange: Exchange, me: JobParticipant, nodes: [JobParticipant], plan: TrainingPlan, quorum: Int, enough: Int,
        epsilonMicro: UInt64, start: Network, reserved: FeatureSet?, closing: ContinuousClock.Instant,
        buffer: UpdateBuffer, committed: @escaping @Sendable () async throws -> [Account: FogCommitment]?
    ) {
        self.exchange = exchange
        self.me = me
        self.nodes = nodes
        self.plan = plan
        self.quorum = quorum
        self.enough = enough
        self.epsilonMicro = epsilonMicro
        self.start = start
        self.reserved = reserved
        self.closing = closing
        self.buffer = buffer
        self.committed = committed
    }

    private var round: UInt32 { exchange.plan.round }
    private var oldest: UInt32 { round - min(round, JobStaleness.most) }

    /// - Parameter result: gets the work as soon as it is done.
    package func run(result: (RoundWork) async throws -> Void) async throws {
        await buffer.keepOnly(Set(nodes.map(\.account)), since: oldest)
        let updates = try await collect()
        var machine = try FogCloudRound(
            plan: plan, round: round, places: updates.values.map(\.index), quorum: quorum, network: start,
            validation: reserved, epsilonMicro: epsilonMicro, threads: exchange.threads, answers: false)
        var leftOut: Set<UInt16> = []
        var actions: [FogCloudRound.Action] = []
        for update in updates.values.sorted(by: { $0.index < $1.index }) {
            let weight = Float(JobStaleness.weight(rounds: round - min(round, update.message.round))) / 1_024
            actions += try machine.handle(.stale(from: update.index, update.message, weight: weight))
        }
        // Whose difference was refused still owes a good one, and has none.
        if !machine.awaited.isEmpty { actions += try machine.handle(.timedOut) }
        for case .refuse(let place, let reason) in actions where leftOut.insert(place).inserted {
            exchange.report(.leftOut(round, place, "\(reason)"))
        }
        // Too few were good enough: the model stays, and the committee is to see it so.
        let isStarved = actions.contains(.starved)
        let partners = updates.values.sorted { $0.index < $1.index }.map { update in
            JobPartner(
                index: update.index, envelopes: 1, root: RoundWork.root([update.commitment]),
                use: isStarved || leftOut.contains(update.index) ? .leftOut : .used)
        }
        let (network, lossMicro) = isStarved ? (start, 0) : try moved(machine)
        try await result(
            RoundWork(
                stepsRoot: RoundWork.root([]), artifact: network.weightsDigest, lossMicro: lossMicro,
                partners: partners, model: .whole(network)))
        await buffer.use(updates)
    }

    private func moved(_ machine: FogCloudRound) throws -> (Network, UInt64) {
        let (outcome, network) = try machine.result()
        return (network, outcome.lossMicro)
    }

    /// Waits until enough of those whose difference is here have committed.
    private func collect() async throws -> [Account: UpdateBuffer.Update] {
        while true {
            let until = min(exchange.deadline, .now + .milliseconds(WorkerLimits.commitmentPollMs))
            while let envelope = await exchange.inbox.next(of: oldest...round, until: until) { await take(envelope) }
            try Task.checkCancellation()
            if await buffer.count >= quorum, let committed = try await whoCommitted() {
                let updates = await buffer.updates(of: committed)
                if updates.count >= enough || (.now >= closing && updates.count >= quorum) { return updates }
            }
            guard .now < exchange.deadline else {
                throw WorkerError.peer("fewer fog nodes than the quorum of \(quorum) have delivered and committed")
            }
        }
    }

    /// A node that does not answer now is asked again.
    private func whoCommitted() async throws -> [Account: FogCommitment]? {
        do { return try await committed() } catch let error as CancellationError { throw error } catch {
            exchange.warn("who has committed can't be read now: \(told(error))")
            return nil
        }
    }

    /// Holds what opens. The conversation has one message: its context names the key that it was sealed for, which may be
    /// the one before the newest.
    private func take(_ envelope: Envelope) async {
        let context = envelope.context
        guard let node = nodes.first(where: { $0.account == context.senderKey && $0.index == context.index }),
            let key = exchange.secrets.keys.key(for: context.receiverKemKey)
        else { return }
        var conversation = exchange.conversation(edge: node, cloud: me, round: context.round)
        do {
            let message = try exchange.open(envelope, in: &conversation, step: 0, kind: .fogDifference, key: key)
            guard case .fogDifference(let difference) = message else { return }
            await buffer.add(
                .init(index: context.index, commitment: envelope.commitment, message: difference), of: node.account)
        } catch { exchange.passOver(envelope, of: node.account, because: error) }
    }
}
