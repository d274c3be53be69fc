import Cryptography
import Primitives

/// Who, outside an owner's control, judges the work of its service; and what these parties have sent.
extension Executor {
    /// Whether the service's registered validator is somebody whom the owner can't be or make: the hot account of an
    /// active masternode that belongs to somebody else. Accounts cost nothing; a masternode's collateral does, and the
    /// network knows it by its votes.
    func hasIndependentValidator(_ service: ServiceRecord) throws(LedgerError) -> Bool {
        guard let validator = service.validator, validator != service.owner, validator != service.contract else {
            return false
        }
        guard let record: MasternodeRecord = try overlay.value(.masternode(PublicKey(words: validator.words))) else {
            return false
        }
        return record.isActive && record.owner != service.owner
    }

    /// Draws a committee for the service by the epoch's seed, and notes who it is.
    /// - Parameter attempt: 0, or 1 for another one in the place of one that was silent.
    /// - Returns: the hot accounts of as many masternodes, none of them the owner's; empty where there are fewer.
    func drawCommittee(of service: ServiceRecord, size: Int, attempt: UInt64) throws(LedgerError) -> [Account] {
        var candidates: [Account] = []
        for member in context.set.members where member.owner != service.owner {
            let account = Account(member.consensusKey)
            if try overlay.value(.tombstone(account)) == nil { candidates.append(account) }
        }
        guard size > 0, size <= PanelRecord.mostMembers, candidates.count >= size else { return [] }
        // Fisher and Yates, each choice from a fresh hash; the bias of a 64-bit remainder is below 2^-54.
        var block = Digest(domain: "edgeproof/committee/1", parts: context.plan.seed.bytes, service.contract.bytes)
        for last in stride(from: candidates.count - 1, to: 0, by: -1) {
            block = Digest(domain: "edgeproof/committee/1", parts: block.bytes)
            let draw = block.bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            candidates.swapAt(last, Int(draw % UInt64(last + 1)))
        }
        let start = Int(min(attempt, 1)) * size
        let members = (0..<size).map { candidates[(start + $0) % candidates.count] }
        let key = StateKey.panel(service.contract)
        var panel: PanelRecord = try overlay.value(key) ?? PanelRecord()
        if panel.members != members || !panel.recent.isEmpty {
            panel.seat(members)
            overlay.set(key, panel)
        }
        return members
    }

    /// Notes that an account has itself sent action 6 for an item of the service, where it is one whose word counts.
    func noteValidation(of post: PostId, by sender: Account, for service: ServiceRecord) throws(LedgerError) {
        let key = StateKey.panel(service.contract)
        let before: PanelRecord? = try overlay.value(key)
        let member = before?.members.firstIndex(of: sender)
        var isValidator = sender == service.validator
        if isValidator { isValidator = try hasIndependentValidator(service) }
        guard isValidator || member != nil else { return }
        var panel = before ?? PanelRecord()
        panel.note(post, byValidator: isValidator, member: member, at: time)
        overlay.set(key, panel)
    }
}

/// Who is a member of a service: by its own word alone.
extension Executor {
    /// An account joins by its own action 5.
    func beginMembership(_ account: Account, of service: ServiceRecord) throws(LedgerError) {
        let key = StateKey.membership(service.contract, account)
        guard try overlay.value(key) == nil else { return }
        // What was validated before is not about it, also when it comes back.
        let panel: PanelRecord? = try overlay.value(.panel(service.contract))
        overlay.set(key, MembershipRecord(joinedAt: height, judged: panel?.number ?? 0))
    }

    /// It leaves by its own action 7 without data, whatever the contract says to that. (With data an owner releases
    /// somebody else, which is between the two and their contract.)
    func endMembership(_ transaction: Transaction) throws(LedgerError) {
        guard transaction.actionId == .releaseRelation, transaction.data.isEmpty,
            let service: ServiceRecord = try overlay.value(.service(transaction.serviceId))
        else { return }
        let key = StateKey.membership(service.contract, transaction.sender)
        guard try overlay.value(key) != nil else { return }
        overlay.set(key, nil)
        try releaseMembership(of: transaction.sender, in: service)
    }
}
