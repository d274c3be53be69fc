import Encoding
import Primitives

/// The one place of the ledger where money moves: between balances, into and out of collateral and state deposits, into
/// and out of the reward pool, into and out of the supply.
///
/// After every block ``Overlay/checkConservation(height:)`` adds up what all of this did: balances, collateral, deposits
/// and pool together change exactly as the supply does. A node that finds otherwise stops rather than go on with money
/// that was made or lost.
///
/// Credits follow the stake (``Credits``): what leaves an account takes its part of the credits along, what arrives
/// brings none.
struct Treasury {
    let overlay: Overlay
    let credits: Credits
    let parameters: Parameters
    let time: Time

    enum Payment: Equatable {
        case paid
        /// The source has less.
        case uncovered
        /// The recipient does not exist yet, and the amount does not cover the deposit of its record.
        case underDeposit(UInt128)
        /// No supply comes near.
        case overflow
    }

    // MARK: Balances

    /// Moves money between balances; nothing moves unless all does.
    ///
    /// An account that receives its first money locks the deposit of its record out of it.
    /// - Parameter carryingCredits: whether the credits that leave the source reach the target, as far as it can hold
    ///   them, instead of vanishing: when a service is funded, so that it can act at once.
    func pay(
        _ amount: UInt128, from source: Account, to target: Account, carryingCredits: Bool = false
    ) throws(LedgerError) -> Payment {
        guard amount > 0 else { return .paid }
        var payer = try overlay.account(source)
        guard payer.balance >= amount else { return .uncovered }
        guard source != target else { return .paid }
        let known = try overlay.record(target)
        var payee = known ?? AccountRecord()
        let (sum, overflow) = payee.balance.addingReportingOverflow(amount)
        guard !overflow else { return .overflow }
        let opening = known == nil ? parameters.accountDeposit : 0
        guard amount >= opening else { return .underDeposit(opening) }
        let carried = credits.detach(amount, from: &payer, at: time)
        payer.balance -= amount
        credits.settle(&payee, at: time)
        payee.balance = sum - opening
        payee.deposit += opening
        if carryingCredits { credits.refund(carried, to: &payee, at: time) }
        try overlay.setAccount(source, payer)
        try overlay.setAccount(target, payee)
        try repayDeposit(of: target)
        return .paid
    }

    /// Adds to a balance what was taken or made elsewhere. A sum over 2^128 can't be, since the supply has fitted.
    private func credit(_ amount: UInt128, to account: Account) throws(LedgerError) {
        guard amount > 0 else { return }
        var record = try overlay.account(account)
        credits.settle(&record, at: time)
        record.balance = record.balance.addingSaturating(amount)
        try overlay.setAccount(account, record)
        try repayDeposit(of: account)
    }

    // MARK: Collateral

    /// False, and nothing locked, when the owner has less.
    func lock(_ amount: UInt128, from owner: Account, on account: Account) throws(LedgerError) -> Bool {
        var payer = try overlay.account(owner)
        guard payer.balance >= amount else { return false }
        _ = credits.detach(amount, from: &payer, at: time)
        payer.balance -= amount
        try overlay.setAccount(owner, payer)
        var holder = try overlay.account(account)
        credits.settle(&holder, at: time)
        holder.locked = holder.locked.addingSaturating(amount)
        try overlay.setAccount(account, holder)
        return true
    }

    /// Sets part of an account's balance aside, under its own name: it stays its stake. False when it has less.
    func setAside(_ amount: UInt128, of account: Account) throws(LedgerError) -> Bool {
        var record = try overlay.account(account)
        let (locked, overflow) = record.locked.addingReportingOverflow(amount)
        guard record.balance >= amount, !overflow else { return false }
        record.balance -= amount
        record.locked = locked
        try overlay.setAccount(account, record)
        return true
    }

    /// Makes what was set aside part of the balance again.
    func giveBack(_ amount: UInt128, of account: Account) throws(LedgerError) {
        var record = try overlay.account(account)
        let returned = min(amount, record.locked)
        record.locked -= returned
        record.balance = record.balance.addingSaturating(returned)
        try overlay.setAccount(account, record)
    }

    /// Gives collateral back to its owner.
    func unlock(_ collateral: UInt128, of account: Account, to owner: Account) throws(LedgerError) {
        try credit(try takeLocked(collateral, of: account), to: owner)
    }

    /// Takes collateral for good: half of it is burned, half goes to the reward pool.
    func forfeit(_ collateral: UInt128, of account: Account, burns: Bool) throws(LedgerError) {
        let forfeited = try takeLocked(collateral, of: account)
        let pooled = forfeited / 2
        try add(pooled, to: .rewardPool)
        if burns {
            let supply = try number(.supply)
            overlay.set(.supply, (supply - min(supply, forfeited - pooled)).borsh)
        }
    }

    private func takeLocked(_ collateral: UInt128, of account: Account) throws(LedgerError) -> UInt128 {
        var holder = try overlay.account(account)
        let amount = min(collateral, holder.locked)
        _ = credits.detach(amount, from: &holder, at: time)
        holder.locked -= amount
        try overlay.setAccount(account, holder)
        return amount
    }

    // MARK: Rewards

