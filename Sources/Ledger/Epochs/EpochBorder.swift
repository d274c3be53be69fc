import Cryptography
import Encoding
import Primitives

/// What happens at the end of an epoch's last block (architecture, section 3): governance takes effect, the silent are
/// suspended, collateral comes back, rewards are paid, and the set of the epoch after the next is fixed.
extension Executor {
    /// Fewer active masternodes than this are never left by suspensions.
    static let fewestActive = 4

    /// Notes whose votes and proposals stand in a block: its proposer, and the signers of its parent's certificate,
    /// where that is of this epoch.
    func noteSeen(proposer: UInt16, _ certificate: ParentCertificate) throws(LedgerError) {
        let before: EpochProgress = try overlay.require(.epochProgress)
        var progress = before
        progress.see(proposer)
        if certificate.epoch == context.epoch {
            for signer in certificate.signers { progress.see(signer) }
        }
        if progress != before { overlay.set(.epochProgress, progress) }
    }

    struct Passage {
        let context: EpochContext
        let receipt: Receipt
    }

    /// - Parameter randomness: R of the border block, which draws the leaders of the epoch after the next.
    func passBorder(randomness: Digest) throws(LedgerError) -> Passage {
        do throws(Halt) {
            let context = try pass(randomness: randomness)
            overlay.commit()
            let receipt = Receipt(
                origin: .border(context.epoch), outcome: .succeeded, gasUsed: 0, events: overlay.takeEvents(),
                returned: Receipt.digest(ofReturned: []))
            return Passage(context: context, receipt: receipt)
        } catch {
            if case .ledger(let failure) = error { throw failure }
            // No rule of a border can fail; and a chain must not go on as if it had not been there.
            throw .corruptState(.epochProgress, "the border of epoch \(context.epoch): \(error.message)")
        }
    }

    private func pass(randomness: Digest) throws(Halt) -> EpochContext {
        let progress: EpochProgress
        do { progress = try overlay.require(.epochProgress) } catch { throw .ledger(error) }
        let ended = context.epoch
        let seen = try markSeen(progress)
        let version = try applyProposals(for: ended.next)
        try suspendSilent(progress)
        try putRenewalsInForce(for: ended.next)
        try unlockDue()
        do { try treasury.payRewards(minting: UInt128(parameters.rewardPerEpoch), to: seen) } catch { throw .ledger(error) }

        let planned = ended.secondAfter
        let members = Self.members(of: planned, among: try masternodes())
        let set = try nextSet(of: members)
        overlay.set(.epoch(planned), EpochPlan(epoch: planned, seed: randomness, set: set))
        try forgetPlans(before: ended)
        let next = EpochProgress(epoch: ended.next, startHeight: height, startTime: time, protocolVersion: version)
        overlay.set(.epochProgress, next)
        let parameters = try currentParameters()
        do {
            return try EpochContext(progress: next, parameters: parameters) { epoch throws(LedgerError) in
                try overlay.require(.epoch(epoch))
            }
        } catch { throw .ledger(error) }
    }

    /// Where nobody is left the last set goes on: a chain can't hand itself to nobody. Anything else that members can't
    /// be a set for is damage, which must not pass as if it were this.
    private func nextSet(of members: [Masternode]) throws(Halt) -> MasternodeSet {
        guard !members.isEmpty else { return context.nextPlan.set }
        do { return try MasternodeSet(members) } catch {
            throw .ledger(.corruptState(.masternodeIndex, "its masternodes are no set: \(error)"))
        }
    }

    /// Who agrees in an epoch: all that were seen since they joined, and of those that were not as many as the set
    /// tolerates to be absent, the longest registered first; the others wait for a later border. Else a few that
    /// register and never start could stop the chain for good. Below four no absence is tolerated anyway, and a network
    /// has to grow.
    static func members(of epoch: Epoch, among records: [MasternodeRecord]) -> [Masternode] {
        let ready = records.filter { record in
            if case .active(let from) = record.status { from <= epoch } else { false }
        }
        let proven = ready.count(where: \.isProven)
        var unproven = 0
        return ready.filter { record in
            if record.isProven { return true }
            let total = proven + unproven + 1
            guard total <= fewestActive || unproven + 1 <= (total - 1) / 3 else { return false }
            unproven += 1
            return true
        }.map(\.masternode)
    }

    /// - Returns: the owners of those who took part, in the order of the set.
    private func markSeen(_ progress: EpochProgress) throws(Halt) -> [Account] {
        var owners: [Account] = []
        for (place, member) in context.set.members.enumerated() where progress.hasSeen(UInt16(truncatingIfNeeded: place)) {
            guard var record = try masternode(member.consensusKey) else { continue }
            record.lastSeen = max(record.lastSeen, context.epoch)
            set(record)
            if case .slashed = record.status { continue }
            owners.append(record.owner)
        }
        return owners
    }

    /// Silence only suspends: no vote of the key in any parent certificate and no proposal for a whole epoch. In an
    /// epoch of fewer than two rotations of the leaders nobody had to be seen.
    private func suspendSilent(_ progress: EpochProgress) throws(Halt) {
        let set = context.set
        guard height.distance(since: progress.startHeight) >= 2 * UInt64(set.count) else { return }
        var active = try masternodes().count(where: \.isActive)
        for (place, member) in set.members.enumerated() where !progress.hasSeen(UInt16(truncatingIfNeeded: place)) {
            guard active > Self.fewestActive, var record = try masternode(member.consensusKey),
                case .active(let from) = record.status, from <= context.epoch
            else { continue }
            record.status = .suspended(in: context.epoch)
            self.set(record)
            active -= 1
            emit("masternode.suspended", member.consensusKey.bytes)
        }
    }

    /// Collateral comes back when the unbonding time is over, and evidence of the last epoch in which the key voted has
    /// lost its force: it votes for up to two epochs after it left.
    private func unlockDue() throws(Halt) {
        let lastVotes: UInt64 = 2
        for record in try masternodes() {
            let (left, unlocksAt): (Epoch, Time)
            switch record.status {
            case .leaving(let epoch, let time): (left, unlocksAt) = (epoch, time)
            case .removed(let epoch, let time): (left, unlocksAt) = (epoch, time)
            case .active, .suspended, .slashed: continue
            }
            let harmless = left.advanced(by: lastVotes.addingSaturating(parameters.evidenceEpochs))
            guard time >= unlocksAt, context.epoch > harmless else { continue }
            try unlock(record)
            emit("masternode.unlocked", record.consensusKey.bytes)
        }
    }

    private func forgetPlans(before ended: Epoch) throws(Halt) {
        // A longer window, voted in later, does not bring back what is forgotten: such evidence is refused.
        let kept = max(parameters.evidenceEpochs, 2)
        guard ended.value > kept else { return }
        var oldest = Epoch(ended.value - kept - 1)
        // After a shorter window was voted in, there is more than one to forget.
        while try value(.epoch(oldest)) != nil {
            overlay.set(.epoch(oldest), nil)
            guard let below = oldest.previous else { break }
            oldest = below
        }
    }
}
