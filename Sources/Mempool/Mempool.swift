import Primitives

/// # Mempool
///
/// Transactions that wait for a block. The caller has admitted them (sequence, time, credits, then signature) on the
/// newest state; the pool holds them in bounds and hands them out in proportion to the stake behind them.
///
/// The module promises
/// - **bounds**: the total of shares never exceeds the limit, an account has at most ``ChainLimits/sequenceWindow``
///   waiting, and nothing that was refused takes memory;
/// - **shares by stake**: every ready transaction has a tag, which grows by `cost / weight` with each one of the same
///   payer (weighted fair queueing, Demers, Keshav and Shenker, 1989). Blocks take the lowest tags first, and a full
///   pool lets go of the highest: so a payer's part of blocks and pool is in proportion to its stake, whatever number of
///   accounts and transactions it makes, and whoever asks for less than its part waits for nobody who asks for more;
/// - **ready ones first**: what has to wait for an earlier transaction of its sender is parked in a small part of the
///   pool, and gives way to whatever is ready. Nothing ready ever gives way to what is parked;
/// - **evidence**: a masternode's report has a place of its own, one at a time;
/// - **order**: an account's transactions come out by contiguous sequence, or not at all;
/// - **determinism**: a value type without clock, randomness or hash table order; the same calls give the same
///   answers.
public struct Mempool: Sendable {
    public let limits: MempoolLimits
    private var senders: [Account: SenderQueue] = [:]
    private var ids: [TransactionId: Place] = [:]
    /// What a block could hold next, by tag.
    private var ready = OrderedIndex<Rank>()
    /// What waits for an earlier one, by how much its payer asks for its stake.
    private var parked = OrderedIndex<Rank>()
    private var deadlines = OrderedIndex<Deadline>()
    /// Tag up to which payers were served: whoever comes anew starts here.
    private var served: UInt128 = 0
    /// Of those that pay for something which waits.
    private var payers: [Account: Payer] = [:]
    private var arrivals: UInt64 = 0
    /// Up to which it has let go of what expired; nil before that.
    private var expiredUntil: Time?
    /// Sums of shares, evidence aside.
    private var taken = 0
    private var parkedShare = 0
    private var evidenceCount = 0
    /// Encoded bytes of all waiting transactions.
    public private(set) var byteCount = 0

    private struct Place: Hashable {
        let sender: Account
        let sequence: UInt64
    }

    private struct Payer: Sendable {
        var count = 0
        /// Sum of the credits that what waits has reserved.
        var reserved: UInt128 = 0
        /// The highest tag that was given out for it.
        var lastTag: UInt128 = 0

        mutating func add(_ credits: UInt64) {
            count += 1
            reserved += UInt128(credits)
        }
    }

    private struct Rank: Comparable, Sendable {
        let tag: UInt128
        let arrival: UInt64
        let id: TransactionId

        static func < (lhs: Rank, rhs: Rank) -> Bool { (lhs.tag, lhs.arrival) < (rhs.tag, rhs.arrival) }
        static func == (lhs: Rank, rhs: Rank) -> Bool { (lhs.tag, lhs.arrival) == (rhs.tag, rhs.arrival) }
    }

    private struct Deadline: Comparable, Sendable {
        let time: Time
        let arrival: UInt64
        let id: TransactionId

        static func < (lhs: Deadline, rhs: Deadline) -> Bool { (lhs.time, lhs.arrival) < (rhs.time, rhs.arrival) }
        static func == (lhs: Deadline, rhs: Deadline) -> Bool { (lhs.time, lhs.arrival) == (rhs.time, rhs.arrival) }
    }

    public init(limits: MempoolLimits = MempoolLimits()) { self.limits = limits }

    /// Waiting transactions.
    public var count: Int { ids.count }
    public var isEmpty: Bool { ids.isEmpty }
    /// Of these, such as a block could hold next, as far as the pool knows.
    public var readyCount: Int { ready.count }
    /// Accounts that have some waiting.
    public var senderCount: Int { senders.count }

    // MARK: In

