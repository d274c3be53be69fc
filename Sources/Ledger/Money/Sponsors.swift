import Encoding
import Primitives

/// Reads of the state as validity and execution both need them.
protocol LedgerView {
    func bytes(_ key: StateKey) throws(LedgerError) -> [UInt8]?
    /// Nil for an account of which the chain knows nothing.
    func accountRecord(_ account: Account) throws(LedgerError) -> AccountRecord?
}

extension LedgerView {
    func decoded<Value: BorshDecodable>(_ key: StateKey, as type: Value.Type = Value.self) throws(LedgerError) -> Value? {
        guard let bytes = try bytes(key) else { return nil }
        do { return try Value(borsh: bytes) } catch { throw .corruptState(key, error.description) }
    }
}

extension Overlay: LedgerView {
    func bytes(_ key: StateKey) throws(LedgerError) -> [UInt8]? { try value(key) }
    func accountRecord(_ account: Account) throws(LedgerError) -> AccountRecord? { try record(account) }
}

/// A state that nothing changes while it is looked at.
struct ParentView: LedgerView {
    let state: any StateReader

    func bytes(_ key: StateKey) throws(LedgerError) -> [UInt8]? { try state.read(key) }
    func accountRecord(_ account: Account) throws(LedgerError) -> AccountRecord? { try state.read(.account(account)) }
}

/// What a service has left for those whom it sponsors, in the credit window at hand. Validity takes it from the parent's
/// state and counts a block's reservations in it; execution takes it from the state at hand.
struct Sponsor {
    let service: ServiceRecord
    /// Of the contract's account.
    var credits: UInt64
    var balance: UInt128
    /// What it has locked, for its storage and for whom it lent to.
    private var deposit: UInt128
    var counters: ContractCounters
    private let window: UInt64
    private let parameters: Parameters

    /// Nil where the service does not exist or pays for nobody.
    init?(
        _ id: ServiceId, view: some LedgerView, parameters: Parameters, at time: Time
    ) throws(LedgerError) {
        guard let service: ServiceRecord = try view.decoded(.service(id)), !service.sponsorship.isNone else { return nil }
        self.service = service
        self.parameters = parameters
        let record = try view.accountRecord(service.contract) ?? AccountRecord()
        credits = Credits(parameters).available(record, at: time)
        balance = record.balance
        deposit = record.deposit
        counters = try view.decoded(.counters(service.contract)) ?? ContractCounters()
        window = parameters.creditWindow(of: time)
        if counters.sponsorWindow != window {
            counters.sponsorWindow = window
            counters.sponsored = 0
            counters.newcomers = 0
        }
    }

    /// An account that asks to be paid for.
    struct Member {
        fileprivate(set) var isMember: Bool
        private(set) var exists: Bool
        /// Nil where the service never paid for it.
        var use: SponsorUse?

        init(_ account: Account, of service: ServiceRecord, view: some LedgerView) throws(LedgerError) {
            isMember = try view.bytes(.membership(service.contract, account)) != nil
            exists = try view.accountRecord(account) != nil
            use = try view.decoded(.sponsorUse(service.contract, account))
        }

        /// After its first transaction.
        var opened: Member {
            var opened = self
            opened.exists = true
            return opened
        }
    }

    /// Why it does not pay so many credits for this account's action; nil where it does.
    func refusal(_ member: Member, action: ActionId, credits needed: UInt64) -> String? {
        let sponsorship = service.sponsorship
        if service.retiredAt != nil, action != .releaseRelation { return "it has ended" }
        let used = member.use.map { $0.window == window ? $0.credits : 0 } ?? 0
        var all = sponsorship.creditsPerWindow
        if !member.isMember {
            guard action == .applicationTask || action == .postSecondLayerId else {
                return "the account has not joined it: first send action \(ActionId.applicationTask.value)"
            }
            // Who was invited shares neither the strangers' places nor their part of the credits.
            if member.use?.isInvited != true {
                if member.use?.window != window, counters.newcomers >= sponsorship.newcomers {
                    return "it has paid for \(counters.newcomers) newcomers in this window already, and the account is not invited"
                }
                all /= 2
                // Whatever number of windows they come in: who has nothing must not lock up what others have earned here.
                let money = balance.addingSaturating(deposit)
                if deposits(member) > 0, deposit.addingSaturating(deposits(member)) > money / Self.strangersPart {
                    return "a \(Self.strangersPart)th of its contract's money is locked as deposits: it lends to nobody more whom it has not invited"
                }
            }
        }
        let (own, overflow) = used.addingReportingOverflow(needed)
        if overflow || own > sponsorship.creditsPerMember {
            return "it pays \(sponsorship.creditsPerMember) credits for one account in a window, of which \(used) are used"
        }
        let (sum, tooMuch) = counters.sponsored.addingReportingOverflow(needed)
        if tooMuch || sum > all { return "it pays \(all) credits in a window, of which \(counters.sponsored) are used" }
        if credits < needed { return "its contract has \(credits) credits left" }
        let lent = deposits(member)
        if balance < lent { return "its contract's balance does not cover the deposit of \(lent) that it would lend" }
        return nil
    }

    /// A contract's deposits may grow to this part of its money for strangers. For its storage, its members and whom its owner
    /// invited they may grow further.
    static let strangersPart: UInt128 = 8

    /// Counts what it lends the account.
    mutating func lend(to member: Member) {
        let lent = min(balance, deposits(member))
        balance -= lent
        deposit = deposit.addingSaturating(lent)
    }

    /// What it lends an account beside the credits: the deposits of its record and of what counts its use.
    func deposits(_ member: Member) -> UInt128 {
        (member.exists ? 0 : parameters.accountDeposit) + (member.use == nil ? parameters.sponsorUseDeposit : 0)
    }

