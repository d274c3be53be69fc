import Consensus
import Cryptography
import Encoding
import NodeCore
import Primitives

/// Watches everything that honest nodes say and do, and keeps the first rule that one breaks. What masternodes have to
/// do with epochs is in `EpochInvariants.swift`.
struct Invariants {
    let cast: Cast
    /// Places in the cast.
    let liars: Range<UInt16>
    private(set) var violation: String?
    private(set) var accused: Set<UInt16> = []
    /// Honest masternodes that lost votes and came back: as rule 12 says, they count among those that the set tolerates.
    private(set) var careless: Set<UInt16> = []
    /// Honest masternodes of whose homes there was a copy that voted, too; of the second set it ran beside them.
    private(set) var copied: Set<UInt16> = []
    private var twice: Set<UInt16> = []
    /// Highest final block that an honest node told of.
    private(set) var height = Height.zero

    private var digests: [Height: Digest] = [:]
    private var milestones: [Height: NodeMachine.Milestone] = [:]
    private var finalByView: [EpochView: Digest] = [:]
    private var nullified: Set<EpochView> = []
    private var checked: Set<ConsensusMessage> = []
    /// Bodies that masternodes voted for.
    private var promised: [UInt16: Set<Digest>] = [:]
    private var said: [UInt16: [EpochView: Sayings]] = [:]
    var epochs: EpochInvariants

    private struct Sayings {
        var notarize: Proposal?
        var nullify = false
        var finalize: Digest?
    }

    init(cast: Cast, liars: Range<UInt16>, rules: NodeRules) {
        self.cast = cast
        self.liars = liars
        epochs = EpochInvariants(cast: cast)
    }

    /// The highest epoch that an honest node entered.
    var epoch: Epoch { epochs.highest }

    /// By the place in the cast.
    func isHonest(_ identity: UInt16) -> Bool { !liars.contains(identity) }
    func isHonest(_ key: PublicKey) -> Bool {
        cast.keys.firstIndex { $0.publicKey == key }.map { isHonest(UInt16($0)) } ?? true
    }
    func isCopied(_ key: PublicKey) -> Bool {
        cast.keys.firstIndex { $0.publicKey == key }.map { copied.contains(UInt16($0)) } ?? false
    }
    func isCopied(_ member: UInt16, in set: MasternodeSet) -> Bool {
        set.member(member).map { isCopied($0.consensusKey) } ?? false
    }
    func isHonest(_ member: UInt16, in set: MasternodeSet) -> Bool {
        set.member(member).map { isHonest($0.consensusKey) } ?? true
    }

    mutating func fail(_ reason: String) {
        if violation == nil { violation = reason }
    }

    // MARK: Votes and certificates

    /// An honest masternode sends this.
    mutating func sent(_ message: ConsensusMessage, by node: UInt16, disk: SimulatedDisk) {
        // Neither home knows what the other one said.
        if twice.contains(node), isOwnVote(message, node) { return }
        switch message {
        // Others' votes go back to their signer, who has lost them.
        case .notarizeVote(let vote) where !isOwn(vote, node): break
        case .nullifyVote(let vote) where !isOwn(vote, node): break
        case .finalizeVote(let vote) where !isOwn(vote, node): break
        case .notarizeVote(let vote):
            let view = vote.subject.position
            let before = said[node]?[view]
            if let other = before?.notarize {
                if other != vote.subject { fail("m\(node) notarized twice in \(view)") }
                return
            }
            if before?.nullify == true { fail("m\(node) notarized after nullify in \(view)") }
            said[node, default: [:]][view, default: Sayings()].notarize = vote.subject
            isDurable(.notarizeVote(vote), view, of: node, disk)
            promised[node, default: []].insert(vote.subject.digest)
            if !disk.holdsBody(vote.subject.digest) {
                fail("m\(node) votes in \(view) for a body that it would not have after a crash")
            }
        case .nullifyVote(let vote):
            let view = vote.subject.position
            if said[node]?[view]?.finalize != nil { fail("m\(node) nullified after finalize in \(view)") }
            if said[node]?[view]?.nullify != true { isDurable(.nullifyVote(vote), view, of: node, disk) }
            said[node, default: [:]][view, default: Sayings()].nullify = true
        case .finalizeVote(let vote):
            let view = vote.subject.position
            let before = said[node]?[view]
            if before?.nullify == true { fail("m\(node) finalized after nullify in \(view)") }
            if let other = before?.finalize {
                if other != vote.subject.digest { fail("m\(node) finalized twice in \(view)") }
                return
            }
            said[node, default: [:]][view, default: Sayings()].finalize = vote.subject.digest
            isDurable(.finalizeVote(vote), view, of: node, disk)
        case .notarization, .nullification, .finalization: check(message, of: node)
        case .wantCertificates, .wantPosition, .position: break
        }
    }

