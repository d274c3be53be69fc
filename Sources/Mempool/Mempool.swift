import Primitives

/// # Mempool
///
/// Transactions that wait for a block. The caller has admitted them (signature, form, credits) on the newest state;
/// the pool holds them in bounds and hands them out fairly.
///
/// The module promises
/// - **bounds**: the total of shares never exceeds the limit, an account has at most
///   ``ChainLimits/sequenceWindow`` waiting, and nothing that was refused takes memory;
/// - **fairness**: proposals take one transaction of each sender in turn, those first whose turn is longest ago; when
///   the pool is full, a newcomer displaces the last transaction of the sender that takes the most room, and never
///   one of a sender that takes no more than its own;
/// - **order**: an account's transactions come out by contiguous sequence, or not at all;
/// - **determinism**: a value type without clock, randomness or hash table order; the same calls give the same
///   answers.
public struct Mempool: Sendable {
    public let limits: MempoolLimits
    private var senders: [Account: SenderQueue] = [:]
    private var ids: [TransactionId: Place] = [:]
    private var heaviest = ShareIndex()
    /// Counts the turns: a sender's place in the round is when its turn began.
    private var turns: UInt64 = 0
    /// Sum of all shares.
    private var taken = 0
    /// Encoded bytes of all waiting transactions.
    public private(set) var byteCount = 0

    private struct Place: Hashable {
        let sender: Account
        let sequence: UInt64
    }

    public init(limits: MempoolLimits = MempoolLimits()) { self.limits = limits }

    /// Waiting transactions.
    public var count: Int { ids.count }
    public var isEmpty: Bool { ids.isEmpty }
    /// Accounts that have some waiting.
    public var senderCount: Int { senders.count }

    // MARK: In

    /// Takes an admitted transaction.
    /// - Parameter nextSequence: of the sender in the newest state.
    /// - Returns: what had to leave for it, all of other senders.
    public mutating func insert(_ admitted: Admitted, nextSequence: UInt64) throws(MempoolRefusal) -> [Admitted] {
        let transaction = admitted.signed.transaction
        let sender = transaction.sender
        let sequence = transaction.sequence
        guard ids[admitted.id] == nil else { throw .known(admitted.id) }
        advance(sender, to: nextSequence)
        let next = max(nextSequence, senders[sender]?.nextSequence ?? 0)
        guard sequence >= next else { throw .sequenceReused(sequence, next: next) }
        guard sequence - next < ChainLimits.sequenceWindow else { throw .sequenceTooFarAhead(sequence, next: next) }
        if let other = senders[sender]?.waiting(sequence) { throw .sequenceWaiting(sequence, other.id) }

        let share = limits.share(of: admitted)
        let evicted = try makeRoom(for: share, sender: sender)
        taken += share
        byteCount += admitted.byteCount
        ids[admitted.id] = Place(sender: sender, sequence: sequence)
        var queue = senders[sender] ?? SenderQueue(nextSequence: next, turn: newTurn())
        queue.insert(admitted, share: share)
        update(sender, queue)
        return evicted
    }

    /// Takes the last transactions of the heaviest senders out until there is room; puts them back when there can't
    /// be any.
    private mutating func makeRoom(for share: Int, sender: Account) throws(MempoolRefusal) -> [Admitted] {
        guard taken > limits.total - share else { return [] }
        let own = (senders[sender]?.share ?? 0) + share
        var evicted: [(admitted: Admitted, queue: SenderQueue)] = []
        while taken > limits.total - share {
            guard let heavy = heaviest.heaviest(of: senders), heavy.account != sender,
                heavy.share > own, let queue = senders[heavy.account], let last = queue.last
            else {
                for (admitted, queue) in evicted.reversed() { restore(admitted, queue) }
                throw .full(own: own)
            }
            remove(last.id)
            evicted.append((last, queue))
        }
        return evicted.map(\.admitted)
    }

    private mutating func restore(_ admitted: Admitted, _ queue: SenderQueue) {
        let transaction = admitted.signed.transaction
        taken += limits.share(of: admitted)
        byteCount += admitted.byteCount
        ids[admitted.id] = Place(sender: transaction.sender, sequence: transaction.sequence)
        update(transaction.sender, queue)
    }

    // MARK: Out

    /// Takes one out: its sender cancelled it, or no block can hold it any more.
    @discardableResult
    public mutating func remove(_ id: TransactionId) -> Admitted? {
        guard let place = ids[id], var queue = senders[place.sender],
            let admitted = queue.remove(place.sequence, share: limits.share)
        else { return nil }
        forget(admitted)
        update(place.sender, queue)
        return admitted
    }

