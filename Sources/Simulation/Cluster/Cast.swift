import Cryptography
import Encoding
import NodeCore
import Primitives
import Synchronization

/// Who takes part: the genesis, the masternodes' keys and hash chains, and the clients. The same for all seeds of one
/// shape, so it is made once.
package struct Cast: Sendable {
    package static let genesisTime = Time(1_700_000_000_000)
    static let clients = 5

    package let genesis: Genesis
    package let genesisHash: Digest
    /// Of the first epoch.
    package let leaders: LeaderSchedule
    /// Consensus keys: of the genesis' masternodes in their order, then of those that may register later.
    package let keys: [SimulatedKey]
    package let beacons: [BeaconChain]
    /// Masternodes of the genesis.
    package let count: Int
    /// Owns all masternodes: registers, unregisters and resumes them.
    let owner: SimulatedKey
    /// Their transactions must all become final.
    package let clientKeys: [SimulatedKey]
    /// Sends what can or will never be included.
    let nuisance: SimulatedKey

    package func identity(_ place: UInt16) -> NodeIdentity {
        NodeIdentity(key: keys[Int(place)].publicKey, signer: keys[Int(place)], beacons: [0: beacons[Int(place)]])
    }

    package func peer(_ place: UInt16) -> NodePeer { .masternode(keys[Int(place)].publicKey) }

    /// Those that are not of the genesis.
    var candidates: Range<Int> { count..<keys.count }

    private struct Shape: Hashable { let masternodes: Int, realSignatures: Bool, hasEpochs: Bool }
    private static let made = Mutex<[Shape: Cast]>([:])

    /// - Parameter hasEpochs: epochs last some seconds, and sets change; else the first lasts for ever.
    package static func of(_ masternodes: Int, realSignatures: Bool, hasEpochs: Bool = false) throws -> Cast {
        try made.withLock { made in
            let shape = Shape(masternodes: masternodes, realSignatures: realSignatures, hasEpochs: hasEpochs)
            if let cast = made[shape] { return cast }
            let cast = try Cast(masternodes, realSignatures: realSignatures, hasEpochs: hasEpochs)
            made[shape] = cast
            return cast
        }
    }

    private static let mostCandidates = 2

    /// As short as a chain can be: 1,024 links.
    package static func beacon(_ place: Int, generation: UInt32) -> BeaconChain {
        BeaconChain(
            secret: Digest(domain: "edgeproof/simulation-beacon/1", parts: [UInt8(place)] + generation.borsh), length: 1)
    }

    private init(_ masternodes: Int, realSignatures: Bool, hasEpochs: Bool) throws {
        func key(_ name: String) throws -> SimulatedKey {
            let seed = Digest(domain: "edgeproof/simulation-key/1", parts: Array(name.utf8)).bytes
            guard let key = PrivateKey(seed: seed) else { throw CryptographyError.invalidKey }
            return SimulatedKey(real: key, isReal: realSignatures)
        }
        count = masternodes
        let all = masternodes + (hasEpochs ? Self.mostCandidates : 0)
        let owner = try key("owner")
        self.owner = owner
        keys = try (0..<all).map { try key("masternode \($0)") }
        beacons = (0..<all).map { index in
            Self.beacon(index, generation: 0)
        }
        clientKeys = try (0..<Self.clients).map { try key("client \($0)") }
        nuisance = try key("nuisance")
        var parameters = Parameters()
        parameters.networkDelayMs = 600
        parameters.heartbeatMs = hasEpochs ? 1_500 : 8_000
        parameters.epochBlocks = hasEpochs ? 10 : 1 << 40
        parameters.epochMs = hasEpochs ? 2_500 : 1 << 40
        parameters.unbondingMs = 4_000
        parameters.evidenceEpochs = 3
        parameters.rewardPerEpoch = 7_000
        parameters.validityMs = 3_600_000
        let members = zip(keys, beacons).prefix(masternodes).enumerated().map { index, parts in
            Masternode(
                name: "m\(index)", consensusKey: parts.0.publicKey, owner: owner.account, beaconTip: parts.1.tip)
        }
        genesis = try Genesis(
            chainName: "simulation", time: Self.genesisTime, parameters: parameters,
            masternodes: try MasternodeSet(members),
            allocations: (clientKeys + [nuisance, owner]).map {
                Genesis.Allocation(account: $0.account, balance: 1_000_000_000_000)
            })
        genesisHash = genesis.hash
        leaders = LeaderSchedule(count: masternodes, seed: genesis.initialRandomness)
    }
}