    /// Counts what it pays for the account.
    mutating func pay(_ paid: UInt64, for member: inout Member) {
        var use = member.use ?? SponsorUse()
        if !member.isMember, !use.isInvited, use.window != window || member.use == nil { counters.newcomers = counters.newcomers.addingSaturating(1) }
        if use.window != window {
            use.window = window
            use.credits = 0
        }
        use.credits = use.credits.addingSaturating(paid)
        member.use = use
        counters.sponsored = counters.sponsored.addingSaturating(paid)
        credits -= min(credits, paid)
    }
}

extension Sponsorship {
    struct Place: Hashable {
        let service: ServiceId
        let account: Account
    }
}

extension Parameters {
    /// Windows in which sponsors count what they pay.
    func creditWindow(of time: Time) -> UInt64 { time.value / max(1, creditWindowMs) }

    var membershipDeposit: UInt128 { deposit(keyBytes: 65, valueBytes: 16) }

    /// Of what counts an account's use of a sponsor.
    var sponsorUseDeposit: UInt128 { deposit(keyBytes: 65, valueBytes: 40) }
}

// MARK: Invitations

extension Executor {
    /// The owner says whom its service pays for before they have joined: strangers, who cost nothing, may use up the
    /// places for newcomers.
    func inviteMembers(_ transaction: Transaction, gas: inout GasMeter) throws(Halt) {
        try refuseValue(of: transaction)
        let data: InviteMembers = try decode(transaction)
        try gas.charge(readGas(.service(data.service)))
        guard let service = try service(data.service) else { throw .failed("there is no service '\(data.service)'") }
        guard service.owner == transaction.sender else {
            throw .failed("the sender is not the owner of '\(data.service)'")
        }
        try gas.charge(writeGas(.account(service.contract)))
        for account in data.accounts {
            let key = StateKey.sponsorUse(service.contract, account)
            try gas.charge(writeGas(key, bytes: 106))
            let known: SponsorUse? = try decoded(key)
            if data.invites {
                guard !account.publicKey.isOfSmallOrder else {
                    throw .failed("\(account) is a key of small order: anybody can sign for it")
                }
                if known == nil { try hold(parameters.sponsorUseDeposit, of: service.contract, for: "an invitation") }
                var use = known ?? SponsorUse()
                use.isInvited = true
                overlay.set(key, use)
            } else if var use = known {
                use.isInvited = false
                // What counts in this window, or was lent, has to stay.
                let isIdle = use.lent == 0 && (use.credits == 0 || use.window != parameters.creditWindow(of: time))
                overlay.set(key, isIdle ? nil : use.borsh)
                if isIdle {
                    do { try treasury.release(parameters.sponsorUseDeposit, of: service.contract) } catch { throw .ledger(error) }
                }
            }
        }
    }
}

extension UInt32 {
    func addingSaturating(_ other: UInt32) -> UInt32 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}

// MARK: Execution

extension Executor {
    /// Who pays for a transaction.
    enum Payer {
        case sender
        case sponsor(Sponsor, Sponsor.Member)
        /// The sender does not exist, and whoever was to pay for it no longer can: money moved within the block.
        case nobody
        /// The sender exists, and neither it nor a sponsor has any more what the transaction reserves.
        case insolvent
    }

    /// The sender where it has what the transaction reserves, else a service that sponsors it.
    func payer(of transaction: Transaction, reserved: UInt64) throws(LedgerError) -> Payer {
        let record = try overlay.record(transaction.sender)
        if let record, credits.available(record, at: time) >= reserved { return .sender }
        if transaction.actionId.range != .chain,
            let sponsor = try Sponsor(transaction.serviceId, view: overlay, parameters: parameters, at: time)
        {
            let member = try Sponsor.Member(transaction.sender, of: sponsor.service, view: overlay)
            if sponsor.refusal(member, action: transaction.actionId, credits: reserved) == nil {
                return .sponsor(sponsor, member)
            }
        }
        return record == nil ? .nobody : .insolvent
    }

    /// Lends the deposits, before anything else of the transaction happens. False when the contract can't.
    func lend(_ sponsor: Sponsor, _ member: Sponsor.Member, to account: Account) throws(LedgerError) -> Bool {
        let contract = sponsor.service.contract
        guard try overlay.account(contract).balance >= sponsor.deposits(member) else { return false }
        if member.use == nil {
            guard try treasury.hold(parameters.sponsorUseDeposit, of: contract) else { return false }
            overlay.set(.sponsorUse(contract, account), SponsorUse())
        }
        guard try treasury.openAccount(account, lender: contract) else { return false }
        return true
    }

    /// Counts what a sponsored transaction spent of its sponsor's limits.
    /// - Parameter wasMember: before the transaction, which may have made it one.
    func count(_ spent: UInt64, _ sponsor: Sponsor, for account: Account, wasMember: Bool) throws(LedgerError) {
        let contract = sponsor.service.contract
        // The transaction itself may have changed what counts.
        guard var counting = try Sponsor(sponsor.service.service, view: overlay, parameters: parameters, at: time) else { return }
        var member = try Sponsor.Member(account, of: sponsor.service, view: overlay)
        member.isMember = wasMember
        counting.pay(spent, for: &member)
        overlay.set(.counters(contract), counting.counters)
        if let use = member.use { overlay.set(.sponsorUse(contract, account), use) }
        var record = try overlay.account(account)
        if record.lent == 0, record.sponsor != contract {
            record.sponsor = contract
            try overlay.setAccount(account, record)
        }
    }
}
