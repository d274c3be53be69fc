import Cryptography
import Foundation
import KeyFiles
import Primitives

/// The keys of a masternode's home. The owner key holds the collateral and may be kept elsewhere; a running node needs
/// the other two only.
public struct NodeKeys: Sendable {
    public static let consensusName = "consensus"
    public static let beaconName = "beacon"
    public static let ownerName = "owner"

    public let consensus: PrivateKey
    /// c_0 of the hash chain.
    public let beaconSecret: Digest

    /// Makes the keys that are missing. Returns what the genesis needs to know of the node.
    public static func create(
        in home: NodeHome, name: String, passphrase: Passphrase, owner: Account? = nil
    ) throws -> Masternode {
        let directory = KeyDirectory(path: home.keysFolder.path)
        if try !directory.contains(consensusName) {
            try directory.save(.generate(), purpose: "consensus", passphrase: passphrase, as: consensusName)
        }
        if try !directory.contains(beaconName) {
            // A key's seed is 32 random bytes, which is what a hash chain starts from.
            try directory.save(.generate(), purpose: "beacon", passphrase: passphrase, as: beaconName)
        }
        let ownerAccount: Account
        if let owner {
            ownerAccount = owner
        } else {
            if try !directory.contains(ownerName) {
                try directory.save(.generate(), purpose: "account", passphrase: passphrase, as: ownerName)
            }
            ownerAccount = Account(try directory.open(ownerName, passphrase: passphrase).publicKey)
        }
        let keys = try NodeKeys(opening: home, passphrase: passphrase)
        return Masternode(
            name: name, consensusKey: keys.consensus.publicKey, owner: ownerAccount, beaconTip: keys.beacon().tip)
    }

    public init(opening home: NodeHome, passphrase: Passphrase) throws {
        let directory = KeyDirectory(path: home.keysFolder.path)
        consensus = try directory.open(Self.consensusName, purpose: "consensus", passphrase: passphrase)
        let secret = try directory.open(Self.beaconName, purpose: "beacon", passphrase: passphrase)
        beaconSecret = Digest(domain: "edgeproof/beacon-secret/1", parts: secret.seed)
    }

    public func beacon() -> BeaconChain { BeaconChain(secret: beaconSecret) }
}
