import Consensus
import Cryptography
import Primitives

/// SplitMix64: the one source of chance of a seed.
struct Chance {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0xD1B5_4A32_D192_ED03 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func below(_ bound: Int) -> Int { bound <= 1 ? 0 : Int(next() % UInt64(bound)) }
    mutating func among(_ range: ClosedRange<UInt64>) -> UInt64 {
        range.lowerBound + next() % (range.upperBound - range.lowerBound + 1)
    }
    mutating func happens(_ percent: Int) -> Bool { below(100) < percent }
    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }
}

/// A keyed hash in place of Ed25519: the key signs and checks. Nobody in these tests forges but by guessing.
struct KeyedHash: VoteSigner, SignatureVerifier {
    let key: PublicKey

    init(_ key: PublicKey = .zero) { self.key = key }

    func sign(message: [UInt8]) -> Signature { Self.signature(of: key, message) }

    func isValid(_ signature: Signature, of key: PublicKey, message: [UInt8]) -> Bool {
        signature == Self.signature(of: key, message)
    }

    private static func signature(of key: PublicKey, _ message: [UInt8]) -> Signature {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in key.bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for byte in message { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        var bytes = [UInt8](repeating: 0, count: Signature.byteCount)
        for index in 0..<8 { bytes[index] = UInt8(truncatingIfNeeded: hash >> UInt64(8 * index)) }
        return Signature(bytes)!
    }
}

/// The set, the leaders and the votes of n masternodes.
struct Cast {
    static let delta: UInt64 = 1_000
    static let heartbeat: UInt64 = 15_000
    static let genesis = digest(1 << 60)
    /// The genesis block.
    static let root = digest(1 << 61)

    let configuration: ConsensusConfiguration
    var set: MasternodeSet { configuration.set }
    var count: Int { self.set.count }

    /// Timers don't adapt unless there is a lower minimum.
    init(
        _ count: Int, epoch: Epoch = Epoch(3), viewWindow: UInt64 = 32, minimumDelayMs: UInt64 = delta,
        silenceViews: UInt64? = nil
    ) {
        let members = (0..<count).map { index in
            Masternode(
                name: "m\(index)", consensusKey: PublicKey(Self.digest(UInt64(index) + 1 << 50).bytes)!,
                owner: Account(Self.digest(UInt64(index) + 1 << 51).bytes)!, beaconTip: .zero)
        }
        configuration = ConsensusConfiguration(
            genesis: Self.genesis, epoch: epoch, set: try! MasternodeSet(members),
            leaders: LeaderSchedule(count: count, seed: Self.digest(UInt64(count))), networkDelayMs: Self.delta,
            heartbeatMs: Self.heartbeat, viewWindow: viewWindow, minimumDelayMs: minimumDelayMs,
            silenceViews: silenceViews)
    }

    static func digest(_ number: UInt64) -> Digest {
        var bytes = [UInt8](repeating: 0xAB, count: 32)
        for index in 0..<8 { bytes[index] = UInt8(truncatingIfNeeded: number >> UInt64(8 * index)) }
        return Digest(bytes)!
    }

    func signer(_ index: UInt16) -> KeyedHash { KeyedHash(set.members[Int(index)].consensusKey) }
    func leader(_ view: UInt64) -> UInt16 { configuration.leaders.leader(of: View(view)) }
    /// All masternodes but one, ascending.
    func others(than index: UInt16) -> [UInt16] { (0..<UInt16(count)).filter { $0 != index } }

    func vote<Subject: VoteSubject>(_ subject: Subject, by index: UInt16) -> Vote<Subject> {
        let message = Subject.domain.message(genesis: Self.genesis, body: subject)
        return Vote(subject: subject, signer: index, signature: signer(index).sign(message: message))
    }

    func certificate<Subject: VoteSubject>(_ subject: Subject, by signers: [UInt16]? = nil) -> Certificate<Subject> {
        let signers = signers ?? Array(0..<UInt16(set.quorum))
        return Certificate(subject: subject, votes: signers.map { vote(subject, by: $0) })!
    }

    func proposal(_ view: UInt64, on parent: UInt64 = 0, _ parentDigest: Digest? = nil, digest: UInt64? = nil)
        -> Proposal
    {
        Proposal(
            epoch: configuration.epoch, view: View(view), parentView: View(parent),
            parentDigest: parentDigest ?? (parent == 0 ? Self.root : Self.digest(parent)),
            digest: Self.digest(digest ?? view))
    }
    func nullify(_ view: UInt64) -> Nullify { Nullify(epoch: configuration.epoch, view: View(view)) }
    func finalize(_ view: UInt64, digest: UInt64? = nil) -> Finalize {
        Finalize(epoch: configuration.epoch, view: View(view), digest: Self.digest(digest ?? view))
    }
}
