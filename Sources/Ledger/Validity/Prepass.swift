import Cryptography
import Encoding
import Primitives

/// The rules about the transactions of one block, on the parent's state (architecture, section 3). The check of a
/// block and the proposer's choice run the same code, so that what is chosen is always valid.
///
/// Services that the same block registers don't exist yet for these rules: an action from 256 on has to wait for the
/// next block. The contract's own answer to it never matters here.
struct Prepass {
    private struct Sender {
        var nextSequence: UInt64
        var credits: UInt64
    }

    private let parameters: Parameters
    private let state: any StateReader
    private let time: Time
    private let credits: Credits
    private let form: Form
    private var senders: [Account: Sender] = [:]
    private var services: [ServiceId: Bool] = [:]
    private var sponsors: [ServiceId: Sponsor?] = [:]
    private var members: [Sponsorship.Place: Sponsor.Member] = [:]
    private(set) var gas: UInt64 = 0
    private(set) var bytes: Int

    /// - Parameters:
    ///   - bytes: what the block has beside its transactions.
    ///   - transactions: how many will be asked about: for as many there is room at once.
    init(parameters: Parameters, state: any StateReader, time: Time, bytes: Int, transactions: Int = 0) {
        self.parameters = parameters
        self.state = state
        self.time = time
        self.bytes = bytes
        credits = Credits(parameters)
        form = Form(parameters: parameters)
        senders.reserveCapacity(min(transactions, 1_024))
    }

    enum Verdict {
        case taken
        case refused(Refusal)
        /// The block would hold more than it may.
        case full
    }

    /// Takes the transaction as the block's next one, or says why not and stays as it was. The signature is the
    /// caller's to check.
    mutating func add(_ transaction: Transaction, byteCount: Int) throws(LedgerError) -> Verdict {
        if let refusal = form.refusal(of: transaction, byteCount: byteCount) { return .refused(refusal) }
        if let refusal = parameters.timeRefusal(of: transaction, at: time) { return .refused(refusal) }

        var sender = try known(transaction.sender)
        guard transaction.sequence == sender.nextSequence, sender.nextSequence < .max else {
            return .refused(
                transaction.sequence < sender.nextSequence
                    ? .sequenceReused(transaction.sequence, next: sender.nextSequence)
                    : .sequenceGap(transaction.sequence, next: sender.nextSequence))
        }
        if transaction.actionId.range == .contract, try !exists(transaction.serviceId) {
            return .refused(.noSuchService(transaction.serviceId, transaction.actionId))
        }
        let needed = parameters.reservedCredits(transactionBytes: byteCount, gas: transaction.gasLimit)
        let isSponsored = needed > sender.credits
        if isSponsored {
            switch try sponsorRefusal(transaction, needed: needed) {
            case .some(.some(let reason)): return .refused(.notSponsored(transaction.serviceId, reason))
            case .some(nil): break
            case nil:
                return .refused(
                    .tooFewCredits(
                        needed: needed, available: sender.credits,
                        enoughAt: credits.time(of: needed, for: try record(transaction.sender), at: time)))
            }
        }
        let (newGas, overflow) = gas.addingReportingOverflow(transaction.gasLimit)
        guard !overflow, newGas <= parameters.blockGas, byteCount <= Int(parameters.blockBytes) - bytes else {
            return .full
        }

        sender.nextSequence += 1
        if isSponsored { reserve(transaction, needed) } else { sender.credits -= needed }
        senders[transaction.sender] = sender
        gas = newGas
        bytes += byteCount
        return .taken
    }

    /// Nil where no service sponsors anybody for this transaction; else why it refuses this one, or nil where it pays.
    private mutating func sponsorRefusal(_ transaction: Transaction, needed: UInt64) throws(LedgerError) -> String?? {
        guard transaction.actionId.range != .chain else { return nil }
        let view = ParentView(state: state)
        let id = transaction.serviceId
        let known: Sponsor?
        if let cached = sponsors[id] { known = cached } else {
            known = try Sponsor(id, view: view, parameters: parameters, at: time)
            sponsors.updateValue(known, forKey: id)
        }
        guard let sponsor = known else { return nil }
        let place = Sponsorship.Place(service: id, account: transaction.sender)
        let member: Sponsor.Member
        if let cached = members[place] { member = cached } else {
            member = try Sponsor.Member(transaction.sender, of: sponsor.service, view: view)
            members[place] = member
        }
        return .some(sponsor.refusal(member, action: transaction.actionId, credits: needed))
    }

    /// Counts what a sponsor pays and lends in this block, as if all were used.
    private mutating func reserve(_ transaction: Transaction, _ needed: UInt64) {
        let place = Sponsorship.Place(service: transaction.serviceId, account: transaction.sender)
        guard var sponsor = sponsors[transaction.serviceId] ?? nil, var member = members[place] else { return }
        sponsor.lend(to: member)
        sponsor.pay(needed, for: &member)
        members[place] = member.opened
        sponsors.updateValue(sponsor, forKey: transaction.serviceId)
    }

    private mutating func known(_ account: Account) throws(LedgerError) -> Sender {
        if let sender = senders[account] { return sender }
        let record = try record(account)
        let sender = Sender(nextSequence: record.sequence, credits: credits.available(record, at: time))
        senders[account] = sender
        return sender
    }

    private func record(_ account: Account) throws(LedgerError) -> AccountRecord {
        try state.read(.account(account)) ?? AccountRecord()
    }

    private mutating func exists(_ service: ServiceId) throws(LedgerError) -> Bool {
        if let exists = services[service] { return exists }
        let exists = try state.read(.service(service)) != nil
        services[service] = exists
        return exists
    }
}