    /// Takes an admitted transaction.
    /// - Parameter nextSequence: of the sender in the newest state.
    /// - Returns: what had to leave for it: what it replaces, and others that weigh less.
    public mutating func insert(_ admitted: Admitted, nextSequence: UInt64) throws(MempoolRefusal) -> [Admitted] {
        let sender = admitted.sender
        let sequence = admitted.sequence
        guard ids[admitted.id] == nil else { throw .known(admitted.id) }
        advance(sender, to: nextSequence)
        let place = Self.place(sequence, in: senders[sender], nextSequence)
        let next = place.next
        guard sequence >= next else { throw .sequenceReused(sequence, next: next) }
        guard sequence - next < ChainLimits.sequenceWindow else { throw .sequenceTooFarAhead(sequence, next: next) }
        if let other = place.other {
            guard other.admitted.replaces == nil else { throw .cancelledAlready(sequence, other.admitted.id) }
            // A report's place is before all others, and not to be had by taking the report's.
            guard admitted.replaces == other.admitted.id, !other.admitted.isEvidence else { throw .sequenceWaiting(sequence, other.admitted.id) }
            return [replace(other, by: admitted)]
        }
        // Where the one to cancel never came, its cancellation takes the sequence all the same.
        let isReady = place.readyEnd == sequence
        // A reporter has one such place: what else it has waiting is as good as anybody's.
        let admitted = isReady && sequence == next ? admitted : admitted.withoutPrivilege
        let share = limits.share(of: admitted)
        var tag: UInt128?
        var evicted: [Admitted] = []
        if admitted.isEvidence {
            guard evidenceCount < MempoolLimits.evidence else { throw .full }
            tag = 0
        } else if isReady {
            let own = nextTag(of: admitted, after: place.lastTag)
            evicted = try makeRoom(for: share, tag: own)
            tag = own
        } else {
            guard admitted.signed.validUntil >= (expiredUntil?.advanced(by: limits.shortestWaitMs) ?? .zero) else {
                throw .expiresTooSoon(sequence, next: next, milliseconds: limits.shortestWaitMs)
            }
            evicted = try park(share, rank: parkedTag(of: admitted), next: next, sequence: sequence)
        }
        add(admitted, share: share, tag: tag, next: next)
        if isReady { promote(sender) }
        return evicted
    }

    /// Where a sequence would stand in its sender's queue. By value, so that the queue is in no second hand when it changes.
    private static func place(
        _ sequence: UInt64, in queue: SenderQueue?, _ nextSequence: UInt64
    ) -> (next: UInt64, other: SenderQueue.Item?, readyEnd: UInt64, lastTag: UInt128?) {
        guard let queue else { return (nextSequence, nil, nextSequence, nil) }
        return (max(nextSequence, queue.nextSequence), queue.item(sequence), queue.readyEnd, queue.lastReadyTag)
    }

    private mutating func add(_ admitted: Admitted, share: Int, tag: UInt128?, next: UInt64) {
        arrivals += 1
        let item = SenderQueue.Item(admitted: admitted, share: share, arrival: arrivals, tag: tag)
        senders[admitted.sender, default: SenderQueue(nextSequence: next)].insert(item)
        ids[admitted.id] = Place(sender: admitted.sender, sequence: admitted.sequence)
        byteCount += admitted.byteCount
        if admitted.isEvidence { evidenceCount += 1 } else { taken += share }
        payers[admitted.payer, default: Payer()].add(admitted.reservedCredits)
        deadlines.insert(Deadline(time: admitted.signed.validUntil, arrival: arrivals, id: admitted.id))
        rank(item)
    }

    /// Puts an item into the index where it belongs.
    private mutating func rank(_ item: SenderQueue.Item) {
        if let tag = item.tag {
            ready.insert(Rank(tag: tag, arrival: item.arrival, id: item.admitted.id))
            // By its place: to change a dictionary's value behind a question mark allocates three times.
            if !item.admitted.isEvidence, let place = payers.index(forKey: item.admitted.payer) {
                payers.values[place].lastTag = max(payers.values[place].lastTag, tag)
            }
        } else {
            parkedShare += item.share
            parked.insert(Rank(tag: parkedTag(of: item.admitted), arrival: item.arrival, id: item.admitted.id))
        }
    }

    private mutating func unrank(_ item: SenderQueue.Item) {
        if let tag = item.tag {
            ready.remove(Rank(tag: tag, arrival: item.arrival, id: item.admitted.id))
        } else {
            parkedShare -= item.share
            parked.remove(Rank(tag: parkedTag(of: item.admitted), arrival: item.arrival, id: item.admitted.id))
        }
    }

    /// The same sender and sequence, by the sender's own wish: it takes the place as it is.
    private mutating func replace(_ other: SenderQueue.Item, by admitted: Admitted) -> Admitted {
        forget(other)
        _ = senders[admitted.sender]?.remove(other.sequence)
        let next = senders[admitted.sender]?.nextSequence ?? admitted.sequence
        add(admitted, share: limits.share(of: admitted), tag: other.tag, next: next)
        return other.admitted
    }

    /// What follows without a gap is ready now.
    private mutating func promote(_ sender: Account) {
        while let (item, lastTag) = senders[sender]?.firstParked {
            unrank(item)
            var promoted = item
            let tag = nextTag(of: item.admitted, after: lastTag)
            promoted.tag = tag
            senders[sender]?.setTag(tag, of: item.sequence)
            rank(promoted)
        }
    }

