import Consensus
import Cryptography
import Ledger
import Primitives

/// Contradictions that this node has seen become transactions, until the ledger has slashed the offender.
extension NodeMachine {
    struct Case {
        let evidence: Evidence
        /// Members report one after the other, in the order of the set from the offender on, so that one report is enough.
        let dueTick: UInt64
    }

    func keep(_ evidence: Evidence, _ clock: NodeClock) {
        outputs.append(.note(.evidence(evidence)))
        // Whoever waits for its own epoch reports too, after the members: it may be the only one that saw both votes.
        guard rules.reportEvidence, identity != nil, let offender = epoch.set.member(evidence.signer)?.consensusKey,
            cases[offender] == nil
        else { return }
        let count = UInt64(epoch.set.count)
        let turn = me.map { (UInt64($0) + count - UInt64(evidence.signer)) % count } ?? count
        cases[offender] = Case(evidence: evidence, dueTick: ticks &+ max(1, turn) &- 1)
        reportCases(clock)
    }

    func reportCases(_ clock: NodeClock) {
        guard let identity, !cases.isEmpty else { return }
        let account = Account(identity.key)
        for (offender, known) in cases.sorted(by: { $0.key < $1.key }) {
            switch standing(of: offender, known.evidence) {
            case .settled: cases[offender] = nil
            case .open where known.dueTick <= ticks && mempool.waiting(of: account).isEmpty:
                report(known.evidence, as: account, identity, clock)
            case .open: break
            }
        }
    }

    private enum Standing { case settled, open }

    /// Whether a report would still do something, as far as the newest final state tells.
    private func standing(of offender: PublicKey, _ evidence: Evidence) -> Standing {
        guard epoch.epoch.distance(since: evidence.epoch) <= epoch.parameters.evidenceEpochs,
            // The ledger may have forgotten the set of that epoch already.
            (try? head.layer.value(.epoch(evidence.epoch))).flatMap({ $0 }) != nil,
            let bytes = try? head.layer.value(.masternode(offender)), let record = try? MasternodeRecord(borsh: bytes)
        else { return .settled }
        if case .slashed = record.status { return .settled }
        return .open
    }

    private func report(_ evidence: Evidence, as account: Account, _ identity: NodeIdentity, _ clock: NodeClock) {
        let parameters = epoch.parameters
        let data = evidence.borsh
        guard let bytes = try? head.layer.value(.account(account)), let record = try? AccountRecord(borsh: bytes),
            let transaction = try? Transaction(
                sender: account, sequence: record.sequence,
                validUntil: max(head.header.time, clock.wall).advanced(by: parameters.validityMs / 2),
                gasLimit: parameters.gasToReport(dataBytes: data.count), serviceId: .chain,
                actionId: .reportEquivocation, data: data),
            let signature = try? identity.signer.sign(
                message: SigningDomain.transaction.message(genesis: genesisHash, body: transaction))
        else { return }
        let signed = SignedTransaction(transaction: transaction, authorization: .ed25519(signature))
        if case .taken = admit(signed, clock) { outputs.append(.broadcast(.transactions([signed]), to: .masternodes)) }
    }
}
