import Cryptography
import Foundation
import KeyFiles
import Primitives

/// The keys of a masternode's home. The owner key holds the collateral and may be kept elsewhere; a running node needs
/// the other two only.
public struct NodeKeys: Sendable {
    public let consensus: PrivateKey
    /// Where the hash chain starts.
    private let beaconKey: PrivateKey

    /// Makes the keys that are missing. Returns what the genesis or the registration needs to know of the node.
    public static func create(
        in home: NodeHome, name: String, passphrase: Passphrase, owner: Account? = nil
    ) throws -> Masternode {
        let directory = KeyDirectory(path: home.keysFolder.path)
        if try !directory.contains(NodeKeyNames.consensus) {
            try directory.save(.generate(), purpose: "consensus", passphrase: passphrase, as: NodeKeyNames.consensus)
        }
        if try !directory.contains(NodeKeyNames.beacon) {
            // A key's seed is 32 random bytes, which is what a hash chain starts from.
            try directory.save(.generate(), purpose: "beacon", passphrase: passphrase, as: NodeKeyNames.beacon)
        }
        let ownerAccount: Account
        if let owner {
            ownerAccount = owner
        } else {
            if try !directory.contains(NodeKeyNames.owner) {
                try directory.save(.generate(), purpose: "account", passphrase: passphrase, as: NodeKeyNames.owner)
            }
            ownerAccount = Account(try directory.open(NodeKeyNames.owner, passphrase: passphrase).publicKey)
        }
        let keys = try NodeKeys(opening: home, passphrase: passphrase)
        return Masternode(
            name: name, consensusKey: keys.consensus.publicKey, owner: ownerAccount, beaconTip: keys.beacon().tip)
    }

    public init(opening home: NodeHome, passphrase: Passphrase) throws {
        let directory = KeyDirectory(path: home.keysFolder.path)
        for name in [NodeKeyNames.consensus, NodeKeyNames.beacon] where try !directory.contains(name) {
            throw NodeHomeError.missing(
                try directory.path(of: name), hint: "make the node's keys with 'chaind init --home \(home.folder.path)'"
            )
        }
        consensus = try directory.open(NodeKeyNames.consensus, purpose: "consensus", passphrase: passphrase)
        beaconKey = try directory.open(NodeKeyNames.beacon, purpose: "beacon", passphrase: passphrase)
    }

    /// The hash chain that it registers, or a later one. Takes a second.
    public func beacon(generation: UInt32 = 0) -> BeaconChain { BeaconChain(of: beaconKey, generation: generation) }
}