    // MARK: Shares

    /// What a transaction costs for the stake behind it, in 2^-32 of a capacity.
    private func price(of admitted: Admitted) -> UInt128 {
        let cost = max(UInt128(1), UInt128(admitted.reservedCredits)) + UInt128(admitted.byteCount)
        return (cost << 32) / UInt128(max(1, admitted.weight)) + 1
    }

    private func nextTag(of admitted: Admitted, after own: UInt128?) -> UInt128 {
        let start = max(served, payers[admitted.payer]?.lastTag ?? 0)
        return max(start + price(of: admitted), (own ?? 0) + 1)
    }

    /// The same for parked ones, which have no order among each other.
    private func parkedTag(of admitted: Admitted) -> UInt128 { price(of: admitted) }

    /// Lets go of what is parked first, then of ready ones with higher tags, until there is room. Changes nothing when
    /// there can't be any.
    private mutating func makeRoom(for share: Int, tag: UInt128) throws(MempoolRefusal) -> [Admitted] {
        var missing = taken + share - limits.total
        guard missing > 0 else { return [] }
        var victims: [TransactionId] = []
        parked.forEachDescending { rank in
            victims.append(rank.id)
            missing -= shareOf(rank.id)
            return missing > 0
        }
        if missing > 0 {
            ready.forEachDescending { rank in
                guard rank.tag > tag else { return false }
                victims.append(rank.id)
                missing -= shareOf(rank.id)
                return missing > 0
            }
        }
        guard missing <= 0 else { throw .full }
        return victims.compactMap { remove($0) }
    }

    /// Room among the parked ones, and in the pool as a whole, where nothing ready gives way.
    private mutating func park(
        _ share: Int, rank own: UInt128, next: UInt64, sequence: UInt64
    ) throws(MempoolRefusal) -> [Admitted] {
        var missing = max(parkedShare + share - limits.parkedTotal, taken + share - limits.total)
        guard missing > 0 else { return [] }
        var victims: [TransactionId] = []
        parked.forEachDescending { rank in
            guard rank.tag > own else { return false }
            victims.append(rank.id)
            missing -= shareOf(rank.id)
            return missing > 0
        }
        guard missing <= 0 else { throw .noRoomForGaps(sequence, next: next) }
        return victims.compactMap { remove($0) }
    }

    private func shareOf(_ id: TransactionId) -> Int {
        ids[id].flatMap { senders[$0.sender]?.item($0.sequence)?.share } ?? 0
    }

    // MARK: Out

    /// Takes one out: its sender cancelled it, or no block can hold it any more. What follows it has to wait for another
    /// one of its sequence.
    @discardableResult
    public mutating func remove(_ id: TransactionId) -> Admitted? {
        guard let place = ids[id], let item = senders[place.sender]?.remove(place.sequence) else { return nil }
        forget(item)
        parkAfterGap(place.sender)
        return item.admitted
    }

    /// What was ready behind a gap is so no more.
    private mutating func parkAfterGap(_ sender: Account) {
        guard let queue = senders[sender] else { return }
        guard !queue.isEmpty else {
            senders[sender] = nil
            return
        }
        let end = queue.readyEnd
        for item in queue.items where item.tag != nil && item.sequence > end {
            unrank(item)
            var waiting = item
            waiting.tag = nil
            senders[sender]?.setTag(nil, of: item.sequence)
            rank(waiting)
        }
        // The room of the parked ones is bounded whatever way they came there.
        while parkedShare > limits.parkedTotal, let last = parked.last { drop(last.id) }
    }

    /// Takes a parked one out, behind which nothing is ready.
    private mutating func drop(_ id: TransactionId) {
        guard let place = ids[id], let item = senders[place.sender]?.remove(place.sequence) else { return }
        forget(item)
        if senders[place.sender]?.isEmpty == true { senders[place.sender] = nil }
    }

    /// Drops what the transactions of a finalised block used up: themselves, and others of the same sequences.
    public mutating func include(_ transactions: [SignedTransaction]) {
        // An account's stand in their order: the last one tells how far it is.
        var ends: [Account: UInt64] = [:]
        var order: [Account] = []
        for signed in transactions {
            let (sender, sequence) = (signed.sender, signed.sequence)
            guard sequence < .max, senders[sender] != nil else { continue }
            if ends.updateValue(sequence + 1, forKey: sender) == nil { order.append(sender) }
        }
        for sender in order {
            guard let end = ends[sender] else { continue }
            for item in advance(sender, to: end) { if let tag = item.tag { served = max(served, tag) } }
        }
    }

