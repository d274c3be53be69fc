import Cryptography
import Encoding
import Primitives

/// Proposals and votes (architecture, section 3). What was accepted takes effect at the border into its epoch.
extension Executor {
    /// Opens a proposal. - Returns: its number.
    func proposeChange(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) -> [UInt8] {
        let data: ProposeChange = try decode(transaction)
        try refuseValue(of: transaction)
        try gas.charge(parameters.gas(of: .proposeChange))
        guard !voters(of: transaction.sender).isEmpty else { throw .failed(Self.noVoter) }
        guard data.from >= context.epoch.secondAfter, data.from.distance(since: context.epoch) <= Self.farthest else {
            throw .failed(
                "a change can hold from epoch \(context.epoch.secondAfter) to \(context.epoch.advanced(by: Self.farthest)), not from \(data.from)")
        }
        // Whether another one is there, and what they have locked, shows by looking at all of them.
        switch data.change {
        case .removeMasternode, .parameter: try chargeForMasternodes(&gas)
        case .upgrade: break
        }
        if let problem = try problem(of: data.change) { throw .failed(problem) }
        var index: ProposalIndex = try decoded(.proposalIndex) ?? ProposalIndex()
        try gas.charge(parameters.storageGas(reads: UInt64(clamping: index.open.count)))
        let own = try index.open.count { number throws(Halt) in
            let record: ProposalRecord? = try decoded(.proposal(number))
            return record?.proposer == transaction.sender
        }
        guard own < ProposalRecord.mostOpenOfOne else {
            throw .failed("\(own) proposals of this account are open already")
        }
        guard index.open.count < ProposalRecord.mostOpen else {
            throw .failed("\(ProposalRecord.mostOpen) proposals are open already")
        }
        let number = index.next
        index.next = number.addingSaturating(1)
        index.open.append(number)
        overlay.set(.proposalIndex, index)
        overlay.set(
            .proposal(number),
            ProposalRecord(
                number: number, proposer: transaction.sender, change: data.change, from: data.from,
                proposedIn: context.epoch))
        emit("governance.proposed", number.borsh)
        return number.borsh
    }

    /// Epochs that a proposal may look ahead.
    private static let farthest: UInt64 = 10_000
    private static let noVoter = "the sender is neither owner nor consensus key of a masternode of this epoch's set"

    /// Every masternode of the epoch's set has one vote, which its owner or its consensus key casts once. A quorum of
    /// the set accepts; so many against that no quorum can be reached reject.
    func voteProposal(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) {
        let ballot: Ballot = try decode(transaction)
        try refuseValue(of: transaction)
        try gas.charge(parameters.gas(of: .voteProposal))
        guard let number = transaction.postId.proposalNumber, var proposal: ProposalRecord = try decoded(.proposal(number))
        else { throw .failed("there is no proposal '\(transaction.postId)'") }
        guard proposal.outcome == .open else { throw .failed("proposal \(number) is \(proposal.outcome)") }
        let voters = voters(of: transaction.sender)
        guard !voters.isEmpty else { throw .failed(Self.noVoter) }
        let fresh = voters.filter { !proposal.approvals.contains($0) && !proposal.rejections.contains($0) }
        guard !fresh.isEmpty else { throw .failed("this masternode has voted on proposal \(number) already") }
        guard max(proposal.approvals.count, proposal.rejections.count) + fresh.count <= ProposalRecord.mostVotes else {
            throw .failed("too many votes were cast on proposal \(number)")
        }
        if ballot.approves { proposal.approvals += fresh } else { proposal.rejections += fresh }
        let set = context.set
        // Only those count who are in the set now: sets change while a proposal is open.
        let approvals = proposal.approvals.count { set.index(of: $0) != nil }
        let rejections = proposal.rejections.count { set.index(of: $0) != nil }
        if approvals >= set.quorum {
            proposal.outcome = .accepted
            emit("governance.accepted", number.borsh)
        } else if rejections > set.count - set.quorum {
            proposal.outcome = .rejected
            try close(number)
            emit("governance.rejected", number.borsh)
        }
        overlay.set(.proposal(number), proposal)
    }

