import Cryptography

/// The hash chain of one masternode: c_0 is secret, c_{i+1} = link(c_i), and c_N is the registered tip. Each block it
/// proposes shows the preimage of the link that the state holds for it.
///
/// Keeps one link in every `stride` in memory, so that a reveal costs at most `stride` hashes.
public struct BeaconChain: Sendable {
    /// Reveals before the chain is used up: at three proposals a second for four days, at one a minute for two years.
    public static let standardLength = 1 << 20
    private static let stride = 1 << 10

    public let tip: Digest
    private let length: Int
    /// Links 0, stride, 2 * stride, ...
    private let checkpoints: [Digest]
    /// The stretch of links in which the last reveal was found, and where it starts.
    private var stretch: [Digest] = []
    private var stretchIndex: Int?

    /// A chain that starts from a masternode's beacon key: 0 is the one that it registers, each renewal the next. Takes a
    /// second of hashing.
    public init(of key: PrivateKey, generation: UInt32 = 0, length: Int = BeaconChain.standardLength) {
        let parts = generation == 0 ? key.seed : key.seed + generation.borsh
        self.init(secret: Digest(domain: "edgeproof/beacon-secret/1", parts: parts), length: length)
    }

    public init(secret: Digest, length: Int = BeaconChain.standardLength) {
        self.length = max(Self.stride, length / Self.stride * Self.stride)
        var link = secret
        var kept: [Digest] = []
        for index in 0..<self.length {
            if index % Self.stride == 0 { kept.append(link) }
            link = Beacon.link(link)
        }
        checkpoints = kept
        tip = link
    }

    /// The preimage of `link`, or nil when the link is not of this chain or is its first.
    public mutating func reveal(under link: Digest) -> Digest? {
        if let preimage = find(link) { return preimage }
        // The chain is used from its end, so the stretch below the last one is the likeliest.
        let start = stretchIndex ?? checkpoints.count
        let order = Array((0..<start).reversed()) + Array(start..<checkpoints.count)
        for index in order {
            load(index)
            if let preimage = find(link) { return preimage }
        }
        return nil
    }

    /// Reveals that are left under a link of this chain; nil for another one.
    public mutating func remaining(under link: Digest) -> Int? {
        if link == tip { return length }
        guard reveal(under: link) != nil, let stretchIndex, let place = stretch.firstIndex(of: link) else { return nil }
        return stretchIndex * Self.stride + place
    }

    private func find(_ link: Digest) -> Digest? {
        for (preimage, next) in zip(stretch, stretch.dropFirst()) where next == link { return preimage }
        return nil
    }

    private mutating func load(_ index: Int) {
        var link = checkpoints[index]
        stretch = [link]
        stretch.reserveCapacity(Self.stride + 1)
        for _ in 0..<Self.stride {
            link = Beacon.link(link)
            stretch.append(link)
        }
        stretchIndex = index
    }
}