    /// Drops the account's transactions below its next sequence in the state.
    @discardableResult
    private mutating func advance(_ sender: Account, to nextSequence: UInt64) -> [SenderQueue.Item] {
        guard let place = senders.index(forKey: sender), nextSequence > senders.values[place].nextSequence else { return [] }
        let dropped = senders.values[place].advance(to: nextSequence)
        for item in dropped { forget(item) }
        if senders.values[place].isEmpty { senders.remove(at: place) } else { promote(sender) }
        return dropped
    }

    /// Drops what no block of this or a later header time may hold.
    /// - Returns: what was dropped, the earliest first.
    @discardableResult
    public mutating func expire(at time: Time) -> [Admitted] {
        expiredUntil = max(time, expiredUntil ?? time)
        var expired: [TransactionId] = []
        deadlines.forEachAscending { deadline in
            guard deadline.time < time else { return false }
            expired.append(deadline.id)
            return true
        }
        return expired.compactMap { remove($0) }
    }

    /// A proposer found it too heavy for the time that it had: it comes after all others that wait now.
    public mutating func putLast(_ id: TransactionId) {
        guard let place = ids[id], let queue = senders[place.sender], let first = queue.item(place.sequence), first.tag != nil
        else { return }
        var tag = ready.last?.tag ?? 0
        for item in queue.items where item.tag != nil && item.sequence >= place.sequence {
            unrank(item)
            tag += 1
            var moved = item
            moved.tag = tag
            senders[place.sender]?.setTag(tag, of: item.sequence)
            ready.insert(Rank(tag: tag, arrival: moved.arrival, id: moved.admitted.id))
        }
    }

    private mutating func forget(_ item: SenderQueue.Item) {
        ids[item.admitted.id] = nil
        byteCount -= item.admitted.byteCount
        if item.admitted.isEvidence { evidenceCount -= 1 } else { taken -= item.share }
        if var payer = payers[item.admitted.payer] {
            payer.count -= 1
            payer.reserved -= UInt128(item.admitted.reservedCredits)
            payers[item.admitted.payer] = payer.count > 0 ? payer : nil
        }
        deadlines.remove(
            Deadline(time: item.admitted.signed.validUntil, arrival: item.arrival, id: item.admitted.id))
        unrank(item)
    }

    // MARK: Reads

    public func contains(_ id: TransactionId) -> Bool { ids[id] != nil }

    public func transaction(_ id: TransactionId) -> Admitted? {
        ids[id].flatMap { senders[$0.sender]?.item($0.sequence)?.admitted }
    }

    /// What the account has waiting, by sequence.
    public func waiting(of sender: Account) -> [Admitted] { senders[sender]?.items.map(\.admitted) ?? [] }

    /// Credits of the account that waiting transactions have reserved: its own ones, and those that it sponsors.
    public func reservedCredits(of payer: Account) -> UInt64 { UInt64(clamping: payers[payer]?.reserved ?? 0) }

    /// First sequence from `nextSequence` on that the account has nothing waiting for.
    public func freeSequence(of sender: Account, nextSequence: UInt64) -> UInt64 {
        guard let queue = senders[sender] else { return nextSequence }
        var sequence = max(nextSequence, queue.nextSequence)
        while sequence < .max, queue.item(sequence) != nil { sequence += 1 }
        return sequence
    }

    /// Transactions for a proposal, the lowest tags first; each sender's by contiguous sequence.
    /// - Parameter nextSequence: of an account in the state that the proposal builds on, when that is ahead of the
    ///   finalised one; nil for what the pool knows.
    public func candidates(
        maxBytes: Int, maxCount: Int, nextSequence: (Account) -> UInt64? = { _ in nil }
    ) -> [Admitted] {
        var result: [Admitted] = []
        var bytes = 0
        var next: [Account: UInt64] = [:]
        var misfits = 0
        ready.forEachAscending { rank in
            guard result.count < maxCount, misfits < Self.mostMisfits else { return false }
            guard let place = ids[rank.id], let queue = senders[place.sender], let item = queue.item(place.sequence) else {
                return true
            }
            let expected = next[place.sender] ?? nextSequence(place.sender) ?? queue.nextSequence
            next[place.sender] = expected
            guard place.sequence == expected else { return true }
            // One that doesn't fit ends its sender's part; smaller ones of others may still fit.
            guard item.admitted.byteCount <= maxBytes - bytes else {
                misfits += 1
                return true
            }
            bytes += item.admitted.byteCount
            result.append(item.admitted)
            if expected < .max { next[place.sender] = expected + 1 }
            return true
        }
        return result
    }

    private static let mostMisfits = 256
}
