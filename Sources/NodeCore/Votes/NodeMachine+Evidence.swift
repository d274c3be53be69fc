import Consensus
import Cryptography
import Ledger
import Primitives

/// Contradictions that this node has seen become transactions, until the ledger has slashed the offender.
extension NodeMachine {
    func keep(_ evidence: Evidence, _ clock: NodeClock) {
        outputs.append(.note(.evidence(evidence)))
        // Whoever waits for its own epoch reports too, after the members: it may be the only one that saw both votes.
        guard rules.reportEvidence, identity != nil, let offender = epoch.set.member(evidence.signer)?.consensusKey,
            !cases.isOpen(against: offender)
        else { return }
        let count = UInt64(epoch.set.count)
        let turn = me.map { (UInt64($0) + count - UInt64(evidence.signer)) % count } ?? count
        cases.open(evidence, against: offender, dueTick: ticks &+ max(1, turn) &- 1)
        reportCases(clock)
    }

    func reportCases(_ clock: NodeClock) {
        guard let identity, !cases.isEmpty else { return }
        let account = Account(identity.key)
        for (offender, evidence, isDue) in cases.all(at: ticks) {
            switch standing(of: offender, evidence) {
            case .settled: cases.close(offender)
            case .open where isDue && mempool.waiting(of: account).isEmpty: report(evidence, identity, clock)
            case .open: break
            case nil: return
            }
        }
    }

    private enum Standing { case settled, open }

    /// Whether a report would still do something, as far as the newest final state tells.
    private func standing(of offender: PublicKey, _ evidence: Evidence) -> Standing? {
        guard epoch.epoch.distance(since: evidence.epoch) <= epoch.parameters.evidenceEpochs else { return .settled }
        do {
            // The ledger may have forgotten the set of that epoch already, or the masternode.
            guard try head.layer.value(.epoch(evidence.epoch)) != nil,
                let bytes = try head.layer.value(.masternode(offender))
            else { return .settled }
            if case .slashed = try MasternodeRecord(borsh: bytes).status { return .settled }
            return .open
        } catch {
            // A read that fails is no answer: taken for one, an offender would go free.
            halt("the state could not be read: \(error)")
            return nil
        }
    }

    private func report(_ evidence: Evidence, _ identity: NodeIdentity, _ clock: NodeClock) {
        let data = evidence.borsh
        _ = sendAsMasternode(
            .reportEquivocation, data: data, gas: epoch.parameters.gasToReport(dataBytes: data.count), identity, clock)
    }
}