    /// Whether it is a vote of the node's own key.
    func isOwnVote(_ message: ConsensusMessage, _ node: UInt16) -> Bool {
        switch message {
        case .notarizeVote(let vote): isOwn(vote, node)
        case .nullifyVote(let vote): isOwn(vote, node)
        case .finalizeVote(let vote): isOwn(vote, node)
        default: false
        }
    }

    private func isOwn<Subject>(_ vote: Vote<Subject>, _ node: UInt16) -> Bool {
        epochs.set(of: vote.subject.epoch)?.member(vote.signer).map { $0.consensusKey == cast.keys[Int(node)].publicKey } ?? true
    }

    /// A vote leaves when the journal holds it, unless it is of no more use, its view being final in the store.
    private mutating func isDurable(_ record: JournalRecord, _ view: EpochView, of node: UInt16, _ disk: SimulatedDisk) {
        if disk.holds(record) { return }
        if let head = try? disk.store.head(), let block = try? disk.store.block(at: head.height),
            EpochView(epoch: block.block.header.epoch, view: block.block.header.view) >= view
                || (block.block.header.epoch == view.epoch && (block.finalization?.view ?? .zero) >= view.view)
        {
            return
        }
        if disk.journal.contains(where: { $0.finalizes(atLeast: view) }) { return }
        fail("m\(node) sends a vote of \(view) that its journal does not hold")
    }

    /// Certificates carry q distinct valid signers; no view is both nullified and final.
    private mutating func check(_ message: ConsensusMessage, of node: UInt16) {
        guard checked.insert(message).inserted else { return }
        do {
            switch message {
            case .notarization(let certificate): try verify(certificate)
            case .nullification(let certificate):
                try verify(certificate)
                nullified.insert(certificate.subject.position)
                if finalByView[certificate.subject.position] != nil { fail("\(certificate.subject.position) is final and nullified") }
            case .finalization(let certificate):
                try verify(certificate)
                if nullified.contains(certificate.subject.position) { fail("\(certificate.subject.position) is nullified and final") }
                if let other = finalByView[certificate.subject.position], other != certificate.subject.digest {
                    fail("\(certificate.subject.position) has two final blocks")
                }
                finalByView[certificate.subject.position] = certificate.subject.digest
            default: break
            }
        } catch { fail("m\(node) believes a certificate that is none: \(error)") }
    }

    private mutating func verify<Subject>(_ certificate: Certificate<Subject>) throws {
        // Whoever shows it believes it in an epoch that it has entered.
        guard let set = epochs.set(of: certificate.epoch) else { return fail("a certificate of epoch \(certificate.epoch), which nobody has entered") }
        if cast.keys[0].isReal { return try certificate.verify(by: set, genesis: cast.genesisHash) }
        try certificate.verify(by: set, genesis: cast.genesisHash, verifier: KeyedHash())
    }

    /// - Returns: the offender's place in the cast.
    mutating func evidence(_ evidence: Evidence, of node: String) -> UInt16? {
        guard let key = epochs.set(of: evidence.epoch)?.member(evidence.signer)?.consensusKey,
            let identity = cast.keys.firstIndex(where: { $0.publicKey == key }).map({ UInt16($0) })
        else {
            fail("\(node) accuses somebody who is not in the set of epoch \(evidence.epoch)")
            return nil
        }
        accused.insert(identity)
        if isHonest(identity), !careless.contains(identity) { fail("\(node) accuses the honest m\(identity)") }
        return identity
    }

    /// Final blocks that the store lacks, and that this masternode voted for, are in its journal.
    mutating func keeps(_ blocks: [Digest], _ node: UInt16, disk: SimulatedDisk) {
        for digest in blocks where promised[node]?.contains(digest) == true && !disk.holdsBody(digest) {
            fail("m\(node) would not have the final block \(digest), which it voted for, after a crash")
        }
    }

    /// A node that is back can serve the bodies that its journal held for the votes which it cast.
    mutating func recovered(_ node: UInt16, _ machine: NodeMachine, journal: [JournalEntry], places: Int) {
        var bodies: [Digest] = []
        for case .body(let block) in journal where block.header.height > machine.milestone.height {
            bodies.append(block.header.digest(genesis: cast.genesisHash))
        }
        guard bodies.count < places else { return }
        for digest in bodies where promised[node]?.contains(digest) == true && !machine.holds(body: digest) {
            fail("m\(node) came back without the body \(digest), which it voted for and has in its journal")
        }
    }

    /// It no longer knows what it said. That it contradicts a vote which nobody received harms nobody; what somebody
    /// received shows as a contradiction of a careless one, and must leave the chain alone.
    mutating func losesVotes(_ node: UInt16) {
        careless.insert(node)
        promised[node] = nil
        said[node] = nil
    }

