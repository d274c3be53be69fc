import Cryptography
import Foundation
import JobProtocol
import Primitives
import Synchronization
import Training

/// Decides at the door whether an envelope may come in, from its head, and whether a question is answered. What costs
/// least is checked first; the signature comes last, and only for what a member of the job may send to this worker.
package struct Admission: Sendable {
    package enum Refusal: Error, Equatable {
        /// Made for another chain, job or receiver.
        case elsewhere
        /// The sender has no place in the job.
        case stranger
        /// A kind or a place that the sender does not have.
        case notItsPart
        /// A request of another time: overheard, or one of the two clocks is wrong.
        case stale
        case badSignature
    }

    let genesis: Digest
    let job: Account
    /// The worker itself.
    let account: Account
    let keys: KeyRing
    let members: Members
    /// Members of the job's committee, who may ask for the model without a place in the job.
    let evaluators: Evaluators

    package init(
        genesis: Digest, job: Account, account: Account, keys: KeyRing, members: Members,
        evaluators: Evaluators = Evaluators()
    ) {
        self.genesis = genesis
        self.job = job
        self.account = account
        self.keys = keys
        self.members = members
        self.evaluators = evaluators
    }

    package func check(_ head: EnvelopeHead) async throws(Refusal) {
        let context = head.context
        guard context.genesisHash == genesis, context.jobId == job, keys.holds(context.receiverKemKey) else {
            throw .elsewhere
        }
        guard let sender = await members.member(context.senderKey) else { throw .stranger }
        switch context.kind {
        case .activation, .frontDifference:
            guard sender.role == .edge, sender.index == context.index else { throw .notItsPart }
        case .gradient, .frontAverage, .fogMean, .secureSumDown:
            guard sender.role == .cloud else { throw .notItsPart }
        case .fogDifference, .secureSumUp:
            guard sender.role == .fog, sender.index == context.index else { throw .notItsPart }
        case .deviceSamples:
            guard sender.role == .device, sender.index == context.index, sender.parent == account else {
                throw .notItsPart
            }
        }
        do { try head.verify() } catch { throw .badSignature }
    }

    package func check(
        _ request: WorkerRequest, now: Time = Time(UInt64(clamping: Int64(Date().timeIntervalSince1970 * 1_000)))
    ) async throws(Refusal) {
        guard request.job == job, request.receiver == account else { throw .elsewhere }
        guard request.isFresh(now: now) else { throw .stale }
        switch request.kind {
        case .sameKey: guard request.asker == account else { throw .stranger }
        case .model where evaluators.holds(request.asker): break
        case .audit: guard evaluators.mayAudit(request.asker) else { throw .stranger }
        case .model, .overlap:
            guard request.asker != account, await members.member(request.asker) != nil else { throw .stranger }
        case .samples:
            guard let asker = await members.member(request.asker), asker.parent == account else { throw .stranger }
        }
        guard request.isSigned(genesis: genesis) else { throw .badSignature }
    }
}

/// Who evaluates the job's rounds, as the chain says.
package final class Evaluators: Sendable {
    private let accounts = Mutex<(committee: Set<Account>, jurors: Set<Account>)>(([], []))

    package init() {}

    package func set(_ accounts: Set<Account>) { self.accounts.withLock { $0.committee = accounts } }
    /// Of the open disputes about this job's work.
    package func setJurors(_ accounts: Set<Account>) { self.accounts.withLock { $0.jurors = accounts } }
    func holds(_ account: Account) -> Bool { accounts.withLock { $0.committee.contains(account) } }
    func mayAudit(_ account: Account) -> Bool {
        accounts.withLock { $0.committee.contains(account) || $0.jurors.contains(account) }
    }
}