    /// Drops what the transactions of a finalised block used up: themselves, and others of the same sequences.
    /// Their senders go to the end of the round.
    public mutating func include(_ transactions: [SignedTransaction]) {
        for signed in transactions {
            let transaction = signed.transaction
            guard transaction.sequence < .max else { continue }
            advance(transaction.sender, to: transaction.sequence + 1)
            let turn = newTurn()
            senders[transaction.sender]?.turn = turn
        }
    }

    /// Drops the account's transactions below its next sequence in the state.
    public mutating func advance(_ sender: Account, to nextSequence: UInt64) {
        guard var queue = senders[sender], nextSequence > queue.nextSequence else { return }
        for admitted in queue.advance(to: nextSequence, share: limits.share) { forget(admitted) }
        update(sender, queue)
    }

    /// Drops what no block of this or a later header time may hold.
    /// - Returns: what was dropped, by id.
    @discardableResult
    public mutating func expire(at time: Time) -> [Admitted] {
        var expired: [TransactionId] = []
        for queue in senders.values {
            queue.forEach { if $0.signed.transaction.validUntil < time { expired.append($0.id) } }
        }
        expired.sort()
        return expired.compactMap { remove($0) }
    }

    private mutating func forget(_ admitted: Admitted) {
        ids[admitted.id] = nil
        taken -= limits.share(of: admitted)
        byteCount -= admitted.byteCount
    }

    private mutating func update(_ sender: Account, _ queue: SenderQueue) {
        guard !queue.isEmpty else {
            senders[sender] = nil
            return
        }
        senders[sender] = queue
        heaviest.note(sender, share: queue.share, unit: limits.smallestShare)
        if heaviest.isStale(live: senders.count) {
            let live = senders.sorted { $0.key < $1.key }.map { ($0.key, $0.value.share) }
            heaviest.rebuild(live, unit: limits.smallestShare)
        }
    }

    private mutating func newTurn() -> UInt64 {
        turns += 1
        return turns
    }

    // MARK: Reads

    public func contains(_ id: TransactionId) -> Bool { ids[id] != nil }

    public func transaction(_ id: TransactionId) -> Admitted? {
        ids[id].flatMap { senders[$0.sender]?.waiting($0.sequence) }
    }

    /// What the account has waiting, by sequence.
    public func waiting(of sender: Account) -> [Admitted] {
        var result: [Admitted] = []
        senders[sender]?.forEach { result.append($0) }
        return result
    }

    /// Credits that the account's waiting transactions have reserved.
    public func reservedCredits(of sender: Account) -> UInt64 {
        UInt64(clamping: senders[sender]?.reserved ?? 0)
    }

    /// First sequence from `nextSequence` on that the account has nothing waiting for.
    public func freeSequence(of sender: Account, nextSequence: UInt64) -> UInt64 {
        guard let queue = senders[sender] else { return nextSequence }
        var sequence = max(nextSequence, queue.nextSequence)
        while sequence < .max, queue.waiting(sequence) != nil { sequence += 1 }
        return sequence
    }

    /// Transactions for a proposal: one of each sender in turn, each sender's by contiguous sequence.
    /// - Parameter nextSequence: of an account in the state that the proposal builds on, when that is ahead of the
    ///   finalised one; nil for what the pool knows.
    public func candidates(
        maxBytes: Int, maxCount: Int, nextSequence: (Account) -> UInt64? = { _ in nil }
    ) -> [Admitted] {
        var round = senders.map { (turn: $0.value.turn, account: $0.key, sequence: UInt64?.none) }
        round.sort { ($0.turn, $0.account) < ($1.turn, $1.account) }
        var result: [Admitted] = []
        var bytes = 0
        while !round.isEmpty, result.count < maxCount {
            var following: [(turn: UInt64, account: Account, sequence: UInt64?)] = []
            for place in round {
                guard result.count < maxCount, let queue = senders[place.account] else { break }
                let sequence = place.sequence ?? nextSequence(place.account) ?? queue.nextSequence
                guard let admitted = queue.waiting(sequence) else { continue }
                // One that doesn't fit ends its sender's part; smaller ones of others may still fit.
                guard admitted.byteCount <= maxBytes - bytes else { continue }
                bytes += admitted.byteCount
                result.append(admitted)
                if sequence < .max { following.append((place.turn, place.account, sequence + 1)) }
            }
            round = following
        }
        return result
    }
}
