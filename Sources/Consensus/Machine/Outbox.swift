import Primitives

/// Collects the effects of a step, and holds back what must not leave before the journal is durable.
struct Outbox: Sendable {
    private var effects: [Effect] = []
    private var records: [JournalRecord] = []
    /// Effects of this step that others see.
    private var published: [Effect] = []
    /// Effects of earlier steps, by the token that they wait for; ascending.
    private var held: [(token: JournalToken, effects: [Effect])] = []
    private var heldCount = 0
    private(set) var issued = JournalToken(0)
    private var durable = JournalToken(0)

    init() {}

    /// Goes on with the numbers of another epoch's outbox; what waited there is of no more use.
    init(after before: Outbox) {
        issued = before.issued
        durable = before.durable
    }

    /// For effects that stay inside this node, or tell nothing of its votes.
    mutating func emit(_ effect: Effect) { effects.append(effect) }

    mutating func journal(_ record: JournalRecord) { records.append(record) }

    /// For effects by which others learn of a vote of this node, or of a certificate that holds one: they wait for
    /// every record so far.
    mutating func publish(_ effect: Effect) { published.append(effect) }

    /// As ``publish(_:)``, but given up when too much waits: the peer asks again.
    mutating func answer(_ message: ConsensusMessage, to peer: Peer) {
        if heldCount + published.count < ConsensusLimits.heldEffects { publish(.send(message, to: peer)) }
    }

    mutating func release(through token: JournalToken) {
        guard token > durable, token <= issued else { return }
        durable = token
        while let first = held.first, first.token <= durable {
            effects.append(contentsOf: first.effects)
            heldCount -= first.effects.count
            held.removeFirst()
        }
    }

    /// The effects of the step, in order.
    mutating func flush(durableBeforePublic: Bool) -> [Effect] {
        defer { effects = [] }
        if !records.isEmpty {
            issued = issued.next
            effects.append(.journal(records, issued))
            records = []
        }
        if !published.isEmpty {
            // Without a record of its own a step may still tell of one that is under way: it waits for the last.
            if issued > durable, durableBeforePublic {
                held.append((issued, published))
                heldCount += published.count
            } else {
                effects.append(contentsOf: published)
            }
            published = []
        }
        return effects
    }
}