    mutating func isCopied(_ node: UInt16, runsTwice: Bool) {
        losesVotes(node)
        copied.insert(node)
        if runsTwice { twice.insert(node) }
    }

    // MARK: Blocks

    /// An honest node tells that this block is final.
    mutating func published(_ block: PublishedBlock, by node: String, after before: Height, on store: SimulatedStore) {
        if block.height != before.next { fail("\(node) publishes height \(block.height) after \(before)") }
        if let other = digests[block.height], other != block.digest {
            fail("two blocks are final at height \(block.height): \(other) and, by \(node), \(block.digest)")
        }
        digests[block.height] = block.digest
        height = max(height, block.height)
        guard !store.isFailing else { return }
        guard let head = try? store.head(), head.height >= block.height else {
            return fail("\(node) publishes height \(block.height), which is not durable")
        }
        guard let stored = try? store.block(at: block.height),
            stored.block.header.digest(genesis: cast.genesisHash) == block.digest
        else { return fail("\(node) publishes another block than it stored at height \(block.height)") }
        if block.height > Height(1), digests[Height(block.height.value - 1)] != stored.block.header.parent {
            fail("\(node) publishes block \(block.height) on another parent than the final one")
        }
        let header = stored.block.header
        if let below = block.height.previous.flatMap({ milestones[$0] }),
            header.stateRoot != below.stateRoot || header.receiptsRoot != below.receiptsRoot
        {
            fail("\(node) publishes block \(block.height), whose header certifies another state than its parent's")
        }
    }

    /// An honest node has a store that it did not make itself: its first block is the final one, and it holds the state
    /// that the block certifies, value by value and as a tree.
    mutating func joined(_ store: SimulatedStore, by node: String) {
        do {
            guard let head = try store.head(), let block = try store.block(at: head.height) else {
                return fail("\(node) joined, and has no block")
            }
            if let other = digests[head.height], other != head.digest {
                fail("\(node) joined at \(head.digest), the final block of height \(head.height) is \(other)")
            }
            if head.height > height { fail("\(node) joined at height \(head.height), which the chain has not reached") }
            let root = block.block.header.stateRoot
            for (what, found) in [("values", try store.valuesRoot()), ("tree", try store.treeRoot())] where found != root {
                fail("\(node) joined with \(what) of root \(found), block \(head.height) certifies \(root)")
            }
        } catch { fail("\(node) joined with a store that can't be read: \(error)") }
    }

    /// The final block of this height, if an honest node told of it.
    func finalBlock(at height: Height) -> Digest? { digests[height] }

    /// An honest node executed a final block: all must find the same.
    mutating func reached(_ milestone: NodeMachine.Milestone, by node: String) {
        if let known = milestones[milestone.height] {
            if known != milestone { fail("\(node) has \(milestone) where another has \(known)") }
        } else {
            milestones[milestone.height] = milestone
        }
    }

    /// A node is back: it stands where its own words put it, or above.
    mutating func restarted(_ name: String, _ node: UInt16, _ machine: NodeMachine) {
        for (spoken, words) in said[node] ?? [:] {
            // Of an epoch whose first block the store does not reach, it has the records until it gets there again.
            if spoken.epoch > machine.epoch.epoch, machine.remembers(spoken.epoch) { continue }
            if spoken > machine.position || (spoken == machine.position && words.finalize != nil) {
                fail("\(name) came back at \(machine.position) having spoken in \(spoken)")
            }
        }
    }
}

extension JournalEntry {
    fileprivate func finalizes(atLeast view: EpochView) -> Bool {
        if case .consensus(.finalization(let certificate)) = self { certificate.subject.position >= view } else { false }
    }
}

extension SimulatedCluster {
    /// At the end: the balances in a store add up to the supply of the genesis.
    func checkConservation() {
        if let node = survivors.first ?? honestMasternodes.first { checkConservation(node) }
        for node in trials.joiners { checkConservation(node) }
        for node in survivors + trials.joiners { checkLinks(node) }
    }

    private func checkConservation(_ node: Int) {
        let store = nodes[node].disk.store
        guard let height = try? store.stateHeight(), height > .zero else { return }
        guard let accounts = try? store.values(prefix: UInt8(ascii: "a")) else {
            return fail("the accounts of \(name(node)) can't be read")
        }
        let pool = number(.rewardPool, in: store)
        let sum = accounts.reduce(pool) { $0 + ((try? AccountRecord(borsh: $1.value))?.stake ?? 0) }
        let supply = number(.supply, in: store)
        if sum != supply { fail("the balances of \(name(node)) add up to \(sum), the supply is \(supply)") }
    }
    private func number(_ key: StateKey, in store: SimulatedStore) -> UInt128 {
        guard let bytes = try? store.value(key) else { return 0 }
        var decoder = BorshDecoder(bytes)
        return (try? decoder.integer()) ?? 0
    }
}