    /// Makes the epoch's reward and pays it, with what slashes left in the pool, in equal parts; what can't be divided
    /// waits for the next border.
    func payRewards(minting minted: UInt128, to owners: [Account]) throws(LedgerError) {
        let count = UInt128(owners.count)
        guard count > 0 else { return }
        let pool = try number(.rewardPool)
        let (supply, tooMuch) = try number(.supply).addingReportingOverflow(minted)
        let (sum, overflow) = pool.addingReportingOverflow(minted)
        guard !tooMuch, !overflow, sum > 0 else { return }
        if minted > 0 { overlay.set(.supply, supply.borsh) }
        let share = sum / count
        for owner in owners { try credit(share, to: owner) }
        let rest = sum - share * count
        if rest != pool { overlay.set(.rewardPool, rest.borsh) }
    }

    // MARK: Deposits

    /// Locks part of the balance for state that the account makes exist. False, and nothing locked, when it has less.
    func hold(_ amount: UInt128, of account: Account) throws(LedgerError) -> Bool {
        guard amount > 0 else { return true }
        var record = try overlay.account(account)
        guard record.balance >= amount else { return false }
        record.balance -= amount
        record.deposit += amount
        try overlay.setAccount(account, record)
        return true
    }

    /// Gives back what was locked for state that is gone.
    func release(_ amount: UInt128, of account: Account) throws(LedgerError) {
        var record = try overlay.account(account)
        let released = min(amount, record.deposit)
        guard released > 0 else { return }
        record.deposit -= released
        record.balance = record.balance.addingSaturating(released)
        try overlay.setAccount(account, record)
    }

    /// Takes a deposit for good: half of it is burned, half goes to the reward pool.
    func forfeitDeposit(_ amount: UInt128, of account: Account) throws(LedgerError) {
        var record = try overlay.account(account)
        let taken = min(amount, record.deposit)
        guard taken > 0 else { return }
        // A deposit is stake: what it had grown leaves with it.
        _ = credits.detach(taken, from: &record, at: time)
        record.deposit -= taken
        try overlay.setAccount(account, record)
        let pooled = taken / 2
        try add(pooled, to: .rewardPool)
        let supply = try number(.supply)
        overlay.set(.supply, (supply - min(supply, taken - pooled)).borsh)
    }

    /// Opens an account that has no money: a service's contract lends the deposit. False when it can't.
    func openAccount(_ account: Account, lender: Account) throws(LedgerError) -> Bool {
        guard try overlay.record(account) == nil else { return true }
        let lent = parameters.accountDeposit
        guard try hold(lent, of: lender) else { return false }
        var record = AccountRecord(sponsor: lender, lent: lent)
        credits.settle(&record, at: time)
        try overlay.setAccount(account, record)
        return true
    }

    /// An account that has money holds its deposit itself, and its sponsor gets its own back.
    private func repayDeposit(of account: Account) throws(LedgerError) {
        var record = try overlay.account(account)
        guard record.lent > 0, let sponsor = record.sponsor, record.balance >= record.lent else { return }
        let lent = record.lent
        record.balance -= lent
        record.deposit += lent
        record.lent = 0
        try overlay.setAccount(account, record)
        try release(lent, of: sponsor)
    }

    // MARK: Single values

    private func add(_ amount: UInt128, to key: StateKey) throws(LedgerError) {
        guard amount > 0 else { return }
        overlay.set(key, try number(key).addingSaturating(amount).borsh)
    }

    private func number(_ key: StateKey) throws(LedgerError) -> UInt128 { try overlay.amount(key) }
}

extension Overlay {
    /// A whole number of the state; 0 where it is absent.
    func amount(_ key: StateKey) throws(LedgerError) -> UInt128 { try Self.amount(key, value(key)) }

    private static func amount(_ key: StateKey, _ bytes: [UInt8]?) throws(LedgerError) -> UInt128 {
        guard let bytes else { return 0 }
        var decoder = BorshDecoder(bytes)
        do {
            let number: UInt128 = try decoder.integer()
            try decoder.finish()
            return number
        } catch { throw .corruptState(key, "it is no u128: \(error)") }
    }

    /// Whether balances, collateral, deposits and reward pool together changed exactly as the supply did since the base.
    /// With the genesis, whose supply is their sum, it follows for the whole state.
    ///
    /// Sums are taken modulo 2^128: a supply fits, so equality modulo 2^128 is equality.
    func checkConservation(height: Height) throws(LedgerError) {
        var before: UInt128 = try Self.amount(.rewardPool, original(.rewardPool))
        var after = try amount(.rewardPool)
        for account in changedAccounts {
            let (old, new) = try versions(of: account)
            before &+= old.balance &+ old.locked &+ old.deposit
            after &+= new.balance &+ new.locked &+ new.deposit
        }
        let supplyBefore = try Self.amount(.supply, original(.supply))
        let supplyAfter = try amount(.supply)
        guard after &- before == supplyAfter &- supplyBefore else {
            throw .notConserved(height, made: after &- before, supply: supplyAfter &- supplyBefore)
        }
    }
}

extension UInt128 {
    func addingSaturating(_ other: UInt128) -> UInt128 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