    private func close(_ number: UInt64) throws(Halt) {
        var index: ProposalIndex = try decoded(.proposalIndex) ?? ProposalIndex()
        index.open.removeAll { $0 == number }
        overlay.set(.proposalIndex, index)
    }

    /// Consensus keys of the set for which this account speaks.
    private func voters(of account: Account) -> [PublicKey] {
        context.set.members.filter { $0.owner == account || Account($0.consensusKey) == account }.map(\.consensusKey)
    }

    /// Why the change can't be made as things are.
    private func problem(of change: Change) throws(Halt) -> String? {
        switch change {
        case .parameter(let name, let value):
            let current = try currentParameters()
            let changed: Parameters
            switch current.changing(name, to: value) {
            case .success(let parameters): changed = parameters
            case .failure(let error): return error.description
            }
            // Whoever joined while the collateral was smaller has no more than that.
            guard let least = try masternodes().filter(\.isActive).map(\.collateral).min() else { break }
            if changed.creditsMissing(collateral: least) > current.creditsMissing(collateral: least) {
                return
                    "\(least) is what a masternode has locked, and would earn too few credits for ten transactions of \(changed.transactionGas) gas at a balancePerCredit of \(changed.balancePerCredit): it could stop the chain"
            }
        case .removeMasternode(let key):
            guard let record = try masternode(key) else { return "no masternode with the consensus key \(key) is registered" }
            switch record.status {
            case .active, .suspended: break
            case .leaving, .removed, .slashed: return "this masternode leaves or has left already"
            }
            guard try masternodes().contains(where: { $0.isProven && $0.consensusKey != key }) else {
                return "it is the only masternode that is there: without it the chain would stand still"
            }
        case .upgrade(let version):
            // One after the other: a number that no program will ever know would stop the chain.
            let (next, overflow) = context.protocolVersion.addingReportingOverflow(1)
            guard !overflow, version == next else {
                return "the chain runs protocol version \(context.protocolVersion): only the next one can follow"
            }
        }
        return nil
    }

    /// As governance has left them, whatever this epoch runs by.
    func currentParameters() throws(Halt) -> Parameters { try decoded(.parameters) ?? ledger.genesis.parameters }

    /// At the border into `epoch`: what was accepted for it takes effect, what was not decided by then is over.
    /// - Returns: the protocol version from then on.
    func applyProposals(for epoch: Epoch) throws(Halt) -> UInt16 {
        var version = context.protocolVersion
        let index: ProposalIndex = try decoded(.proposalIndex) ?? ProposalIndex()
        for number in index.open {
            guard var proposal: ProposalRecord = try decoded(.proposal(number)), proposal.from <= epoch else { continue }
            // By the masternodes of now: who accepted it long ago may be there no more.
            let approvals = proposal.approvals.count { context.set.index(of: $0) != nil }
            if proposal.outcome == .accepted, approvals >= context.set.quorum, try problem(of: proposal.change) == nil {
                proposal.outcome = .applied
                try apply(proposal.change, version: &version)
                emit("governance.applied", number.borsh)
            } else {
                proposal.outcome = .expired
                emit("governance.expired", number.borsh)
            }
            overlay.set(.proposal(number), proposal)
            try close(number)
        }
        return version
    }

    private func apply(_ change: Change, version: inout UInt16) throws(Halt) {
        switch change {
        case .parameter(let name, let value):
            if case .success(let changed) = try currentParameters().changing(name, to: value) {
                overlay.set(.parameters, changed)
            }
        case .removeMasternode(let key):
            guard var record = try masternode(key) else { return }
            record.status = .removed(in: context.epoch, unlocksAt: time.advanced(by: parameters.unbondingMs))
            set(record)
        case .upgrade(let newer): version = max(version, newer)
        }
    }
}
