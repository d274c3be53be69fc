import Cryptography
import Primitives

/// When a node with an empty store joins by a snapshot.
public enum SyncMode: String, Sendable, CaseIterable {
    /// If a peer offers a snapshot worth it; else by blocks.
    case auto
    /// Waits until a peer offers one.
    case snapshot
    /// Executes every block from the genesis on.
    case blocks
}

/// A block that the operator knows to be final, from elsewhere.
public struct Checkpoint: Hashable, Sendable, CustomStringConvertible {
    public let height: Height
    public let digest: Digest

    public init(height: Height, digest: Digest) {
        self.height = height
        self.digest = digest
    }

    /// Parses `HEIGHT:HASH`.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let height = UInt64(parts[0]), height > 0, let digest = Digest(hex: String(parts[1]))
        else { return nil }
        self.init(height: Height(height), digest: digest)
    }

    public var description: String { "\(height):\(digest)" }
}

/// How a new node gets the state that a final block certifies from peers it does not trust: which snapshot, whom to
/// ask for which part, what to believe. A pure state machine; its host sends, stores and tells the time.
///
/// The genesis is all that it believes. From there the links between masternode sets lead to the set that finalised the
/// snapshot's head; the head's header has the state's root; and each chunk proves against the root that it is a whole
/// range of the state. So what is stored is the state, or nothing is.
package struct SnapshotJoin {
    struct PeerState {
        /// Nil until it answered.
        var offers: [SnapshotOffer]?
        var silences = 0
        /// Chunks that it sent since the snapshot was chosen.
        var served = 0
        var crumbs = 0
        var underWay = 0
        /// Connections are numbered: who came first, and stayed, goes before who comes again and again.
        let arrival: UInt64
        /// Times that a snapshot was given up because this peer did not deliver. They outlive the choice, as denials do.
        var faults = 0
        /// Offered, but not had when it was asked for. An honest peer keeps a snapshot for long and never offers it
        /// again, so this outlives the choice: else who offers what it hasn't could keep a node choosing for ever.
        var denied: Set<SnapshotOffer> = []
    }

    enum Phase {
        case choosing
        /// Head and links come from one peer at a time.
        case proving(Proving)
        case fetching(Fetching)
        case over
    }

    let genesis: Genesis
    let rules: Rules
    let verifier: any SignatureVerifier
    var phase = Phase.choosing
    var peers: [PeerId: PeerState] = [:]
    private var distrusted: Set<PeerId> = []
    private var choosingSince: UInt64
    private var firstAnswer: UInt64?
    private var lastAsked: UInt64?
    private var lastWaitingNote: UInt64?
    private let started: UInt64
    private var arrivals: UInt64 = 0
    /// Snapshots that were given up.
    private(set) var abandonments = 0
    /// Whether a head was proven: from then on somebody honest has what is offered.
    var hasProven = false
    var outputs: [Output] = []

    /// - Parameter verifier: how signatures are checked; every node of a network must do the same.
    package init(
        genesis: Genesis, rules: Rules, now: UInt64, verifier: any SignatureVerifier = Ed25519Verifier()
    ) {
        self.genesis = genesis
        self.rules = rules
        self.verifier = verifier
        choosingSince = now
        started = now
    }

    package var isOver: Bool { if case .over = phase { true } else { false } }

    // MARK: Inputs

    package mutating func connected(_ peer: PeerId, now: UInt64) -> [Output] {
        guard !isOver, !distrusted.contains(peer) else { return [] }
        arrivals &+= 1
        peers[peer] = PeerState(arrival: arrivals)
        outputs.append(.send(.wantOffers, to: peer))
        return step(now)
    }

    package mutating func disconnected(_ peer: PeerId, now: UInt64) -> [Output] {
        guard !isOver else { return [] }
        drop(peer)
        return step(now)
    }

    package mutating func tick(now: UInt64) -> [Output] {
        guard !isOver else { return [] }
        expireRequests(now)
        watchProgress(now)
        if case .choosing = phase, lastAsked.map({ now >= $0 + rules.askAgainMs }) ?? true {
            lastAsked = now
            for peer in peers.keys.sorted() { outputs.append(.send(.wantOffers, to: peer)) }
        }
        return step(now)
    }

    package mutating func received(_ message: SnapshotMessage, from peer: PeerId, now: UInt64) -> [Output] {
        guard !isOver, peers[peer] != nil else { return [] }
        switch message {
        // This node has nothing to give yet; whoever waits for its answer goes on.
        case .wantOffers: outputs.append(.send(.offers([]), to: peer))
        case .wantHead(let digest): outputs.append(.send(.head(digest, nil), to: peer))
        case .wantLinks(let digest, let from): outputs.append(.send(.links(digest, from: from, nil), to: peer))
        case .wantChunk(let digest, let start, _): outputs.append(.send(.chunk(digest, start: start, nil), to: peer))
        case .offers(let offers):
            peers[peer]?.offers = offers
            if firstAnswer == nil { firstAnswer = now }
        case .head(let digest, let block): receivedHead(digest, block, from: peer, now)
        case .links(let digest, let from, let links): receivedLinks(digest, from: from, links, from: peer, now)
        case .chunk(let digest, let start, let chunk): receivedChunk(digest, start: start, chunk, from: peer)
        }
        return step(now)
    }

    // MARK: Going on

    private mutating func step(_ now: UInt64) -> [Output] {
        if case .choosing = phase { choose(now) }
        if case .proving = phase { askForProof(now) }
        if case .fetching = phase { askForChunks(now) }
        defer { outputs = [] }
        return outputs
    }

    private mutating func choose(_ now: UInt64) {
        let answered = peers.values.count { $0.offers != nil }
        let settled =
            (answered > 0 && answered >= rules.expectedPeers)
            || firstAnswer.map { now >= $0 + rules.settleMs } ?? false
        let impatient = rules.mode == .auto && now >= choosingSince + rules.patienceMs
        guard settled || impatient else { return }
        if rules.mode == .auto, !hasProven, now >= started + rules.unprovenMs {
            phase = .over
            return outputs.append(.byBlocks("nobody proved a snapshot in \(rules.unprovenMs / 1_000) s"))
        }
        guard let best = bestOffer() else {
            if rules.mode == .auto {
                phase = .over
                outputs.append(.byBlocks(answered == 0 ? "no peer answered" : "no peer offers a snapshot worth it, and shows it"))
            } else if lastWaitingNote.map({ now >= $0 + 10_000 }) ?? true {
                lastWaitingNote = now
                outputs.append(.note(.waiting("\(answered) peers answered, none offers a snapshot")))
            }
            return
        }
        for peer in peers.keys {
            peers[peer]?.silences = 0
            peers[peer]?.served = 0
            peers[peer]?.crumbs = 0
        }
        outputs.append(.note(.chose(best, peers: providers(of: best).count)))
        phase = .proving(Proving(offer: best, trusted: TrustedSet(genesis: genesis)))
    }

    /// The highest offer of those who failed least; after each that was given up in vain, the offer of whoever came
    /// first among these. A liar can always offer more, but it can't have been there longer.
    private mutating func bestOffer() -> SnapshotOffer? {
        let usable = usableOffers()
        func offers(_ state: PeerState) -> [SnapshotOffer] {
            (state.offers ?? []).filter { usable.contains($0) && !state.denied.contains($0) }
        }
        let able = peers.values.filter { !offers($0).isEmpty }
        guard let fewest = able.map(\.faults).min() else { return nil }
        // Where most peers have none, those who say that they have one get two chances, not all the time there is: the
        // chain may be waiting for this node.
        let answered = peers.values.count { $0.offers != nil }
        if rules.mode == .auto, !hasProven, 2 * able.count < answered, fewest >= rules.chances { return nil }
        var reliable = able.filter { $0.faults == fewest || !rules.checks.ranking }
        let prefersFirst = abandonments % 2 == 1 && rules.checks.ranking
        if prefersFirst, let first = reliable.min(by: { $0.arrival < $1.arrival }) { reliable = [first] }
        return reliable.flatMap(offers).max { ($0.height, $0.digest) < ($1.height, $1.digest) }
    }

    private mutating func usableOffers() -> Set<SnapshotOffer> {
        var usable: Set<SnapshotOffer> = []
        for (peer, state) in peers.sorted(by: { $0.key < $1.key }) {
            for offer in state.offers ?? [] where !state.denied.contains(offer) {
                if rules.mode == .auto, offer.height < rules.smallestHeight { continue }
                if let checkpoint = rules.checkpoint, offer.height == checkpoint.height, offer.digest != checkpoint.digest {
                    distrust(peer, "offers block \(offer.height) \(offer.digest), which is not the checkpoint's")
                    break
                }
                usable.insert(offer)
            }
        }
        return usable
    }

    /// Peers that have the snapshot, those that fail least and have least to do first.
    func providers(of offer: SnapshotOffer) -> [PeerId] {
        peers.filter { $0.value.offers?.contains(offer) == true && !$0.value.denied.contains(offer)
                && $0.value.silences < rules.silences }
            .sorted {
                ($0.value.faults, $0.value.silences, $0.value.underWay, $0.value.arrival)
                    < ($1.value.faults, $1.value.silences, $1.value.underWay, $1.value.arrival)
            }
            .map(\.key)
    }

    mutating func abandon(_ offer: SnapshotOffer, _ reason: String, _ now: UInt64) {
        outputs.append(.note(.abandons(offer, reason)))
        phase = .choosing
        choosingSince = now
        firstAnswer = nil
        lastAsked = now
        abandonments += 1
        let providers = peers.filter { $0.value.offers?.contains(offer) == true && !$0.value.denied.contains(offer) }
        // Silent ones may offer the very snapshot that an honest peer has and sends: it is not to blame for them. Where all
        // of them sent something and it was too little, all are.
        let silent = providers.filter { $0.value.silences > 0 || $0.value.served == 0 }
        let blamed = Set((silent.isEmpty ? providers : silent).keys)
        for peer in peers.keys.sorted() {
            guard let before = peers[peer] else { continue }
            let isToBlame = blamed.contains(peer)
            peers[peer] = PeerState(
                arrival: before.arrival, faults: before.faults + (isToBlame ? 1 : 0), denied: before.denied)
            if isToBlame { outputs.append(.note(.failed(peer))) }
            outputs.append(.send(.wantOffers, to: peer))
        }
    }

    /// A snapshot whose peers dawdle is given up for another one; each time with more patience, since all may be slow.
    private mutating func watchProgress(_ now: UInt64) {
        guard case .fetching(var fetching) = phase else { return }
        let patience = rules.progressMs << UInt64(min(abandonments, 5))
        guard now >= fetching.watchedSince + patience else { return }
        let isSlow = fetching.chunks - fetching.watchedChunks < rules.progressChunks
        fetching.watch(now)
        phase = .fetching(fetching)
        let fewest = providers(of: fetching.offer).compactMap { peers[$0]?.faults }.min() ?? 0
        let hasOther = peers.values.contains { state in
            state.faults <= fewest && (state.offers ?? []).contains { $0 != fetching.offer && !state.denied.contains($0) }
        }
        if isSlow, hasOther { abandon(fetching.offer, "its peers are too slow", now) }
    }

    mutating func distrust(_ peer: PeerId, _ reason: String) {
        distrusted.insert(peer)
        outputs.append(.note(.distrusts(peer, reason)))
        drop(peer)
    }

    mutating func drop(_ peer: PeerId) {
        peers[peer] = nil
        switch phase {
        case .proving(var proving):
            proving.requests.removeAll { $0.peer == peer }
            phase = .proving(proving)
        case .fetching(var fetching):
            fetching.release(peer)
            phase = .fetching(fetching)
        case .choosing, .over: break
        }
    }

    private mutating func expireRequests(_ now: UInt64) {
        guard rules.checks.silence else { return }
        var late: [PeerId] = []
        switch phase {
        case .proving(var proving):
            late = proving.expire(before: now, after: rules.proofMs)
            phase = .proving(proving)
        case .fetching(var fetching):
            late = fetching.expire(before: now, after: rules.requestMs)
            phase = .fetching(fetching)
        case .choosing, .over: break
        }
        for peer in late { peers[peer]?.underWay -= 1 }
        // Requests that ran out together are one silence: they went the same way.
        for peer in Set(late) { peers[peer]?.silences += 1 }
    }
}
