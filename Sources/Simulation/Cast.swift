import Cryptography
import Node
import Primitives
import Synchronization

/// Who takes part: the genesis, the masternodes' keys and hash chains, and the clients. The same for all seeds of one
/// shape, so it is made once.
package struct Cast: Sendable {
    package static let genesisTime = Time(1_700_000_000_000)
    static let clients = 5

    package let genesis: Genesis
    package let genesisHash: Digest
    package let leaders: LeaderSchedule
    package let keys: [SimulatedKey]
    package let beacons: [BeaconChain]
    /// Their transactions must all become final.
    package let clientKeys: [SimulatedKey]
    /// Sends what can or will never be included.
    let nuisance: SimulatedKey

    var count: Int { keys.count }
    var set: MasternodeSet { genesis.masternodes }

    private struct Shape: Hashable { let masternodes: Int, realSignatures: Bool }
    private static let made = Mutex<[Shape: Cast]>([:])

    package static func of(_ masternodes: Int, realSignatures: Bool) throws -> Cast {
        try made.withLock { made in
            let shape = Shape(masternodes: masternodes, realSignatures: realSignatures)
            if let cast = made[shape] { return cast }
            let cast = try Cast(masternodes, realSignatures: realSignatures)
            made[shape] = cast
            return cast
        }
    }

    private init(_ masternodes: Int, realSignatures: Bool) throws {
        func key(_ name: String) throws -> SimulatedKey {
            let seed = Digest(domain: "edgeproof/simulation-key/1", parts: Array(name.utf8)).bytes
            guard let key = PrivateKey(seed: seed) else { throw CryptographyError.invalidKey }
            return SimulatedKey(real: key, isReal: realSignatures)
        }
        keys = try (0..<masternodes).map { try key("masternode \($0)") }
        beacons = (0..<masternodes).map { index in
            BeaconChain(secret: Digest(domain: "edgeproof/simulation-beacon/1", parts: [UInt8(index)]), length: 1)
        }
        clientKeys = try (0..<Self.clients).map { try key("client \($0)") }
        nuisance = try key("nuisance")
        var parameters = Parameters()
        parameters.networkDelayMs = 600
        parameters.heartbeatMs = 8_000
        parameters.validityMs = 3_600_000
        let members = zip(keys, beacons).enumerated().map { index, parts in
            Masternode(
                name: "m\(index)", consensusKey: parts.0.publicKey, owner: parts.0.account, beaconTip: parts.1.tip)
        }
        genesis = try Genesis(
            chainName: "simulation", time: Self.genesisTime, parameters: parameters,
            masternodes: try MasternodeSet(members),
            allocations: (clientKeys + [nuisance]).map {
                Genesis.Allocation(account: $0.account, balance: 1_000_000_000_000)
            })
        genesisHash = genesis.hash
        leaders = LeaderSchedule(count: masternodes, seed: genesis.initialRandomness)
    }
}
