import Cryptography
import Encoding
import Primitives
import StateTree

extension AuditFile {
    /// Reads and checks a file from nothing but the genesis.
    ///
    /// - Parameter checkpoint: height and digest of a block that the caller knows to be final; the file must cover it.
    public static func verify(
        _ bytes: [UInt8], genesis: Genesis, checkpoint: (Height, Digest)? = nil
    ) throws(AuditError) -> AuditReport {
        try AuditFile(bytes: bytes).verify(genesis: genesis, checkpoint: checkpoint)
    }

    /// Checks everything that the file claims from nothing but the genesis.
    ///
    /// - Parameter checkpoint: height and digest of a block that the caller knows to be final; it must be the audited
    ///   block or one of its descendants in the file.
    public func verify(genesis: Genesis, checkpoint: (Height, Digest)? = nil) throws(AuditError) -> AuditReport {
        let expected = genesis.hash
        guard genesisHash == expected else { throw .otherGenesis(file: genesisHash, given: expected) }
        let trusted = try checkLinks(genesis: genesis)
        let digests = try checkChain(trusted)
        try checkCheckpoint(checkpoint, digests: digests)
        guard record.isProven(key: .account(account), root: header.stateRoot) else {
            throw .unprovenRecord(account, height: header.height)
        }
        try checkHistory()
        try checkActions()
        let explanation = try checkReputation(parameters: genesis.parameters)
        return AuditReport(file: self, block: digests.first ?? .zero, explanation: explanation, masternodes: trusted.set, genesis: genesis)
    }

    // MARK: The block

    /// - Returns: the set that the genesis and the links lead to.
    private func checkLinks(genesis: Genesis) throws(AuditError) -> TrustedSet {
        var trusted = TrustedSet(genesis: genesis)
        for (index, link) in links.enumerated() {
            do { try trusted.follow(link) } catch { throw .brokenLink(index, error) }
        }
        return trusted
    }

    /// - Returns: digests of the header and its descendants, the last of which a quorum finalised.
    private func checkChain(_ trusted: TrustedSet) throws(AuditError) -> [Digest] {
        let setHash = trusted.set.hash
        guard header.height > .zero else { throw .brokenChain(header.height, "no block has height 0") }
        var digests: [Digest] = []
        var below: Header?
        for current in [header] + descendants {
            // A border block has a Finalization of its own, so no proof reaches across one.
            guard current.epoch == header.epoch, current.epoch >= trusted.epoch else {
                throw .otherEpoch(current.height, current.epoch, expected: max(header.epoch, trusted.epoch))
            }
            guard current.activeSetHash == setHash else {
                throw .otherMasternodes(current.height, header: current.activeSetHash, trusted: setHash)
            }
            if let below, let digest = digests.last {
                guard current.height > below.height, current.height == below.height.next else {
                    throw .brokenChain(current.height, "it follows a header of height \(below.height)")
                }
                guard current.parent == digest else {
                    throw .brokenChain(current.height, "its parent is \(current.parent), but the header below is \(digest)")
                }
                guard current.time > below.time, current.view > below.view else {
                    throw .brokenChain(current.height, "its time or view is not after its parent's")
                }
            }
            digests.append(current.digest(genesis: genesisHash))
            below = current
        }
        guard let top = below, let digest = digests.last else { return digests }
        do { try trusted.check(top, finalization: finalization) } catch {
            switch error {
            case .notFinalised(let height, let error): throw .notFinalised(height, error)
            case .otherView, .heightBefore: throw .notTrusted(error)
            default: throw .otherBlockFinalised(top.height, header: digest, certificate: finalization.subject.digest)
            }
        }
        return digests
    }

    private func checkCheckpoint(_ checkpoint: (Height, Digest)?, digests: [Digest]) throws(AuditError) {
        guard let (height, digest) = checkpoint else { return }
        let above = height.distance(since: header.height)
        guard height >= header.height, above < UInt64(digests.count), let index = Int(exactly: above) else {
            throw .checkpointNotCovered(
                height, lowest: header.height, highest: header.height.advanced(by: UInt64(descendants.count)))
        }
        guard digests[index] == digest else {
            throw .otherThanCheckpoint(height, file: digests[index], checkpoint: digest)
        }
    }

    // MARK: The history

    private func checkHistory() throws(AuditError) {
        let proven = record.value?.history ?? MerkleFrontier()
        var computed = MerkleFrontier()
        for (position, entry) in entries.enumerated() {
            guard entry.index == UInt64(position) else {
                throw .entryOutOfPlace(position: UInt64(position), index: entry.index)
            }
            computed.append(entry.leaf)
        }
        guard computed.size == proven.size else {
            throw .incompleteHistory(entries: computed.size, proven: proven.size)
        }
        guard computed == proven else { throw .changedHistory(computed: computed.root, proven: proven.root) }
        var height = Height.zero
        var time = Time.zero
        for entry in entries {
            guard entry.height >= height, entry.time >= time else {
                throw .entryOutOfTime(entry.index, "it is earlier than the entry before it")
            }
            guard entry.height < header.height, entry.time <= header.time else {
                throw .entryOutOfTime(entry.index, "it is not before the audited block")
            }
            height = entry.height
            time = entry.time
        }
    }

    private func checkActions() throws(AuditError) {
        var next: UInt64 = 0
        for entry in entries {
            guard case .action(let action) = entry.content else { continue }
            guard action.transaction.sender == account else {
                throw .foreignAction(entry.index, sender: action.transaction.sender)
            }
            guard action.transaction.sequence == next else {
                throw .sequenceGap(entry.index, found: action.transaction.sequence, expected: next)
            }
            next += 1
        }
        let proven = record.value?.sequence ?? 0
        guard next == proven else { throw .missingActions(found: next, proven: proven) }
    }

    // MARK: Reputation

    private func checkReputation(parameters: Parameters) throws(AuditError) -> ReputationExplanation {
        let explanation = ReputationExplanation(entries: entries, parameters: parameters)
        for (role, proven) in zip(Role.allCases, reputation) {
            guard proven.isProven(key: .reputation(account, role), root: header.stateRoot) else {
                throw .unprovenReputation(role, height: header.height)
            }
            let stated = proven.value ?? ReputationRecord()
            let computed = explanation.record(of: role)
            guard stated == computed else { throw .wrongReputation(role, computed: computed, proven: stated) }
        }
        return explanation
    }
}
