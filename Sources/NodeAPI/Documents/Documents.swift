import APIModel
import Cryptography
import Encoding
import Primitives

// From what the node says to what goes over the wire.

extension StatusDocument {
    init(_ status: NodeStatus, genesis: Genesis, hash: Digest) {
        var finality: Finality?
        if let p50 = status.finalityP50Ms, let p95 = status.finalityP95Ms { finality = Finality(p50: p50, p95: p95) }
        self.init(
            chain: genesis.chainName, genesisHash: hash, version: status.version, role: status.role.rawValue,
            node: status.nodeName,
            head: Head(height: status.headHeight, digest: status.headDigest, time: status.headTime),
            state: State(height: status.stateHeight, root: status.stateRoot), epoch: status.epoch,
            protocolVersion: status.protocolVersion,
            upgrade: status.upgrade.map { Upgrade(protocolVersion: $0.protocolVersion, epoch: $0.from) },
            view: status.view, peers: status.peersConnected,
            mempool: Mempool(transactions: status.mempoolCount, bytes: status.mempoolBytes),
            uptimeMs: status.uptimeMs, finalityMs: finality, catchingUp: status.catchingUp, notVoting: status.notVoting,
            clockOffsetMs: status.clockOffsetMs.map { Int(clamping: $0) }, storeProblem: status.storeProblem,
            liveness: status.liveness.map { LivenessDocument($0) })
    }
}

extension LivenessDocument {
    init(_ liveness: Liveness) {
        self.init(
            stalled: liveness.isStalled, sinceBlockMs: liveness.sinceBlockMs, stallsAfterMs: liveness.stallsAfterMs,
            masternodes: liveness.masternodes, reachable: liveness.reachable, quorum: liveness.quorum)
    }
}

extension HealthDocument {
    init(_ status: NodeStatus) {
        if let problem = status.liveness.flatMap({ LivenessDocument($0).problem }) {
            self.init(status: .stalled, height: status.headHeight.value, reason: problem)
        } else if let problem = status.storeProblem {
            self.init(status: .damaged, height: status.headHeight.value, reason: problem)
        } else if status.catchingUp {
            self.init(
                status: .catchingUp, height: status.headHeight.value,
                reason: "the node fetches blocks that it missed; ask another one meanwhile")
        } else {
            self.init(status: .ok, height: status.headHeight.value, reason: nil)
        }
    }
}

extension BlockDocument {
    init(_ stored: StoredBlock, genesis: Digest) {
        self.init(
            stored.block, digest: stored.digest, bytes: stored.block.block.borsh.count,
            transactions: stored.block.block.transactions.map {
                TransactionDocument($0, id: $0.id(genesis: genesis), withData: false)
            })
    }
}

extension TransactionStateDocument {
    /// - Parameter service: the one that the transaction is for, where it is registered.
    init(_ state: TransactionState, id: TransactionId, service: ServiceRecord?) {
        let signed = state.transaction
        self.init(
            transaction: TransactionDocument(signed, id: id, withData: true),
            meaning: Meaning.of(signed.transaction, kind: service?.kind), inclusion: nil)
        guard case .included(let found) = state else { return }
        var inclusion = Inclusion(height: found.height, index: found.index, time: found.time, receipt: found.receipt)
        inclusion.receipt.events = found.receipt.events.map { event in
            let isJob = service?.kind == "job" && service?.contract == event.contract
            return EventDocument(event, meaning: isJob ? Meaning.of(jobEvent: event) : nil)
        }
        self.inclusion = inclusion
        self.state = .included
    }
}

extension MasternodesDocument {
    init(_ view: MasternodesView) {
        self.init(
            progress: view.place.progress, view: view.place.view, leader: view.place.leader,
            quorum: view.place.plan.set.quorum, parameters: view.parameters, rewardPool: view.rewardPool,
            masternodes: view.masternodes.map { MasternodeDocument($0) })
    }
}

extension MasternodeDocument {
    init(_ view: MasternodeView) {
        self.init(
            view.record, epoch: view.epoch, seenThisEpoch: view.seenThisEpoch, index: view.index,
            nextIndex: view.nextIndex,
            connected: view.connected, isSelf: view.isSelf, isLeader: view.isLeader)
    }
}

extension ProposalsDocument {
    init(_ page: ProposalsPage) {
        self.init(epoch: page.epoch, quorum: page.quorum, proposals: page.records, next: page.next)
    }
}

extension ParametersDocument {
    init(_ view: ParametersView, genesis: Genesis) {
        self.init(
            epoch: view.epoch, protocolVersion: view.protocolVersion, parameters: view.parameters,
            genesis: genesis.parameters)
    }
}

extension ServiceDocument {
    init(_ view: ServiceView) { self.init(view.record, balance: view.balance) }
}

extension HistoryDocument {
    /// A page holds at most this many bytes of entries, and always one entry.
    static let pageBytes = 2_000_000

    init(_ page: HistoryPage, account: Account, genesis: Digest) {
        var kept: [HistoryEntry] = []
        var bytes = 0
        for entry in page.entries {
            bytes += entry.borsh.count
            if bytes > Self.pageBytes, !kept.isEmpty { break }
            kept.append(entry)
        }
        self.init(account: account, size: page.size, root: page.root, entries: kept, genesis: genesis)
    }
}
