import Cryptography
import Primitives
import Training

/// What both sides of a round's exchange need.
struct Exchange: Sendable {
    let job: JobView
    let key: PrivateKey
    let kemKey: KEMPrivateKey
    let inbox: Inbox
    let postman: Postman
    let plan: RoundPlan
    /// After which nothing of this round can count any more.
    let deadline: ContinuousClock.Instant
    let threads: Int
    let report: @Sendable (WorkerEvent) -> Void

    func conversation(edge: JobParticipant, cloud: JobParticipant) -> Conversation {
        Conversation(
            genesisHash: job.sender.genesis, jobId: job.contract, round: plan.round, index: edge.index,
            edge: .init(account: edge.account, kemKey: edge.kemPublicKey),
            cloud: .init(account: cloud.account, kemKey: cloud.kemPublicKey))
    }

    static func salt() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<Envelope.saltLength).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    /// Reports an envelope that its sender signed and that yet does not hold what it says.
    func complain(_ envelope: Envelope, about sender: Account) async {
        let complaint = JobComplaint(
            sender: sender, receiver: job.sender.account, step: envelope.context.step, envelope: envelope.commitment)
        do {
            try await job.act(.commitmentTask, post: .complaint(round: plan.round), complaint.borsh)
        } catch {
            report(.warning("the complaint about \(sender.short) could not be filed: \(error)"))
        }
    }
}
